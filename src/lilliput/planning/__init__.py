"""Before the first step: which recipe to train on which text, and a forecast of the run on this machine."""
