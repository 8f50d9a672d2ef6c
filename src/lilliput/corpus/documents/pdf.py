"""The text of PDF files.

A PDF gives the positions of letters on a page, not the structure of the text. So lines stay as typeset. Page numbers
and lines that repeat at the edges of many pages are removed; a word hyphenated at the end of a line is joined if the
whole word occurs elsewhere in the text.
"""

import io
import logging
import re
from collections import Counter
from collections.abc import Sequence

from lilliput.corpus.documents.formats import Extracted, broken, kept
from lilliput.errors import CorpusError, DependencyError
from lilliput.wording import counted

_OCR = "extract its text with OCR (such as ocrmypdf) and give that"
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_UNREADABLE = re.compile("[\ue000-\uf8ff\ufffd]")
_MOST_UNREADABLE = 0.05
_NUMBER = re.compile(r"^\W*(\d{1,5})\b|\b(\d{1,5})\W*$")
_FEWEST = 3  # pages that share a line
_SHARE = 0.05
_MOST_LINES = 3  # at each edge: a title, a number, a line of dashes
_HYPHENATED = re.compile(r"\b(\w+)-\n(\w+)(\S*)[ ]?")
_WORD = re.compile(r"\w+")


def read_pdf(name: str, data: bytes) -> Extracted:
    """Return the text of a PDF file; the errors are those of `documents.extract`."""
    pages = _pages(name, data)
    total = sum(map(len, pages))
    without = sum(not page.strip() for page in pages)
    if without == len(pages):
        raise CorpusError(f"{name} has no text, only pictures of {counted(len(pages), 'page')}: {_OCR}")
    if len(_UNREADABLE.findall("".join(pages))) + len(_CONTROL.findall("".join(pages))) > _MOST_UNREADABLE * total:
        raise CorpusError(f"{name} does not map its fonts to characters: {_OCR}")
    lines, furniture = _without_furniture([_lines(page) for page in pages])
    text = _join_hyphenated(_joined(lines))
    left_out = f"{furniture:,} page numbers and lines at the edges of pages left out"
    if without:
        left_out += f", {without:,} of {counted(len(pages), 'page')} without text"
    return Extracted(text, "PDF", counted(len(pages), "page"), (kept(name, left_out, len(text), total),))


def _pages(name: str, data: bytes) -> list[str]:
    try:
        import pypdf
    except Exception as error:
        raise DependencyError("pypdf", "documents", f"reading {name}", error) from error
    # Without a handler, pypdf logs every repair to standard error.
    if not (logger := logging.getLogger("pypdf")).handlers:
        logger.addHandler(logging.NullHandler())
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        locked = reader.is_encrypted and not reader.decrypt("")
        pages = [] if locked else [page.extract_text() for page in reader.pages]
    except (pypdf.errors.DependencyError, pypdf.errors.FileNotDecryptedError):
        locked = True
    except Exception as error:  # damaged files raise errors of any type
        raise broken(name, ".pdf", str(error)) from error
    if locked:
        raise CorpusError(f"{name} is locked with a password: save a copy without one (qpdf --decrypt IN OUT)")
    if not pages:
        raise broken(name, ".pdf", "it has no pages")
    return pages


def _lines(page: str) -> list[str]:
    page = _CONTROL.sub("", page.translate(_LIGATURES).replace("\xad\n", "").replace("\xad", ""))
    return [line.rstrip() for line in page.strip().split("\n")]


def _without_furniture(pages: Sequence[list[str]]) -> tuple[list[list[str]], int]:
    """Remove first and last lines that many pages share; also return the number of removed lines."""
    pages = [[*page] for page in pages]
    fewest = max(_FEWEST, _SHARE * len(pages))
    taken = 0
    for edge in (0, -1):
        for _ in range(_MOST_LINES):
            keys = {number: _key(page[edge], number) for number, page in enumerate(pages) if page}
            counts = Counter(keys.values())
            repeated = [number for number, key in keys.items() if counts[key] >= fewest]
            for number in repeated:
                del pages[number][edge]
            for page in pages:
                while page and not page[edge].strip():
                    del page[edge]
            taken += len(repeated)
    return pages, taken


def _key(line: str, page: int) -> tuple[str, int | None]:
    """Return a key that repeated lines share: the line, with a number in it taken relative to the page number."""
    line = line.strip()
    number = _NUMBER.search(line)
    if not number:
        return line, None
    return line[: number.start()] + line[number.end() :], int(number[1] or number[2]) - page


def _joined(pages: Sequence[list[str]]) -> str:
    """Join pages; a page that begins in lower case continues the paragraph."""
    text = ""
    for page in pages:
        body = "\n".join(page)
        if text and body:
            text += "\n" if body.lstrip()[:1].islower() else "\n\n"
        text += body
    return re.sub(r"\n{3,}", "\n\n", text)


def _join_hyphenated(text: str) -> str:
    words = set(_WORD.findall(text))
    return _HYPHENATED.sub(lambda m: f"{m[1]}{m[2]}{m[3]}\n" if m[1] + m[2] in words else m[0], text)
