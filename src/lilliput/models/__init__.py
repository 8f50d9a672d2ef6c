"""The networks: ids in, logits out, behind one `forward(ids, cache)`.

Importing this package and `lilliput.models.settings` does not import torch; the names that need it are
found on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lilliput.models.settings import GPTSettings, ModelSettings, RecurrentSettings

if TYPE_CHECKING:
    from lilliput.models.building import build, build_empty, count_multiplied, count_parameters
    from lilliput.models.protocol import Cache, Model

__all__ = [
    "Cache",
    "GPTSettings",
    "Model",
    "ModelSettings",
    "RecurrentSettings",
    "build",
    "build_empty",
    "count_multiplied",
    "count_parameters",
]

_HOMES = {
    **dict.fromkeys(("Cache", "Model"), "protocol"),
    **dict.fromkeys(("build", "build_empty", "count_multiplied", "count_parameters"), "building"),
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"lilliput.models.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
