"""Find, unpack and read the user's files, whole or as a stream."""
