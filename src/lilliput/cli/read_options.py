"""Options for reading texts, shared by every command that takes texts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lilliput.corpus import ReadSettings

Encoding = Annotated[str | None, typer.Option(help="Encoding of the texts, such as koi8-r. Default: detected.")]
Include = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="In folders and archives, read only files like '*.py'; repeatable."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="In folders and archives, skip files like '*.log'; repeatable."),
]
Field = Annotated[str | None, typer.Option(metavar="NAME", help="Column or field of a table that holds the text.")]


def given_settings(
    encoding: str | None, include: Sequence[str] | None, exclude: Sequence[str] | None, field: str | None
) -> dict[str, Any]:
    """Return the options as settings of a recipe (dotted key -> value)."""
    given = {"encoding": encoding, "include": include, "exclude": exclude, "fields.text": field}
    return {f"data.{key}": value for key, value in given.items() if value}


def settings_of(encoding: str | None, field: str | None) -> "ReadSettings":
    """Return the options as settings for reading one text. Raises RecipeError for an unknown encoding."""
    from lilliput.planning.resolve import read_settings

    return read_settings(given_settings(encoding, None, None, field))
