"""The text of HTML pages, of the chapters of an .epub and of FictionBook files (.fb2).

Scripts, styles, menus, footers, the choices of forms and links to and from notes are skipped; if a page marks its main
part, so is all the rest. Uses the parser of the standard library: one that builds a tree takes ten times the memory,
and only the starts and ends of elements are needed. Left out: style sheets, so that hidden text is kept.
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
_HEADING_LINKS = ("#", "¶", "§")
_NOTE_KINDS = frozenset(("noteref", "doc-noteref", "backlink", "doc-backlink"))
_NOTE_TARGET = re.compile(r"#(?:footnote-|endnote-|_ftn|_edn|cite_note|cite_ref|fn(?:ref)?:?\d)")
_DECLARED = re.compile(
    rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]+encoding\s*=\s*["']([\w.:-]+)""", re.IGNORECASE
)
_DECLARED_WITHIN = 4096
# As in browsers: texts declared with these names are often in the wider encodings.
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
    """The text of a page, the number of tags left out, and the decoded source."""

    text: str
    tags: int
    decoded: Decoded


def read_page(data: bytes, name: str, encoding: str | None = None) -> Page:
    """Return the text of a page; `encoding` overrides the declared and the detected one.

    Raises CorpusError if the bytes are not text.
    """
    decoded = decode(data, name, encoding or _declared(data))
    parser = _Parser()
    parser.feed(decoded.text.replace("\r\n", "\n").replace("\r", "\n"))
    parser.close()
    return Page(parser.text(), parser.tags, decoded)


def text_of_markup(markup: str) -> str:
    """Return the text of generated HTML."""
    parser = _Parser()
    parser.feed(markup)
    parser.close()
    return parser.text()


def _declared(data: bytes) -> str | None:
    """Return the encoding that a page declares, unless its bytes contradict it or are UTF-8."""
    declared = _DECLARED.search(data[:_DECLARED_WITHIN])
    if not declared:
        return None
    try:
        codec = codecs.lookup((declared[1] or declared[2]).decode("ascii")).name
        codec = _WIDER.get(codec, codec)
        if codec != "iso2022_jp":  # it looks like ASCII
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
    """Collect the text of a page, and the text of its main part separately."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags = 0
        self._main, self._rest = Flow(), Flow()
        self._flow = self._rest
        self._skipping = _Element()
        self._in_main = _Element()
        self._kept_blanks = 0
        self._in_local_link = False

    def text(self) -> str:
        return self._main.text() or self._rest.text()

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        self.tags += 1
        if self._skipping.inside(tag, +1):
            return
        attributes = {name: value or "" for name, value in attrs}
        if _SKIPPED.fullmatch(tag) or (tag == "a" and _is_note_link(attributes)):
            self._skipping.enter(tag)
            return
        if not self._in_main.inside(tag, +1) and (tag == "main" or attributes.get("role") == "main"):
            self._in_main.enter(tag)
            self._flow = self._main
        if tag == "a":
            self._in_local_link = attributes.get("href", "").startswith("#")
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
            self._in_local_link = False
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
        # Skip the symbol with which a heading links to itself.
        if not (self._skipping.depth or (self._in_local_link and data.strip() in _HEADING_LINKS)):
            self._flow.write(data, keep_blanks=self._kept_blanks > 0)

    def _break(self, tag: str) -> None:
        if _PARAGRAPHS.fullmatch(tag):
            self._flow.paragraph()
        elif _LINES.fullmatch(tag):
            self._flow.line()


class _Element:
    """Find the end of an element by counting tags of its kind inside it."""

    def __init__(self) -> None:
        self._tag = ""
        self.depth = 0

    def enter(self, tag: str) -> None:
        self._tag, self.depth = tag, 1

    def inside(self, tag: str, step: int) -> bool:
        """Count a tag that opens (+1) or closes (-1); return whether it is inside, or the end."""
        was_inside = self.depth > 0
        if was_inside and tag == self._tag:
            self.depth += step
        elif was_inside and step < 0 and (tag in ("body", "html") or (tag == "ruby" and self._tag in ("rt", "rp"))):
            self.depth = 0  # the end tag is missing, by mistake or as HTML allows
        return was_inside


def _is_note_link(attributes: dict[str, str]) -> bool:
    kinds = f"{attributes.get('epub:type', '')} {attributes.get('role', '')}".split()
    return not _NOTE_KINDS.isdisjoint(kinds) or bool(_NOTE_TARGET.match(attributes.get("href", "")))
