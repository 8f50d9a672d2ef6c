"""The canonical form of a text: LF line ends, NFC, and no frame around the text of the author.

Checksums of corpora are those of this form, so it must not change. White space is kept, except at the ends of a text
taken from a frame. Project Gutenberg's frame has changed over the years: lines with `*** START OF` and `*** END OF`
since about 2001, a "small print" block before. Source: the files themselves, and
https://www.gutenberg.org/policy/license.html. Left out: hyphenation, page numbers, italics in underscores.
"""

import re
import unicodedata
from dataclasses import dataclass

_EBOOK = r"(?:THE |THIS )?PROJECT GUTENBERG"
_TITLE = r"(?:(?:[^*\n]*\n){0,3}?[^*\n]*\*\*\*)?"  # may run over several lines
# "*** START: FULL LICENSE ***" must not match.
FRAME_START = re.compile(rf"^\*\*\* ?START OF {_EBOOK}{_TITLE}[^\n]*\n?", re.MULTILINE | re.IGNORECASE)
FRAME_END = re.compile(rf"^\*\*\* ?END OF {_EBOOK}{_TITLE}[^\n]*", re.MULTILINE | re.IGNORECASE)
_SMALL_PRINT = re.compile(
    r"^\*\*\*START\*\*THE SMALL PRINT!.*?^\*END\*\s?THE SMALL PRINT![^\n]*(?:\n|\Z)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
_OLD_END = re.compile(r"^(?:The )?End of (?:the |this )?Project Gutenberg(?:'s|’s)?\b", re.MULTILINE | re.IGNORECASE)
_CREDITS = re.compile(
    r"\s*(?:Produced by|E-?text prepared by|This e-?(?:text|book) was (?:prepared|produced)|Transcribed from)\b"
    r".*?(?:\n[ \t]*\n|\Z)",
    re.DOTALL | re.IGNORECASE,
)
# This notice follows every play of Project Gutenberg's Complete Works of 1990.
_NOTICE = re.compile(r"[ \t]*<<THIS ELECTRONIC VERSION OF THE COMPLETE WORKS[^<>]*>>[ \t]*\n?")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text in canonical form, the characters of the removed frame, and the number of replaced lone surrogates."""

    text: str
    frame: int = 0
    replaced: int = 0


def clean(text: str) -> Cleaned:
    """Convert a decoded text to the canonical form, and remove its frame."""
    replaced = len(_LONE_SURROGATE.findall(text))
    text = canonical(text)
    body = without_frame(text)
    return Cleaned(body, len(text) - len(body), replaced)


def canonical(text: str) -> str:
    """Return a text, or a piece of one, in the canonical form, still with its frame."""
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    # JSON can contain lone surrogates, which no encoding can write.
    text = _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def without_frame(text: str) -> str:
    """Remove Project Gutenberg's frame; a text without a frame is returned unchanged.

    The bodies of several books are joined. The result has no blank lines at its ends, and ends in LF.
    """
    text = _NOTICE.sub("", text)
    bodies = []
    position = 0
    while start := FRAME_START.search(text, position):
        end = FRAME_END.search(text, start.end())
        position = end.end() if end else len(text)
        bodies.append(_without_credits(_without_small_print(text[start.end() : end.start() if end else len(text)])))
    if bodies:
        return "\n\n".join(body for body in bodies if body)
    end = FRAME_END.search(text)
    inside = _without_small_print(text[: end.start()] if end else text)
    return text if inside is text else _without_credits(inside)


def _without_small_print(text: str) -> str:
    for block in reversed(list(_SMALL_PRINT.finditer(text))):
        before, after = text[: block.start()], text[block.end() :]
        text = after if len(before) < len(after) else before
    return text


def _without_credits(body: str) -> str:
    if credits := _CREDITS.match(body):
        body = body[credits.end() :]
    ends = list(_OLD_END.finditer(body))
    # Only the last lines can be a frame: a text about the project may contain this phrase in the middle.
    if ends and body.count("\n", ends[-1].start()) <= max(12, body.count("\n") // 20):
        body = body[: ends[-1].start()]
    lines = body.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    body = "\n".join(lines[first:]).rstrip()
    return body + "\n" if body else ""
