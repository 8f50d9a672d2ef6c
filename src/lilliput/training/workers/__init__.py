"""Processes that share the steps of a run."""
