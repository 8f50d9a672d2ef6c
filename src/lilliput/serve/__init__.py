"""A server for runs: the API of OpenAI, and a page to play with a model. Only `cli` imports it."""
