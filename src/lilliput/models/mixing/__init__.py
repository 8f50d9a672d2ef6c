"""A network with counts of the text: n-gram embeddings, counts, matches, and the gate that mixes them."""
