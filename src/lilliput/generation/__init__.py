"""Generate tokens with a model: prompts in, new tokens out.

Importing this package, its filters or its sampler does not import torch: names that need it are imported on first use.
"""

from typing import TYPE_CHECKING

from lilliput.generation.filters import Filter
from lilliput.generation.sampling import Sampler, Token
from lilliput.generation.settings import SamplingSettings
from lilliput.lazy import lazy_names

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

__getattr__ = lazy_names(
    "lilliput.generation",
    {
        "backends.backend": ("Backend", "TorchBackend"),
        "backends.cuda_graph": ("CudaGraphBackend", "can_record_steps"),
        "backends.engine": ("Engine", "OnnxBackend", "load_engine"),
        "continuations": ("generate", "log_probabilities"),
        "slots": ("Slots",),
    },
)
