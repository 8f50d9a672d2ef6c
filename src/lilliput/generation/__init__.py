"""Generate tokens with a model: prompts in, new tokens out.

Importing this package, its filters or its sampler does not import torch: names that need it are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lilliput.generation.filters import Filter
from lilliput.generation.sampling import Sampler, Token
from lilliput.generation.settings import SamplingSettings

if TYPE_CHECKING:
    from lilliput.generation.backends.backend import Backend, TorchBackend
    from lilliput.generation.backends.cuda_graph import CudaGraphBackend, can_record_steps
    from lilliput.generation.backends.engine import Engine, OnnxBackend, load_engine
    from lilliput.generation.continuations import generate, log_probabilities
    from lilliput.generation.slots import Slots

__all__ = [
    "Backend",
    "CudaGraphBackend",
    "Engine",
    "Filter",
    "OnnxBackend",
    "Sampler",
    "SamplingSettings",
    "Slots",
    "Token",
    "TorchBackend",
    "can_record_steps",
    "generate",
    "load_engine",
    "log_probabilities",
]
_LATER = {
    **dict.fromkeys(("Backend", "TorchBackend"), "backends.backend"),
    **dict.fromkeys(("CudaGraphBackend", "can_record_steps"), "backends.cuda_graph"),
    **dict.fromkeys(("Engine", "OnnxBackend", "load_engine"), "backends.engine"),
    **dict.fromkeys(("generate", "log_probabilities"), "continuations"),
    "Slots": "slots",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"lilliput.generation.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
