"""Checks of the arguments that a `Writer` gets. Each raises GenerationError for a wrong one."""

from numbers import Integral

from lilliput.errors import GenerationError
from lilliput.recipe import shown


def checked_text(name: str, value: object) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise GenerationError(f"sampling: {name}: should be a text, not {shown(value)}")
    return value


def checked_number(name: str, value: object, least: int = 0) -> int:
    """Return a whole number, `least` or more."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise GenerationError(f"sampling: {name}: should be a whole number, {least} or more, not {shown(value)}")
    return int(value)
