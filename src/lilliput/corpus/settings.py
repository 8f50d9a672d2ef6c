"""Settings for reading files, splitting texts and labelling documents, in the `[data]` section."""

import codecs
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from lilliput.settings import Settings

LabelKind = Literal["file", "folder", "field"]
"""Source of a document's label: the name of its file or folder, or a field of its row."""
SplitKind = Literal["automatic", "position", "pieces", "document", "items"]


class SplitSettings(Settings):
    """How to choose the validation text: the end of the text, pieces of it, every n-th document, or items.

    "automatic" is by items for a list or a collection, else by position.
    """

    by: SplitKind = "automatic"
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1


class FieldSettings(Settings):
    """Names of the fields of tables; each default is detected."""

    text: str | None = None
    """Field of the text: a column of a table, a key of JSON objects."""
    prompt: str | None = None
    """Field of the prompt; requires `answer`."""
    answer: str | None = None
    """Field of the answer; requires `prompt`."""
    label: str | None = None
    """Field of the label, if the model learns labels; by default "label"."""

    @model_validator(mode="after")
    def _both(self) -> "FieldSettings":
        if (self.prompt is None) != (self.answer is None):
            raise ValueError("prompt and answer belong together: name both fields or neither")
        if self.prompt is not None and self.text is not None:
            raise ValueError("text excludes prompt and answer: name the text field, or the other two")
        return self


class ReadSettings(Settings):
    """How to read the files; each default is detected."""

    include: tuple[str, ...] = ()
    """Patterns such as "*.py": read only these files of a folder or an archive; by default all text files."""
    exclude: tuple[str, ...] = ()
    """Patterns: skip these files of a folder or an archive."""
    fields: FieldSettings = FieldSettings()

    encoding: str | None = None
    """Encoding of the files, by its Python name ("koi8-r", "cp1251", "big5"); by default detected."""

    @field_validator("include", "exclude", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            codec = codecs.lookup(value)
        except (LookupError, ValueError):
            codec = None
        if codec is None or not codec._is_text_encoding:
            raise ValueError(f"unknown encoding {value!r}. Python's documentation lists the names under codecs")
        return codec.name


AUTOMATIC = ReadSettings()
"""Detects everything."""
