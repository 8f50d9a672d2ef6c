"""Settings of how files are read, how a text is split, and what labels its documents, for the `[data]` section."""

import codecs
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from lilliput.settings import Settings

LabelKind = Literal["file", "folder", "field"]
"""What labels a document: the name of its file or folder, or a field of its row."""
SplitKind = Literal["automatic", "position", "pieces", "document", "items"]


class SplitSettings(Settings):
    """Say how the validation text is chosen: the last part of the text, pieces of it, every n-th document, or items.

    Automatic is by items for a text that is a list or a collection, and else by position.
    """

    by: SplitKind = "automatic"
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1


class FieldSettings(Settings):
    """Name the fields of tables, where they are not those that are looked for."""

    text: str | None = None
    """The field that is the text: a column of a table, a key of JSON objects."""
    prompt: str | None = None
    """The field that holds a prompt; with `answer`."""
    answer: str | None = None
    """The field that holds the answer to the prompt."""
    label: str | None = None
    """The field that holds the label, where labels are learnt; by default "label"."""

    @model_validator(mode="after")
    def _both(self) -> "FieldSettings":
        if (self.prompt is None) != (self.answer is None):
            raise ValueError("prompt and answer belong together: name both fields or neither")
        if self.prompt is not None and self.text is not None:
            raise ValueError("a file holds texts, or prompts and answers: name the field of the text or those two")
        return self


class ReadSettings(Settings):
    """Say what cannot be found out from the files, or should be taken otherwise."""

    include: tuple[str, ...] = ()
    """Files that are read of a folder or an archive, by patterns such as "*.py"; by default all that are text."""
    exclude: tuple[str, ...] = ()
    """Files that are left out of a folder or an archive, by patterns."""
    fields: FieldSettings = FieldSettings()

    encoding: str | None = None
    """The encoding of the files, by its name in Python ("koi8-r", "cp1251", "big5"); by default it is found out."""

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
            raise ValueError(f"there is no encoding {value!r}; Python's documentation lists them under codecs")
        return codec.name


AUTOMATIC = ReadSettings()
"""All is found out."""
