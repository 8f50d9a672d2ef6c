"""A trained model opened for use, at the level of text."""

from lilliput.writer.loading import load
from lilliput.writer.results import Continuation, NextWord
from lilliput.writer.scoring import ScoredToken
from lilliput.writer.writer import AT_ONCE, FILLINGS, MOST_WORD_TOKENS, Writer

__all__ = ["AT_ONCE", "FILLINGS", "MOST_WORD_TOKENS", "Continuation", "NextWord", "ScoredToken", "Writer", "load"]
