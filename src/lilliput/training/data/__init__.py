"""The training and validation data of a run: a text, a large text, or prompts with answers."""
