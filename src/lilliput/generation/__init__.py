"""From a model and a prompt to new tokens: tokens in, tokens out.

Importing this package, its filters and its sampler does not import torch; what reads with a model is found on first
use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lilliput.generation.filters import Filter
from lilliput.generation.sampling import Sampler, Token
from lilliput.generation.settings import SamplingSettings

if TYPE_CHECKING:
    from lilliput.generation.decoding import generate, log_probabilities
    from lilliput.generation.engine import Engine, EngineReading, load_engine
    from lilliput.generation.reading import Reading, TorchReading
    from lilliput.generation.replay import ReplayReading, can_replay

__all__ = [
    "Engine",
    "EngineReading",
    "Filter",
    "Reading",
    "ReplayReading",
    "Sampler",
    "SamplingSettings",
    "Token",
    "TorchReading",
    "can_replay",
    "generate",
    "load_engine",
    "log_probabilities",
]
_LATER = {
    **dict.fromkeys(("generate", "log_probabilities"), "decoding"),
    **dict.fromkeys(("Engine", "EngineReading", "load_engine"), "engine"),
    **dict.fromkeys(("Reading", "TorchReading"), "reading"),
    **dict.fromkeys(("ReplayReading", "can_replay"), "replay"),
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"lilliput.generation.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
