"""Records of structured files, and the texts in them."""
