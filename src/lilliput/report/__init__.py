"""Reports: the console view of training, tables, loss curves and external trackers.

All functions take plain values. This module imports nothing, so that the console view needs neither torch nor
matplotlib.
"""
