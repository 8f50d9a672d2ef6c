"""Convert bytes to clean text."""
