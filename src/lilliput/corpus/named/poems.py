"""Extract the poems of a cleaned book of verse: titles, verses and stanzas.

Books of Project Gutenberg mark verse by layout alone. Their text is split at empty lines, and each block is classified:
prose is wrapped, so its lines continue in lower case; verses begin with capitals; headings have no lower case; lines of
a table of contents end in page numbers. A title starts a poem, and so does a bare number after a wide gap; other bare
numbers count the parts of one poem. A section is a poem if it has more verse than prose, so prefaces, notes and
bibliographies are dropped, whatever they quote. So are the dates under poems.

The typography is unified, since books differ (`typeset`). Source: the layout of the books in `catalogue`. Left out:
titles in lower case, verses without capitals, and poems of fewer than four verses.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from lilliput.corpus.document import Document

FEWEST_VERSES = 4
MOST_DUPLICATE = 0.4
"""The largest fraction of verses that a poem may share with earlier ones; above it, the poem is a duplicate."""
_WIDE_GAP = 4
_MOTTO_INDENT = 20
_LONG_LINE = 66
"""Wider than a verse of twelve syllables, but not than wrapped prose."""

_NUMERAL = re.compile(r"(?=[IVXLC])C{0,3}(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})\.?(?:\s+|$)")
_MARKS = re.compile(r"\[(?:\d+|[A-Z]|Pg \d+|Illustration[^\]]*)\]|\{\d+\}|[_=]")
_NOTE = re.compile(r"\s*\[(?:Footnote\b|\d+\]\s)")
_PAGE_NUMBER = re.compile(r"[\s.]{3,}(?:\d+|Pages?\.?)\s*$")
_LINE_NUMBER = re.compile(r"\s{3,}\d+\s*$")
_YEAR = re.compile(r"\b1[78](?:\d\d|\.\.)")
_LISTS = frozenset({"TABLE", "TABLE DES MATIÈRES", "INDEX", "CONTENTS", "NOTES", "BIBLIOGRAPHIE", "BIBLIOGRAPHY"})
_LIGATURES = {"Œ": "Oe", "Æ": "Ae", "œ": "oe", "æ": "ae"}


class _Kind(Enum):
    HEADING = auto()
    VERSE = auto()
    PROSE = auto()
    FURNITURE = auto()


@dataclass(frozen=True, slots=True)
class _Block:
    """The lines between two gaps of empty lines; `gap` is the number of empty lines before them."""

    gap: int
    kind: _Kind
    lines: tuple[str, ...]


@dataclass(slots=True)
class _Section:
    """The text under one heading: a poem, if it has more verse than prose."""

    title: str
    stanzas: list[tuple[str, ...]] = field(default_factory=list)
    prose: int = 0
    """Characters of prose."""

    @property
    def verses(self) -> list[str]:
        return [verse for stanza in self.stanzas for verse in stanza]

    @property
    def is_poem(self) -> bool:
        verses = self.verses
        return len(verses) >= FEWEST_VERSES and sum(map(len, verses)) > self.prose

    @property
    def text(self) -> str:
        title = [self.title] if self.title else []
        return "\n\n".join([*title, *("\n".join(stanza) for stanza in self.stanzas)]) + "\n"


def poems_of(books: Iterable[Document]) -> list[Document]:
    """Return the poems of cleaned books in order, each as a document that ends in LF.

    A poem in two books is taken from the first.
    """
    poems: list[Document] = []
    seen: set[str] = set()
    for book in books:
        for number, section in enumerate(filter(lambda section: section.is_poem, _sections(book.text)), start=1):
            keys = [_verse_key(verse) for verse in section.verses]
            if sum(key in seen for key in keys) <= MOST_DUPLICATE * len(keys):
                poems.append(Document(f"{book.name}:{number}", section.text))
            seen.update(keys)
    return poems


def typeset(line: str) -> str:
    """Return a line in a uniform typography.

    That is NFC, single spaces and none around the line, ', -- and ..., oe and ae, and no space before ; : ! ? or inside
    guillemets.
    """
    line = unicodedata.normalize("NFC", line)
    line = re.sub(r"([ŒÆœæ])(.?)", _two_letters, line)
    for typographic, plain in (("’", "'"), ("‘", "'"), ("…", "..."), ("—", "--"), ("–", "--")):
        line = line.replace(typographic, plain)
    line = re.sub(r"\.{4,}", "...", " ".join(line.split()))
    return re.sub(r" +(?=[;:!?»]|\.\.\.)|(?<=«) +", "", line)


def _two_letters(match: re.Match[str]) -> str:
    pair = _LIGATURES[match[1]]
    return (pair.upper() if match[1].isupper() and match[2].isupper() else pair) + match[2]


def _verse_key(verse: str) -> str:
    """Return the letters of a verse without accents, which are equal in all editions."""
    letters = unicodedata.normalize("NFD", verse.casefold())
    return "".join(letter for letter in letters if letter.isalpha())


def _sections(text: str) -> Iterator[_Section]:
    section = _Section("")
    pending: list[_Block] = []
    in_list = False
    for block in _blocks(text):
        # A table of contents may have headings; only a wide gap ends it.
        in_list = (in_list and block.gap < _WIDE_GAP) or _opens_list(block)
        if in_list:
            continue
        if block.kind is _Kind.HEADING:
            pending.append(block)
            continue
        if pending:
            title = _opened_title(pending, section.title)
            if title is not None:
                yield section
                section = _Section(title)
            pending = []
        if block.kind is _Kind.VERSE:
            section.stanzas.append(tuple(typeset(_LINE_NUMBER.sub("", line)) for line in block.lines))
        elif block.kind is _Kind.PROSE:
            section.prose += sum(map(len, block.lines))
    yield section


def _opens_list(block: _Block) -> bool:
    return bool(block.lines) and typeset(block.lines[0]).rstrip(".") in _LISTS


def _opened_title(headings: list[_Block], current: str) -> str | None:
    """Return the title of the section after headings; None if they only number a part of the `current` poem."""
    groups: list[list[_Block]] = []
    for block in headings:
        if not groups or block.gap > 1:
            groups.append([])
        groups[-1].append(block)
    *before, last = groups
    if title := _title(last):
        return title
    if last[0].gap >= _WIDE_GAP:
        return ""
    if before:
        # The first part of a poem, such as "I" below "MAGNITUDO PARVI".
        return _title(before[-1])
    return "" if not current and last[0].gap > 1 else None


def _title(headings: list[_Block]) -> str:
    lines = [typeset(line) for block in headings for line in block.lines]
    return " ".join(
        filter(None, (line[number.end() :] if (number := _NUMERAL.match(line)) else line for line in lines))
    )


def _blocks(text: str) -> Iterator[_Block]:
    gap, former, in_note = 0, _Kind.FURNITURE, False
    for filled, lines in _runs(text):
        if not filled:
            # Furniture keeps the gap before it: the date of a poem may stand directly above the next one.
            gap = max(len(lines), gap if former is _Kind.FURNITURE else 0)
            continue
        kind = _kind(lines)
        in_note = bool(_NOTE.match(lines[0])) or (in_note and gap < 2 and _continues_note(kind, lines))
        if in_note:
            kind = _Kind.FURNITURE
        elif kind is _Kind.VERSE and len(lines) == 1 and former is _Kind.PROSE and gap < 2:
            kind = _Kind.PROSE  # a short paragraph
        yield _Block(gap, kind, tuple(filter(str.strip, (_MARKS.sub("", line) for line in lines))))
        former = kind


def _runs(text: str) -> Iterator[tuple[bool, list[str]]]:
    """Yield runs of empty and of filled lines; headings directly above other lines are a separate run."""
    for filled, group in itertools.groupby(text.split("\n"), key=lambda line: bool(line.strip())):
        lines = list(group)
        heading = list(itertools.takewhile(lambda line: _MARKS.sub("", line).isupper(), lines))
        if 0 < len(heading) < len(lines):
            yield filled, heading
            yield False, [""]
            lines = lines[len(heading) :]
        yield filled, lines


def _continues_note(kind: _Kind, lines: list[str]) -> bool:
    """Return whether a block may be the next paragraph of a note."""
    return kind is _Kind.PROSE or (kind is not _Kind.HEADING and len(lines) == 1)


def _kind(raw_lines: list[str]) -> _Kind:
    """Return the kind of a block, judged by its layout."""
    lines = [line.strip() for line in (_MARKS.sub("", line) for line in raw_lines) if line.strip()]
    whole = " ".join(lines)
    if not any(character.isalpha() for character in whole):
        return _Kind.FURNITURE
    if not any(character.islower() for character in whole):
        return _Kind.HEADING
    if sum(line.isupper() or bool(_PAGE_NUMBER.search(line)) for line in lines) * 2 >= len(lines):
        return _Kind.FURNITURE  # a title page or a table of contents
    if (len(lines) <= 2 and _is_remark("".join(raw_lines).strip())) or _is_motto(raw_lines):
        return _Kind.FURNITURE
    if len(lines) == 1 and _YEAR.search(whole):
        return _Kind.FURNITURE
    lower = sum(_starts_lower(line) for line in lines)
    if lower * 2 >= len(lines) - 1 and lower:
        return _Kind.PROSE
    wide = sum(len(line) >= _LONG_LINE for line in lines)
    return _Kind.PROSE if len(lines) > 2 and wide * 2 >= len(lines) else _Kind.VERSE


def _is_remark(whole: str) -> bool:
    """Return whether a short block is a dedication, a motto or a remark: entirely in italics or in brackets."""
    return re.fullmatch(r"_[^_]*_\.?|\(.*\)|\[.*\]", whole) is not None


def _is_motto(lines: list[str]) -> bool:
    return len(lines) > 1 and all(line.startswith(" " * _MOTTO_INDENT) for line in lines)


def _starts_lower(line: str) -> bool:
    letter = next((character for character in line if character.isalnum()), "")
    return letter.islower() or letter.isdigit()
