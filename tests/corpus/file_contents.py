"""The documents in the bytes of a file, as its reader finds them."""

import io
from itertools import groupby
from math import inf
from operator import itemgetter

import pytest

from lilliput.corpus.files import contents, large_texts
from lilliput.corpus.files.contents import FileReader
from lilliput.corpus.files.report import ReadingReport
from lilliput.corpus.settings import AUTOMATIC
from lilliput.corpus.text.streams import cut_stream


def read(name: str, data: bytes, whole: float = inf) -> tuple[list[tuple[str, str]], ReadingReport]:
    """Return names and texts of the documents in a file that is given alone, and how it was read."""
    report = ReadingReport()
    fragments = FileReader(AUTOMATIC, report, alone=True, whole=whole).fragments(io.BytesIO(data), name, "")
    documents = groupby(fragments, itemgetter(0))
    return [(origin.name, "".join(text for _, text in parts)) for origin, parts in documents], report


def texts(name: str, data: bytes) -> list[str]:
    """Return the texts of the documents in a file."""
    return [text for _, text in read(name, data)[0]]


def notes(name: str, data: bytes) -> tuple[str, ...]:
    """Return the notes on a file with one file in it."""
    (file,) = read(name, data)[1].files
    return file.notes


def make_small(patch: pytest.MonkeyPatch, whole: int, piece: int) -> None:
    """Let a large text be read whole up to so many bytes of a file, and else in pieces of so many."""
    patch.setattr(large_texts, "WHOLE", whole)
    for module in (contents, large_texts):
        patch.setattr(module, "PIECE", piece)
    patch.setattr(cut_stream, "__defaults__", (piece,))
