"""Labels: what kind of text a document is, told to the model by one character.

The character of a document's label, one that no text uses, stands before the document, before each of its paragraphs,
and before a line that begins far from the last one. So nearly every window holds one, the model learns where they
stand, and a writer only has to forbid those of the other labels. They are no part of the text: nobody sees them, and
they do not count as characters of it. What the model pays for guessing them counts.

Control codes as in CTRL (Keskar et al. 2019, arXiv 1909.05858), repeated because the context is short. Left out:
several labels for one document.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import PurePosixPath

from lilliput.corpus.document import Corpus, Document, Fragment, Origin
from lilliput.corpus.files.expansion import PACKED
from lilliput.corpus.settings import LabelKind
from lilliput.errors import CorpusError

EVERY = 200
"""Characters after which the next line begins with the label again."""
MOST = 6000
_FIRST = 0xF0000  # the first of a plane that Unicode leaves to private use
_LABELS = re.compile(f"[{chr(_FIRST)}-{chr(_FIRST + MOST - 1)}]")
_ROW = re.compile(r":\d+\Z")
"""Behind the name of a table stands the number of the row."""
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


def label_documents(corpus: Corpus, kind: LabelKind) -> Corpus:
    """Return the corpus with a label for every document: the name of its file or folder, or a field of its row.

    Raises CorpusError where a document has none, and unless there are at least two.
    """
    named = [label_of(corpus.name, document, kind) for document in corpus.documents]
    return _marked(corpus, named, label_characters(corpus.name, kind, named))


def label_characters(name: str, kind: LabelKind, labels: Iterable[str]) -> dict[str, str]:
    """Return the character of each of the labels in the text `name`, in the order of the alphabet.

    Raises CorpusError unless there are at least two.
    """
    names = sorted(set(labels))
    if not 2 <= len(names) <= MOST:
        count = f"only one: {names[0]}" if len(names) == 1 else f"{len(names):,}"
        raise CorpusError(
            f"data.labels={kind} finds {count} in {name}, and from 2 to {MOST:,} labels can be told apart: "
            "choose another of file, folder and field, or leave it out"
        )
    return {label: chr(_FIRST + number) for number, label in enumerate(names)}


def label_alike(corpus: Corpus, kind: LabelKind, labels: Mapping[str, str]) -> Corpus:
    """Return a corpus with the labels of another one; documents that have none of these stay without."""
    named = []
    for document in corpus.documents:
        try:
            named.append(label_of(corpus.name, document, kind))
        except CorpusError:
            named.append("")
    return _marked(corpus, named, labels)


def label_fragments(
    fragments: Iterable[Fragment], name: str, kind: LabelKind, labels: Mapping[str, str]
) -> Iterator[Fragment]:
    """Yield the documents of the text `name` with the characters of their labels.

    Raises CorpusError for a document that has no label, and for one that holds such a character.
    """
    for origin, document in groupby(fragments, itemgetter(0)):
        marker = Marker(labels.get(label_of(name, origin, kind), ""))
        for _, text in document:
            _require_unmarked(origin.name, text)
            yield origin, marker.mark(text)
        yield origin, marker.rest


class Marker:
    """Puts the character of a label into a document that comes in parts."""

    def __init__(self, character: str) -> None:
        self._character = character
        self._since = EVERY  # characters
        self._blank = True  # whether the last line is
        self._within = False  # whether the last line has begun with visible characters and may go on
        self.rest = ""
        """Blank space at the end, held back since it may be the beginning of a line with text."""

    @property
    def due(self) -> bool:
        """Whether a line behind the text would begin with the character."""
        return self._blank or self._since >= EVERY

    def mark(self, text: str) -> str:
        """Return the next part of the document with the character, and what was held back before it."""
        parts: list[str] = []
        text, self.rest = self.rest + text, ""
        for line in _LINES.findall(text):
            blank = not line.strip()
            if not self._within:
                if blank and not line.endswith("\n"):
                    self.rest = line
                    break
                if not blank and self.due:
                    parts.append(self._character)
                    self._since = 0
                self._blank = blank
            parts.append(line)
            self._since += len(line)
            self._within = not line.endswith("\n")
        return "".join(parts)


def mark(text: str, character: str) -> str:
    """Return the text of a document with the character of its label."""
    marker = Marker(character)
    return marker.mark(text) + marker.rest


def mark_prompt(text: str, character: str) -> str:
    """Return the beginning of a text with the character of its label, also before a line that is yet to come."""
    lines, last = text[: text.rfind("\n") + 1], text[text.rfind("\n") + 1 :]
    if last.strip():
        return mark(text, character)
    marker = Marker(character)
    return marker.mark(lines) + (character if marker.due else "") + last


def unmark(text: str) -> str:
    """Return the text without the characters of labels."""
    return _LABELS.sub("", text)


def label_of(corpus: str, document: Document | Origin, kind: LabelKind) -> str:
    """Return the label of a document in the text `corpus`. Raises CorpusError if it has none."""
    if kind == "file":
        name = PurePosixPath(_ROW.sub("", document.name)).name
        while PurePosixPath(name).suffix.lower() in PACKED:
            name = PurePosixPath(name).stem
        return PurePosixPath(name).stem
    if kind == "folder":
        label, lacking = document.folder, "stands in no folder"
    else:
        label, lacking = (document.label or "").strip(), 'has no "label"'
    if not label:
        raise CorpusError(f"data.labels={kind}: {document.name} in {corpus} {lacking}, and every document needs one")
    return label


def _marked(corpus: Corpus, named: list[str], labels: Mapping[str, str]) -> Corpus:
    documents = []
    for document, name in zip(corpus.documents, named, strict=True):
        _require_unmarked(document.name, document.text)
        text = mark(document.text, labels[name]) if name in labels else document.text
        documents.append(replace(document, text=text))
    return replace(corpus, documents=tuple(documents), labels=dict(labels))


def _require_unmarked(name: str, text: str) -> None:
    if _LABELS.search(text):
        raise CorpusError(
            f"{name} holds a character between U+{_FIRST:X} and U+{_FIRST + MOST - 1:X}, which stand for "
            "labels here: take it out, or leave out data.labels"
        )
