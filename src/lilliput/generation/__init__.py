"""From a model and a prompt to new tokens: tokens in, tokens out.

Importing this package and `lilliput.generation.sampling` does not import torch; `generate` and `Token` are
found on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lilliput.generation.sampling import Filter, SamplingSettings, filters

if TYPE_CHECKING:
    from lilliput.generation.decoding import Token, generate

__all__ = ["Filter", "SamplingSettings", "Token", "filters", "generate"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("lilliput.generation.decoding"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
