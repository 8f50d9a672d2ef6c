"""What a run learns from and is measured on: a text, a stream, or prompts with answers."""
