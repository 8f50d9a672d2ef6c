"""What developers run: the generators of the parts of the docs that follow from the code and from results/."""
