"""The networks: ids in, logits out, behind one `forward(ids, cache)`.

Importing this package and `lilliput.models.settings` does not import torch; the names that need it are
found on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lilliput.models.settings import GPTSettings, ModelSettings, RecurrentSettings

if TYPE_CHECKING:
    from lilliput.models.mixture import Mixture
    from lilliput.models.protocol import Cache, Model, build, build_empty, count_multiplied, count_parameters

__all__ = [
    "Cache",
    "GPTSettings",
    "Mixture",
    "Model",
    "ModelSettings",
    "RecurrentSettings",
    "build",
    "build_empty",
    "count_multiplied",
    "count_parameters",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        module = "mixture" if name == "Mixture" else "protocol"
        return getattr(import_module(f"lilliput.models.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
