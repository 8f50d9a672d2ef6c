"""Labels: mark the kind of each document, for the model, with one character.

Each label has a character that no text uses. It is inserted before the document, before each of its paragraphs, and
before a line that begins far after the last one. So nearly every window contains it, the model learns its positions,
and sampling only has to exclude the characters of other labels. The characters are not part of the text: they are not
shown, and not counted as characters. The loss of predicting them does count.

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
"""Characters after which the label is repeated at the start of the next line."""
MOST = 6000
_FIRST_LABEL = 0xF0000  # the first of a private-use plane
_LABELS = re.compile(f"[{chr(_FIRST_LABEL)}-{chr(_FIRST_LABEL + MOST - 1)}]")
_ROW = re.compile(r":\d+\Z")
"""The row number after the name of a table."""
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def label_documents(corpus: Corpus, kind: LabelKind) -> Corpus:
    """Return the corpus with every document labelled by its file, its folder or a field of its row.

    Raises CorpusError if a document has no label, or the number of labels is not from 2 to `MOST`.
    """
    named = [label_of(corpus.name, document, kind) for document in corpus.documents]
    return _marked(corpus, named, label_characters(corpus.name, kind, named))


def label_characters(name: str, kind: LabelKind, labels: Iterable[str]) -> dict[str, str]:
    """Return the character of each label of the text `name`, in alphabetical order.

    Raises CorpusError if the number of labels is not from 2 to `MOST`.
    """
    names = sorted(set(labels))
    if not 2 <= len(names) <= MOST:
        count = f"only one: {names[0]}" if len(names) == 1 else f"{len(names):,}"
        raise CorpusError(
            f"data.labels={kind} finds {count} in {name}, and 2 to {MOST:,} labels are needed: "
            "choose another of file, folder and field, or leave it out"
        )
    return {label: chr(_FIRST_LABEL + number) for number, label in enumerate(names)}


def label_alike(corpus: Corpus, kind: LabelKind, labels: Mapping[str, str]) -> Corpus:
    """Return a corpus with the labels of another one; documents with other labels stay unlabelled."""
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

    Raises CorpusError for a document without a label, or with a character that marks labels.
    """
    for origin, document in groupby(fragments, itemgetter(0)):
        marker = Marker(labels.get(label_of(name, origin, kind), ""))
        for _, text in document:
            _require_unmarked(origin.name, text)
            yield origin, marker.mark(text)
        yield origin, marker.rest


class Marker:
    """Insert the character of a label into a document that comes in parts."""

    def __init__(self, character: str) -> None:
        self._character = character
        self._since = EVERY  # characters since the last label
        self._blank = True  # whether the last line is blank
        self._within = False  # whether the last line has visible text and no end yet
        self.rest = ""
        """White space at the end, held back since text may follow on the same line."""

    @property
    def due(self) -> bool:
        """Return whether the next line would begin with the character."""
        return self._blank or self._since >= EVERY

    def mark(self, text: str) -> str:
        """Return the next part of the document with the character, after any white space held back."""
        parts: list[str] = []
        text, self.rest = self.rest + text, ""
        for line in _LINE.findall(text):
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
    """Return a prompt with the character of its label, also before an empty last line."""
    lines, last = text[: text.rfind("\n") + 1], text[text.rfind("\n") + 1 :]
    if last.strip():
        return mark(text, character)
    marker = Marker(character)
    return marker.mark(lines) + (character if marker.due else "") + last


def unmark(text: str) -> str:
    """Return the text without the characters that mark labels."""
    return _LABELS.sub("", text)


def label_of(corpus: str, document: Document | Origin, kind: LabelKind) -> str:
    """Return the label of a document of the text `corpus`. Raises CorpusError if it has none."""
    if kind == "file":
        name = PurePosixPath(_ROW.sub("", document.name)).name
        while PurePosixPath(name).suffix.lower() in PACKED:
            name = PurePosixPath(name).stem
        return PurePosixPath(name).stem
    if kind == "folder":
        label, lacking = document.folder, "is in no folder"
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
            f"{name} holds a character between U+{_FIRST_LABEL:X} and U+{_FIRST_LABEL + MOST - 1:X}, which mark "
            "labels: remove it, or leave out data.labels"
        )
