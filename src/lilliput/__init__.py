"""Lilliput trains tiny language models from scratch, on your own text and your own computer.

>>> import lilliput
>>> model = lilliput.train("poems.txt", minutes=2)
>>> print(model.write("Once"))
"""

from importlib import import_module

from lilliput import errors, waiting  # noqa: F401 - waiting takes effect on import, before torch
from lilliput.errors import LilliputError

TYPE_CHECKING = False  # as in `typing`, whose slow import would show a traceback on Ctrl-C
if TYPE_CHECKING:
    from typing import Any

    from lilliput import corpus, tokenizers
    from lilliput.api import train
    from lilliput.recipe import Recipe, named_recipe, read_recipe
    from lilliput.writer import Writer, load

__all__ = [
    "LilliputError",
    "Recipe",
    "Writer",
    "corpus",
    "errors",
    "load",
    "named_recipe",
    "read_recipe",
    "tokenizers",
    "train",
]

# PyTorch takes seconds to import. `lilliput --help` and programs that only read a recipe should not wait for it.
_PLACES = {
    "Recipe": "lilliput.recipe",
    "Writer": "lilliput.writer",
    "corpus": "lilliput",
    "load": "lilliput.writer",
    "named_recipe": "lilliput.recipe",
    "read_recipe": "lilliput.recipe",
    "tokenizers": "lilliput",
    "train": "lilliput.api",
}


def __getattr__(name: str) -> "Any":
    if name not in _PLACES:
        raise AttributeError(f"module 'lilliput' has no attribute {name!r}")
    if _PLACES[name] == "lilliput":
        return import_module(f"lilliput.{name}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
