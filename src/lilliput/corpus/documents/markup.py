"""The text of HTML pages, of the chapters of an .epub and of FictionBook files (.fb2).

Left out are scripts, styles, menus, footers, forms' choices, and the marks that lead to and from notes; of a page that
says where its main part is, all but that part. Standard library's parser, since one that builds a tree takes ten times
the memory, and where elements begin and end is all that is asked. Left out here: what a style sheet hides.
"""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser

from lilliput.corpus.documents.flow import Flow
from lilliput.corpus.text.byte_decoding import Decoded, decode

_SKIPPED = re.compile(
    "script|style|template|title|nav|footer|select|textarea|button|iframe|object|canvas|audio|video|svg|rt|rp"
    "|binary|description"  # of .fb2
)
_PARAGRAPHS = re.compile(
    "p|h[1-6]|blockquote|pre|ul|ol|dl|hr|section|article|aside|main|header|figure|form|body"
    "|stanza|poem|epigraph|cite|subtitle"
)
_LINES = re.compile("div|li|dt|dd|address|figcaption|caption|summary|details|fieldset|legend|center|v|text-author")
_CELLS = ("td", "th")
_SIGNS = ("#", "¶", "§")
_NOTE_KINDS = frozenset(("noteref", "doc-noteref", "backlink", "doc-backlink"))
_NOTE_TARGET = re.compile(r"#(?:footnote-|endnote-|_ftn|_edn|cite_note|cite_ref|fn(?:ref)?:?\d)")
_DECLARED = re.compile(
    rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]+encoding\s*=\s*["']([\w.:-]+)""", re.IGNORECASE
)
_DECLARED_WITHIN = 4096
# As browsers do: these names are given to texts in the wider encodings.
_WIDER = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-9": "cp1254",
}


@dataclass(frozen=True, slots=True)
class Page:
    """Hold the text of a page, how many tags were left out, and how it was decoded."""

    text: str
    tags: int
    decoded: Decoded


def read_page(data: bytes, name: str, encoding: str | None = None) -> Page:
    """Return the text of a page; `encoding` is the one that the user names, if any.

    Raises CorpusError if the bytes are no text.
    """
    decoded = decode(data, name, encoding or _declared(data))
    parser = _Parser()
    parser.feed(decoded.text.replace("\r\n", "\n").replace("\r", "\n"))
    parser.close()
    return Page(parser.text(), parser.tags, decoded)


def text_of_markup(markup: str) -> str:
    """Return the text of HTML that was made by a program."""
    parser = _Parser()
    parser.feed(markup)
    parser.close()
    return parser.text()


def _declared(data: bytes) -> str | None:
    """Return the encoding that a page says it is in, if the bytes do not say otherwise."""
    declared = _DECLARED.search(data[:_DECLARED_WITHIN])
    if not declared:
        return None
    try:
        codec = codecs.lookup((declared[1] or declared[2]).decode("ascii")).name
        codec = _WIDER.get(codec, codec)
        if codec != "iso2022_jp":  # which looks like ASCII
            try:
                data.decode("utf-8")
                return None
            except UnicodeDecodeError:
                pass
        data.decode(codec)
    except (LookupError, ValueError):
        return None
    return None if codec.startswith("utf") else codec


class _Parser(HTMLParser):
    """Collect the text of a page, and separately the text of its main part."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags = 0
        self._main, self._rest = Flow(), Flow()
        self._flow = self._rest
        self._skipping = _Element()
        self._in_main = _Element()
        self._kept_blanks = 0
        self._leads_within_page = False

    def text(self) -> str:
        return self._main.text() or self._rest.text()

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        self.tags += 1
        if self._skipping.inside(tag, +1):
            return
        attributes = {name: value or "" for name, value in attrs}
        if _SKIPPED.fullmatch(tag) or (tag == "a" and _leads_to_note(attributes)):
            self._skipping.enter(tag)
            return
        if not self._in_main.inside(tag, +1) and (tag == "main" or attributes.get("role") == "main"):
            self._in_main.enter(tag)
            self._flow = self._main
        if tag == "a":
            self._leads_within_page = attributes.get("href", "").startswith("#")
        elif tag == "pre":
            self._kept_blanks += 1
        if tag == "br":
            self._flow.line_end()
        elif tag == "table":
            self._flow.table()
        elif tag == "tr":
            self._flow.row()
        elif tag in _CELLS:
            self._flow.cell()
        else:
            self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        self.tags += 1
        if self._skipping.inside(tag, -1):
            return
        if tag == "a":
            self._leads_within_page = False
        elif tag == "pre":
            self._kept_blanks = max(0, self._kept_blanks - 1)
        if tag in _CELLS:
            self._flow.cell_end()
        elif tag == "table":
            self._flow.table_end()
        else:
            self._break(tag)
        if self._in_main.inside(tag, -1) and not self._in_main.depth:
            self._main.paragraph()
            self._flow = self._rest

    def handle_data(self, data: str) -> None:
        # A heading's sign for a link to itself is no part of it.
        if not (self._skipping.depth or (self._leads_within_page and data.strip() in _SIGNS)):
            self._flow.write(data, keep_blanks=self._kept_blanks > 0)

    def _break(self, tag: str) -> None:
        if _PARAGRAPHS.fullmatch(tag):
            self._flow.paragraph()
        elif _LINES.fullmatch(tag):
            self._flow.line()


class _Element:
    """An element whose end is waited for, told by how often its tag was opened inside."""

    def __init__(self) -> None:
        self._tag = ""
        self.depth = 0

    def enter(self, tag: str) -> None:
        self._tag, self.depth = tag, 1

    def inside(self, tag: str, step: int) -> bool:
        """Count a tag that opens (+1) or closes (-1); tell whether it stood inside, or was the end."""
        was = self.depth > 0
        if was and tag == self._tag:
            self.depth += step
        elif was and step < 0 and (tag in ("body", "html") or (tag == "ruby" and self._tag in ("rt", "rp"))):
            self.depth = 0  # the end that was waited for was forgotten, or left out as HTML allows
        return was


def _leads_to_note(attributes: dict[str, str]) -> bool:
    kinds = f"{attributes.get('epub:type', '')} {attributes.get('role', '')}".split()
    return not _NOTE_KINDS.isdisjoint(kinds) or bool(_NOTE_TARGET.match(attributes.get("href", "")))
