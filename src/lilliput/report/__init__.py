"""Show what happened: the console while training, tables, loss curves and outside trackers.

Every function here eats plain values. Nothing is imported at this level, so that the console view costs neither torch
nor matplotlib.
"""
