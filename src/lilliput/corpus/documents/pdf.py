"""The text of PDF files.

A PDF says where letters stand on a page, not what belongs together. So lines stay as they were set. Left out are page
numbers and the lines that come again at the edge of many pages; words parted at the end of a line are put together
where the same text has the whole word elsewhere.
"""

import io
import logging
import re
from collections import Counter
from collections.abc import Sequence

from lilliput.corpus.documents.formats import Extracted, broken, kept
from lilliput.errors import CorpusError, DependencyError
from lilliput.wording import counted

_OCR = "read it with OCR (such as ocrmypdf) and give what comes out"
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_UNREADABLE = re.compile("[\ue000-\uf8ff\ufffd]")
_MOST_UNREADABLE = 0.05
_NUMBER = re.compile(r"^\W*(\d{1,5})\b|\b(\d{1,5})\W*$")
_FEWEST = 3  # pages on which a line has to come again
_SHARE = 0.05
_MOST_LINES = 3  # at each edge: a title, a number, a line of dashes
_PARTED = re.compile(r"\b(\w+)-\n(\w+)(\S*)[ ]?")
_WORD = re.compile(r"\w+")


def read_pdf(name: str, data: bytes) -> Extracted:
    """Return the text of a PDF file; the errors are those of `documents.extract`."""
    pages = _pages(name, data)
    total = sum(map(len, pages))
    without = sum(not page.strip() for page in pages)
    if without == len(pages):
        raise CorpusError(f"{name} has no text, only pictures of {counted(len(pages), 'page')}: {_OCR}")
    if len(_UNREADABLE.findall("".join(pages))) + len(_CONTROL.findall("".join(pages))) > _MOST_UNREADABLE * total:
        raise CorpusError(f"{name} does not say which letters its fonts draw: {_OCR}")
    lines, furniture = _without_furniture([_lines(page) for page in pages])
    text = _put_together(_joined(lines))
    left_out = f"{furniture:,} page numbers and lines at the edges of pages left out"
    if without:
        left_out += f", {without:,} of {counted(len(pages), 'page')} without text"
    return Extracted(text, "PDF", counted(len(pages), "page"), (kept(name, left_out, len(text), total),))


def _pages(name: str, data: bytes) -> list[str]:
    try:
        import pypdf
    except Exception as error:
        raise DependencyError("pypdf", "documents", f"reading {name}", error) from error
    # It tells of everything that it mended, on standard error if nobody listens.
    if not (logger := logging.getLogger("pypdf")).handlers:
        logger.addHandler(logging.NullHandler())
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        locked = reader.is_encrypted and not reader.decrypt("")
        pages = [] if locked else [page.extract_text() for page in reader.pages]
    except (pypdf.errors.DependencyError, pypdf.errors.FileNotDecryptedError):
        locked = True
    except Exception as error:  # a damaged file ends in errors of any kind
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
    """Take off the first and the last line of pages while many pages have the same; return how many that were."""
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
    """Return what is the same for a line at the edge of many pages; a number in it counts pages, or is a part of it."""
    line = line.strip()
    number = _NUMBER.search(line)
    if not number:
        return line, None
    return line[: number.start()] + line[number.end() :], int(number[1] or number[2]) - page


def _joined(pages: Sequence[list[str]]) -> str:
    """Put pages together; where one goes on in lower case, the paragraph does not end."""
    text = ""
    for page in pages:
        body = "\n".join(page)
        if text and body:
            text += "\n" if body.lstrip()[:1].islower() else "\n\n"
        text += body
    return re.sub(r"\n{3,}", "\n\n", text)


def _put_together(text: str) -> str:
    words = set(_WORD.findall(text))
    return _PARTED.sub(lambda m: f"{m[1]}{m[2]}{m[3]}\n" if m[1] + m[2] in words else m[0], text)
