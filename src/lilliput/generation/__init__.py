"""From a model and a prompt to new tokens: tokens in, tokens out.

Importing this package, its filters and its sampler does not import torch; `generate` is found on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lilliput.generation.filters import Filter
from lilliput.generation.sampling import Sampler, Token
from lilliput.generation.settings import SamplingSettings

if TYPE_CHECKING:
    from lilliput.generation.decoding import generate

__all__ = ["Filter", "Sampler", "SamplingSettings", "Token", "generate"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("lilliput.generation.decoding"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
