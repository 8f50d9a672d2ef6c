"""Lilliput trains tiny language models from scratch, on your own text and your own computer.

>>> import lilliput
>>> model = lilliput.train("poems.txt", minutes=2)
>>> print(model.write("Once"))
"""

from lilliput import errors, waiting  # noqa: F401 - waiting takes effect on import, before torch
from lilliput.errors import LilliputError
from lilliput.lazy import lazy_names

TYPE_CHECKING = False  # as in `typing`, whose slow import would show a traceback on Ctrl-C
if TYPE_CHECKING:
    from lilliput import corpus, tokenizers
    from lilliput.api import load, train
    from lilliput.recipe import Recipe, named_recipe, read_recipe
    from lilliput.writer import Writer

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
__getattr__ = lazy_names(
    "lilliput",
    {
        "api": ("load", "train"),
        "recipe": ("Recipe", "named_recipe", "read_recipe"),
        "writer": ("Writer",),
    },
    modules=("corpus", "tokenizers"),
)


def __dir__() -> list[str]:
    return sorted(__all__)
