"""The API of OpenAI, as far as a model that continues texts can follow it."""
