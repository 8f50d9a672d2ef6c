"""A corpus is a sequence of documents; its text is the documents joined by one fixed string.

A document is the unit that a split by document keeps whole: a file, a line of a `.jsonl` file, a poem, a play.
A text that does not fit into the memory is read by `files.large_texts`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from lilliput.corpus.items import Items, find_items

JOINT = "\n\n"

ReadProgress = Callable[[int, int | None], None]
"""Called with the bytes done so far and the bytes in total, or None where the total is unknown."""


@dataclass(frozen=True, slots=True)
class Document:
    """Hold one text that belongs together, and the name it came under."""

    name: str
    text: str
    folder: str = ""
    """The name of the folder that its file lies in."""
    label: str | None = None
    """What the row of a table that it came from calls its label."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where a document that is read as a stream comes from; one object for each document."""

    name: str
    folder: str = ""
    label: str | None = None


Fragment = tuple[Origin, str]
"""A part of a document, in a stream of documents."""


@dataclass(frozen=True)
class Corpus:
    """Hold the documents of a text and the notes for the user on how they were read."""

    name: str
    documents: tuple[Document, ...]
    notes: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    """The character of each label that stands in the documents (`labels`)."""

    @cached_property
    def text(self) -> str:
        """Return the documents joined by `JOINT`."""
        return JOINT.join(document.text for document in self.documents)

    @cached_property
    def items(self) -> Items | None:
        """Return the items of a text that is surely a list or a collection; None for any other, and behind labels."""
        return None if self.labels else find_items([document.text for document in self.documents])

    @property
    def characters(self) -> int:
        """Return the length of the text in Unicode code points."""
        return len(self.text)

    @cached_property
    def sha256(self) -> str:
        """Return the checksum of the text's UTF-8 bytes, as hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()
