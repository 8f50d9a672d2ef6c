"""The networks: ids in, logits out, behind one `forward(ids, cache)`.

Importing this package and `lilliput.models.settings` does not import torch; the names that need it are
found on first use.
"""

from typing import TYPE_CHECKING

from lilliput.lazy import lazy_names
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

__getattr__ = lazy_names(
    "lilliput.models",
    {
        "building": ("build", "build_empty", "count_multiplied", "count_parameters"),
        "protocol": ("Cache", "Model"),
    },
)
