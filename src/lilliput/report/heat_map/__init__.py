"""How surprising each token of a text is, as colours: in the terminal, in a notebook, or as a page."""
