"""A text of any size in the canonical form: piece by piece, with a few megabytes in memory.

The pieces are together what `cleaning.clean` makes of the whole text. A cut between a visible character and a space or
a line end changes nothing: neither composes with what stands before it. Project Gutenberg's frames are taken off if one
begins in the first megabytes, book by book.
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
"""Characters of a piece, and bytes that are read at once. Larger ones leave larger holes in the memory."""
_FRAME_LINES = 4096  # characters that the line of a frame, which may be several, does not exceed


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
        # A text that cannot be cut is looked through again only when it has doubled.
        enough = 1 + (2 * length if length > size else size)
    if length:
        yield "".join(waiting)


def until(chunks: Iterator[Chunk], size: float) -> Iterator[Chunk]:
    """Yield chunks until they are together longer than `size`; the others stay in the iterator."""
    done = 0
    while done <= size and (chunk := next(chunks, None)) is not None:
        done += len(chunk)
        yield chunk


def drained(head: list[Chunk], rest: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yield the chunks of a list, which is emptied on the way, and then the rest."""
    head.reverse()
    while head:
        yield head.pop()
    yield from rest


def canonical_stream(texts: Iterable[str], head_size: float, frames: list[int]) -> Iterator[str]:
    """Yield a document, which holds no halves of surrogate pairs, in the canonical form and out of its frames.

    Frames are looked for if one begins in the first `head_size` characters. How many characters they had together is
    appended to `frames`.
    """
    pieces = (unicodedata.normalize("NFC", piece) for piece in cut_stream(_line_feeds(texts)))
    head = list(until(pieces, head_size))
    framed = FRAME_START.search("".join(head))
    whole = drained(head, pieces)
    return _without_frames(whole, frames) if framed else whole


def _line_feeds(texts: Iterable[str]) -> Iterator[str]:
    """Turn all line ends into LF and take byte-order marks off the beginning."""
    began, held = False, ""
    for part in texts:
        text = held + part
        held = "\r" if text.endswith("\r") else ""  # the next text may begin with the other half of the pair
        text = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n")
        if not began:
            text = text.lstrip("\ufeff")
            began = bool(text)
        yield text
    yield held.replace("\r", "\n")


def _without_frames(pieces: Iterable[str], frames: list[int]) -> Iterator[str]:
    """Take every book out of its frame; one book at a time is in memory."""
    text, given, kept = "", 0, 0
    for piece in chain(pieces, [""]):
        text += piece
        given += len(piece)
        while book := _first_book(text, final=not piece):
            body = without_frame(text[book])
            text = text[book.stop :]
            if body:
                body = JOINT + body if kept else body
                kept += len(body)
                yield body
        if not FRAME_START.search(text):
            text = text[text.rfind("\n", 0, max(0, len(text) - _FRAME_LINES)) + 1 :]
    frames.append(given - kept)


def _first_book(text: str, final: bool) -> slice | None:
    """Find the first book with its frame; one whose end might go on behind the text counts only if that is final."""
    start = FRAME_START.search(text)
    if start is None:
        return None
    end = FRAME_END.search(text, start.end())
    if end and (final or end.end() + _FRAME_LINES < len(text)):
        return slice(start.start(), end.end())
    return slice(start.start(), len(text)) if final else None
