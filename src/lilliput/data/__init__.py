"""Tokens on disk, and batches that carry a weight per target."""
