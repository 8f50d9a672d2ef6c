"""The options that say how the texts are read, for every command that takes texts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lilliput.corpus import ReadSettings

Encoding = Annotated[
    str | None, typer.Option(help="The encoding of the texts, such as koi8-r; by default it is found out.")
]
Include = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Of a folder or an archive, read only files like '*.py'; may be repeated."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Of a folder or an archive, leave out files like '*.log'; may be repeated."),
]
Field = Annotated[str | None, typer.Option(metavar="NAME", help="The column or field of a table that is the text.")]


def given_settings(
    encoding: str | None, include: Sequence[str] | None, exclude: Sequence[str] | None, field: str | None
) -> dict[str, Any]:
    """Return the settings of a recipe that the options stand for."""
    given = {"encoding": encoding, "include": include, "exclude": exclude, "fields.text": field}
    return {f"data.{key}": value for key, value in given.items() if value}


def settings_of(encoding: str | None, field: str | None) -> "ReadSettings":
    """Return how one text is to be read. Raises RecipeError for an encoding that does not exist."""
    from lilliput.planning.resolve import read_settings

    return read_settings(given_settings(encoding, None, None, field))
