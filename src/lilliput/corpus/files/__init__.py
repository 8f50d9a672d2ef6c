"""The user's own files: found, unpacked and read, whole or as a stream."""
