"""Names of a package that are imported on first use (PEP 562), so that what needs PyTorch does not delay the rest."""

from importlib import import_module

TYPE_CHECKING = False  # as in `typing`, whose import is slow
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


def lazy_names(
    package: str, names_by_module: "Mapping[str, Sequence[str]]", modules: "Sequence[str]" = ()
) -> "Callable[[str], Any]":
    """Return the `__getattr__` of a package whose names come from its modules.

    `names_by_module` has the names to take from each module, `modules` those to return themselves. Both name modules
    relative to the package. The function raises AttributeError for all other names.
    """
    module_of = {name: module for module, names in names_by_module.items() for name in names}

    def get(name: str) -> "Any":
        if name in module_of:
            return getattr(import_module(f"{package}.{module_of[name]}"), name)
        if name in modules:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get
