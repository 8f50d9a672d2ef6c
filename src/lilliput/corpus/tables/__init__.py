"""Read the records of structured files, and their texts."""
