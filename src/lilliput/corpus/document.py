"""A corpus is a sequence of documents; its text is the documents joined by `JOINT`.

A document, which a split by document keeps whole, is a file, a line of a `.jsonl` file, a poem or a play.
Texts that do not fit into memory are read by `files.large_texts`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from lilliput.corpus.items import Items, find_items

JOINT = "\n\n"

ReadProgress = Callable[[int, int | None], None]
"""Called with the bytes done so far and the total, or None if the total is unknown."""


@dataclass(frozen=True, slots=True)
class Document:
    """One text, with the name of its file or row."""

    name: str
    text: str
    folder: str = ""
    """The name of the folder of its file."""
    label: str | None = None
    """The label in its row of a table."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """The origin of a document that is read as a stream; one object per document."""

    name: str
    folder: str = ""
    label: str | None = None


Fragment = tuple[Origin, str]
"""A part of a document, in a stream of documents."""


@dataclass(frozen=True)
class Corpus:
    """The documents of a text, with notes for the user on how they were read."""

    name: str
    documents: tuple[Document, ...]
    notes: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    """The character that marks each label in the documents (`labels`)."""

    @cached_property
    def text(self) -> str:
        """Return the documents joined by `JOINT`."""
        return JOINT.join(document.text for document in self.documents)

    @cached_property
    def items(self) -> Items | None:
        """Return the items of a text that is surely a list or a collection; None for other texts, and with labels."""
        return None if self.labels else find_items([document.text for document in self.documents])

    @property
    def characters(self) -> int:
        """Return the length of the text in Unicode code points."""
        return len(self.text)

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 of the text's UTF-8 bytes, as hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()
