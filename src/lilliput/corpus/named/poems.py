"""From a cleaned book of verse to its poems: titles, verses and stanzas, without the book around them.

A book of Project Gutenberg says by its layout alone what is verse. Its text is taken apart at empty lines, and every
piece is told by how it looks: prose is wrapped, so its lines go on in lower case; verses begin with capitals; headings
have no lower case at all; the lines of a table of contents end in page numbers. A title opens a poem, and so does a
bare number behind a wide gap; other bare numbers count the parts of one poem. What stands under a heading is a poem if
verse outweighs prose, so prefaces, notes and bibliographies go, whatever they quote. So do the dates under poems.

The typography is made one, since books differ in it (`typeset`). Source: the layout was read off the books that
`catalogue` names. Left out: titles in lower case, verses without capitals, and poems of fewer than four verses.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from lilliput.corpus.document import Document

FEWEST_VERSES = 4
MOST_ALREADY_TAKEN = 0.4
"""A poem of which a greater share of the verses was already taken stands in two books and is left out."""
_WIDE_GAP = 4
_MOTTO_INDENT = 20
_LONG_LINE = 66
"""No verse of twelve syllables is so wide; wrapped prose is."""

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
    """Hold the lines between two empty lines, and how many empty lines stand before them."""

    gap: int
    kind: _Kind
    lines: tuple[str, ...]


@dataclass(slots=True)
class _Section:
    """Gather what stands under one heading: a poem, if verse outweighs prose."""

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
    """Return the poems of cleaned books in their order, each as a document that ends in LF.

    A poem that stands in two books is taken from the first.
    """
    poems: list[Document] = []
    taken: set[str] = set()
    for book in books:
        for number, section in enumerate(filter(lambda section: section.is_poem, _sections(book.text)), start=1):
            marks = [_mark(verse) for verse in section.verses]
            if sum(mark in taken for mark in marks) <= MOST_ALREADY_TAKEN * len(marks):
                poems.append(Document(f"{book.name}:{number}", section.text))
            taken.update(marks)
    return poems


def typeset(line: str) -> str:
    """Return a line in one typography.

    That is NFC, single blanks and none around the line, ', -- and ..., oe and ae, and no blank before ; : ! ? or inside
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


def _mark(verse: str) -> str:
    """Return what two editions of a verse have in common: its letters without accents."""
    letters = unicodedata.normalize("NFD", verse.casefold())
    return "".join(letter for letter in letters if letter.isalpha())


def _sections(text: str) -> Iterator[_Section]:
    section = _Section("")
    pending: list[_Block] = []
    listing = False
    for block in _blocks(text):
        # A list of contents may have headings; only a wide gap ends it.
        listing = (listing and block.gap < _WIDE_GAP) or _opens_list(block)
        if listing:
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
    """Return the title that headings give to what follows; None if they only count a part of the `current` poem."""
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
        # The first part of a poem: "MAGNITUDO PARVI", and below it "I".
        return _title(before[-1])
    return "" if not current and last[0].gap > 1 else None


def _title(headings: list[_Block]) -> str:
    lines = [typeset(line) for block in headings for line in block.lines]
    return " ".join(
        filter(None, (line[number.end() :] if (number := _NUMERAL.match(line)) else line for line in lines))
    )


def _blocks(text: str) -> Iterator[_Block]:
    gap, former, in_note = 0, _Kind.FURNITURE, False
    for filled, given in _runs(text):
        if not filled:
            # What is left out leaves its gap: a date may have slipped from under a poem to above the next.
            gap = max(len(given), gap if former is _Kind.FURNITURE else 0)
            continue
        kind = _kind(given)
        in_note = bool(_NOTE.match(given[0])) or (in_note and gap < 2 and _goes_on(kind, given))
        if in_note:
            kind = _Kind.FURNITURE
        elif kind is _Kind.VERSE and len(given) == 1 and former is _Kind.PROSE and gap < 2:
            kind = _Kind.PROSE  # a short paragraph
        yield _Block(gap, kind, tuple(filter(str.strip, (_MARKS.sub("", line) for line in given))))
        former = kind


def _runs(text: str) -> Iterator[tuple[bool, list[str]]]:
    """Yield the runs of empty and of filled lines; headings that stand right above other lines are a run apart."""
    for filled, lines in itertools.groupby(text.split("\n"), key=lambda line: bool(line.strip())):
        given = list(lines)
        heading = list(itertools.takewhile(lambda line: _MARKS.sub("", line).isupper(), given))
        if 0 < len(heading) < len(given):
            yield filled, heading
            yield False, [""]
            given = given[len(heading) :]
        yield filled, given


def _goes_on(kind: _Kind, lines: list[str]) -> bool:
    """Tell whether a block may be the next paragraph of a note."""
    return kind is _Kind.PROSE or (kind is not _Kind.HEADING and len(lines) == 1)


def _kind(given: list[str]) -> _Kind:
    """Return the kind of a block, by how it looks."""
    lines = [line.strip() for line in (_MARKS.sub("", line) for line in given) if line.strip()]
    whole = " ".join(lines)
    if not any(character.isalpha() for character in whole):
        return _Kind.FURNITURE
    if not any(character.islower() for character in whole):
        return _Kind.HEADING
    if sum(line.isupper() or bool(_PAGE_NUMBER.search(line)) for line in lines) * 2 >= len(lines):
        return _Kind.FURNITURE  # a title page, a list of contents
    if (len(lines) <= 2 and _is_apart("".join(given).strip())) or _is_motto(given):
        return _Kind.FURNITURE
    if len(lines) == 1 and _YEAR.search(whole):
        return _Kind.FURNITURE
    lower = sum(_starts_lower(line) for line in lines)
    if lower * 2 >= len(lines) - 1 and lower:
        return _Kind.PROSE
    wide = sum(len(line) >= _LONG_LINE for line in lines)
    return _Kind.PROSE if len(lines) > 2 and wide * 2 >= len(lines) else _Kind.VERSE


def _is_apart(whole: str) -> bool:
    """Tell whether a short block is a dedication, a motto or a remark: wholly in italics or in brackets."""
    return re.fullmatch(r"_[^_]*_\.?|\(.*\)|\[.*\]", whole) is not None


def _is_motto(lines: list[str]) -> bool:
    return len(lines) > 1 and all(line.startswith(" " * _MOTTO_INDENT) for line in lines)


def _starts_lower(line: str) -> bool:
    letter = next((character for character in line if character.isalnum()), "")
    return letter.islower() or letter.isdigit()
