"""Runs in the page: their curves, and trainings that the page starts."""
