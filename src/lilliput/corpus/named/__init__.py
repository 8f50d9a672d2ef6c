"""Texts that are known by name: where they come from, and how they are fetched."""
