"""Before the first step: which recipe to train on which text, and what the run will come to on this machine."""
