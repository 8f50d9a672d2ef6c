"""Divide a corpus into a training and a validation text that share nothing.

By position the validation text is the end of the corpus: the honest choice for one long text, whose neighbouring lines
resemble one another. By document whole documents are held out at even distances: the choice for many short ones.
Left out: random splits, which put neighbours of every validation line into the training text.
"""

import itertools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from lilliput.corpus.document import JOINT, Corpus, Document
from lilliput.errors import CorpusError
from lilliput.settings import Settings

_ZERO_WIDTH_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)


class SplitSettings(Settings):
    """Say how the validation text is chosen: the last part of the text, or every n-th document."""

    by: Literal["position", "document"] = "position"
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1


@dataclass(frozen=True, slots=True)
class Split:
    """Hold the two texts; no character of the corpus is in both."""

    training: str
    validation: str


def split(corpus: Corpus, settings: SplitSettings, validation: Corpus | None = None) -> Split:
    """Divide a corpus; a validation corpus of one's own takes the place of the division.

    Raises CorpusError if no training text or no validation text would be left.
    """
    if validation is not None:
        result = Split(corpus.text, validation.text)
    elif settings.by == "document":
        result = _by_document(corpus, settings.fraction)
    else:
        cut = _cut(corpus.text, settings.fraction)
        result = Split(corpus.text[:cut], corpus.text[cut:])
    for part, text in (("training", result.training), ("validation", result.validation)):
        if not text.strip():
            raise CorpusError(
                f"the split of {corpus.name} ({corpus.characters:,} characters, fraction {settings.fraction:g}) leaves "
                f"no {part} text: give a longer text, another fraction, or a validation file"
            )
    return result


def _by_document(corpus: Corpus, fraction: float) -> Split:
    count = len(corpus.documents)
    if count < 2:
        raise CorpusError(f"{corpus.name} is one document and cannot be split by document: split it by position")
    # The small term undoes rounding: a tenth of ten documents is one, and not nearly one.
    held = [math.floor((index + 1) * fraction + 1e-9) > math.floor(index * fraction + 1e-9) for index in range(count)]
    if not any(held):
        held[-1] = True
    if all(held):
        held[0] = False
    return Split(_joined(corpus.documents, held, False), _joined(corpus.documents, held, True))


def _joined(documents: Sequence[Document], held: Sequence[bool], wanted: bool) -> str:
    return JOINT.join(document.text for document, out in zip(documents, held, strict=True) if out == wanted)


def _cut(text: str, fraction: float) -> int:
    """Return where the validation text begins: at a paragraph or line near the mark, else between two graphemes."""
    mark = int(len(text) * (1 - fraction))
    smaller = min(mark, len(text) - mark)
    reach = min(smaller // 2, max(80, smaller // 50))
    for boundary in ("\n\n", "\n"):
        if starts := _starts(text, boundary, mark - reach, mark + reach):
            nearest = min(starts, key=lambda start: abs(start - mark))
            if text[:nearest].strip() and text[nearest:].strip():
                return nearest
    return _between_graphemes(text, mark)


def _starts(text: str, boundary: str, low: int, high: int) -> list[int]:
    """Return the positions right after every boundary, from low to high inclusive."""
    starts = []
    found = text.find(boundary, max(0, low - len(boundary)), high)
    while found >= 0:
        start = found + len(boundary)
        while start < len(text) and text[start] == "\n":  # blank lines belong to what stands before them
            start += 1
        if low <= start <= high and (start == len(text) or not _joins(text[start - 1], text[start])):
            starts.append(start)
        found = text.find(boundary, start, high)
    return starts


def _between_graphemes(text: str, mark: int) -> int:
    for cut in itertools.chain(range(mark, len(text)), range(mark - 1, 0, -1)):
        if cut > 0 and not _joins(text[cut - 1], text[cut]):
            return cut
    return mark


def _joins(before: str, after: str) -> bool:
    """Tell whether a cut between two characters would break a line end, an accent or an emoji."""
    return (
        before + after == "\r\n"
        or unicodedata.category(after).startswith("M")
        or _ZERO_WIDTH_JOINER in (before, after)
        or ord(after) in _SKIN_TONES
    )
