"""Labels: what kind of text a document is, told to the model by one character.

The character of a document's label, one that no text uses, stands before the document, before each of its paragraphs,
and before a line that begins far from the last one. So nearly every window holds one, the model learns where they
stand, and a writer only has to forbid those of the other labels. They are no part of the text: nobody sees them, and
they do not count as characters of it. What the model pays for guessing them counts.

Control codes as in CTRL (Keskar et al. 2019, arXiv 1909.05858), repeated because the context is short. Left out:
several labels for one document, labels of a text that is read as a stream.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Literal

from lilliput.corpus.document import Corpus, Document
from lilliput.corpus.files.expansion import PACKED
from lilliput.errors import CorpusError

LabelKind = Literal["file", "folder", "field"]
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
    named = [_label(corpus, document, kind) for document in corpus.documents]
    names = sorted(set(named))
    if not 2 <= len(names) <= MOST:
        found = f"only one: {names[0]}" if len(names) == 1 else f"{len(names):,}"
        raise CorpusError(
            f"data.labels={kind} finds {found} in {corpus.name}, and from 2 to {MOST:,} labels can be told apart: "
            "choose another of file, folder and field, or leave it out"
        )
    return _marked(corpus, named, {name: chr(_FIRST + number) for number, name in enumerate(names)})


def label_alike(corpus: Corpus, kind: LabelKind, labels: Mapping[str, str]) -> Corpus:
    """Return a corpus with the labels of another one; documents that have none of these stay without."""
    named = []
    for document in corpus.documents:
        try:
            named.append(_label(corpus, document, kind))
        except CorpusError:
            named.append("")
    return _marked(corpus, named, labels)


def mark(text: str, character: str) -> str:
    """Return the text of a document with the character of its label."""
    return _mark(text, character)[0]


def mark_prompt(text: str, character: str) -> str:
    """Return the beginning of a text with the character of its label, also before a line that is yet to come."""
    lines, last = text[: text.rfind("\n") + 1], text[text.rfind("\n") + 1 :]
    if last.strip():
        return mark(text, character)
    marked, due = _mark(lines, character)
    return marked + (character if due else "") + last


def unmark(text: str) -> str:
    """Return the text without the characters of labels."""
    return _LABELS.sub("", text)


def _mark(text: str, character: str) -> tuple[str, bool]:
    """Return also whether a line behind the text would begin with the label."""
    parts: list[str] = []
    since, blank = EVERY, True
    for line in _LINES.findall(text):
        if line.strip() and (blank or since >= EVERY):
            parts.append(character)
            since = 0
        parts.append(line)
        since += len(line)
        blank = not line.strip()
    return "".join(parts), blank or since >= EVERY


def _label(corpus: Corpus, document: Document, kind: LabelKind) -> str:
    path = PurePosixPath(_ROW.sub("", document.name))
    if kind == "file":
        name = path.name
        while PurePosixPath(name).suffix.lower() in PACKED:
            name = PurePosixPath(name).stem
        return PurePosixPath(name).stem
    if kind == "folder":
        label, lacking = document.folder, "stands in no folder"
    else:
        label, lacking = (document.label or "").strip(), 'has no "label"'
    if not label:
        raise CorpusError(
            f"data.labels={kind}: {document.name} in {corpus.name} {lacking}, and every document needs one"
        )
    return label


def _marked(corpus: Corpus, named: list[str], labels: Mapping[str, str]) -> Corpus:
    documents = []
    for document, name in zip(corpus.documents, named, strict=True):
        if _LABELS.search(document.text):
            raise CorpusError(
                f"{document.name} holds a character between U+{_FIRST:X} and U+{_FIRST + MOST - 1:X}, which stand for "
                "labels here: take it out, or leave out data.labels"
            )
        text = mark(document.text, labels[name]) if name in labels else document.text
        documents.append(replace(document, text=text))
    return replace(corpus, documents=tuple(documents), labels=dict(labels))
