"""The processes that share the steps of a run."""
