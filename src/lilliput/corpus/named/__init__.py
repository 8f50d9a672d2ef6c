"""Named corpora: their sources and downloads."""
