"""Text to ids and back, without loss at any vocabulary size.

`train` trains a tokenizer of one of seven kinds, `load` loads a saved one, `TextStream` decodes a model's output.
"""

from lilliput.tokenizers.factory import load, train
from lilliput.tokenizers.settings import Kind, Normalization, TokenizerSettings
from lilliput.tokenizers.text_stream import TextStream, place_tokens
from lilliput.tokenizers.token_texts import line_ends, token_texts
from lilliput.tokenizers.tokenizer import Tokenizer

__all__ = [
    "Kind",
    "Normalization",
    "TextStream",
    "Tokenizer",
    "TokenizerSettings",
    "line_ends",
    "load",
    "place_tokens",
    "token_texts",
    "train",
]
