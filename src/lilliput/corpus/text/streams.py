"""Convert a text of any size to the canonical form, piece by piece, with a few megabytes in memory.

Joined, the pieces are the result of `cleaning.clean` for the whole text. Cutting between a visible character and a
space or line end is safe, since neither composes with the character before it. Project Gutenberg's frames are removed
book by book, if one begins in the first megabytes.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TypeVar

from lilliput.corpus.document import JOINT
from lilliput.corpus.text.cleaning import FRAME_END, FRAME_START, without_frame
from lilliput.segments import SAFE_CUT

Chunk = TypeVar("Chunk", str, bytes)

PIECE = 1 << 18
"""Characters of a piece, and bytes read at once. Larger pieces fragment the memory more."""
_FRAME_LINES = 4096  # more characters than the first or last lines of a frame have


def cut_stream(fragments: Iterable[str], size: int = PIECE) -> Iterator[str]:
    """Yield a stream in pieces of about `size` characters; a text without spaces and line ends is one piece."""
    waiting: list[str] = []
    length, enough = 0, size + 1
    for fragment in chain(fragments, [None]):
        waiting.append(fragment or "")
        length += len(waiting[-1])
        if length < enough and fragment is not None:
            continue
        text = "".join(waiting)
        start = 0
        while cut := SAFE_CUT.search(text, start + size):
            yield text[start : cut.end()]
            start = cut.end()
        waiting, length = [text[start:]], len(text) - start
        # A text that cannot be cut is searched again only after doubling in size.
        enough = 1 + (2 * length if length > size else size)
    if length:
        yield "".join(waiting)


def until(chunks: Iterator[Chunk], size: float) -> Iterator[Chunk]:
    """Yield chunks until their total size exceeds `size`; the others stay in the iterator."""
    done = 0
    while done <= size and (chunk := next(chunks, None)) is not None:
        done += len(chunk)
        yield chunk


def drained(head: list[Chunk], rest: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yield the chunks of a list, which is emptied to save memory, and then the rest."""
    head.reverse()
    while head:
        yield head.pop()
    yield from rest


def canonical_stream(texts: Iterable[str], head_size: float, frames: list[int]) -> Iterator[str]:
    """Yield a document without lone surrogates in the canonical form, and remove its frames.

    Frames are removed if one begins in the first `head_size` characters; their total characters are appended to
    `frames`.
    """
    pieces = (unicodedata.normalize("NFC", piece) for piece in cut_stream(_line_feeds(texts)))
    head = list(until(pieces, head_size))
    framed = FRAME_START.search("".join(head))
    whole = drained(head, pieces)
    return _without_frames(whole, frames) if framed else whole


def _line_feeds(texts: Iterable[str]) -> Iterator[str]:
    """Convert all line ends to LF, and remove byte-order marks at the start."""
    began, held = False, ""
    for part in texts:
        text = held + part
        held = "\r" if text.endswith("\r") else ""  # the next text may begin with LF
        text = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n")
        if not began:
            text = text.lstrip("\ufeff")
            began = bool(text)
        yield text
    yield held.replace("\r", "\n")


def _without_frames(pieces: Iterable[str], frames: list[int]) -> Iterator[str]:
    """Remove the frame of every book, with one book at a time in memory."""
    text, total, kept = "", 0, 0
    for piece in chain(pieces, [""]):
        text += piece
        total += len(piece)
        while book := _first_book(text, final=not piece):
            body = without_frame(text[book])
            text = text[book.stop :]
            if body:
                body = JOINT + body if kept else body
                kept += len(body)
                yield body
        if not FRAME_START.search(text):
            text = text[text.rfind("\n", 0, max(0, len(text) - _FRAME_LINES)) + 1 :]
    frames.append(total - kept)


def _first_book(text: str, final: bool) -> slice | None:
    """Find the first book with its frame; one that may continue after the text counts only if the text is `final`."""
    start = FRAME_START.search(text)
    if start is None:
        return None
    end = FRAME_END.search(text, start.end())
    if end and (final or end.end() + _FRAME_LINES < len(text)):
        return slice(start.start(), end.end())
    return slice(start.start(), len(text)) if final else None
