"""What the page asks the server for: texts token by token, and looks inside a model."""
