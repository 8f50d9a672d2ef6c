"""Text to ids and back, without loss at any vocabulary size.

`train` makes a tokenizer of one of seven kinds, `load` opens a saved one, `TextStream` decodes as a model writes.
"""

from lilliput.tokenizers.building import load, train
from lilliput.tokenizers.protocol import Tokenizer
from lilliput.tokenizers.settings import Kind, Normalization, TokenizerSettings
from lilliput.tokenizers.stream import TextStream

__all__ = ["Kind", "Normalization", "TextStream", "Tokenizer", "TokenizerSettings", "load", "train"]
