"""Divide a corpus into a training and a validation text that share nothing.

By position the validation text is the end of the corpus: the honest choice for one long text, whose neighbouring lines
resemble one another. In pieces the text is divided into equal stretches, and the end of each is held out: the choice
for a text whose end is unlike the rest. By document whole documents are held out at even distances: the choice for many
short ones. Left out: random splits, which put neighbours of every validation line into the training text.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Annotated, Literal

from pydantic import Field

from lilliput.corpus.document import JOINT, Corpus, Document
from lilliput.errors import CorpusError
from lilliput.settings import Settings

_ZERO_WIDTH_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
PIECES, LEAST_PIECE = 20, 500
"""Pieces that are held out at most, and the characters that each of them, and of what lies between them, has at least:
many, so that they stand for all of the text, and long, since little is known at the beginning of each."""
_LINES: tuple[str, ...] = ("\n\n", "\n")


class SplitSettings(Settings):
    """Say how the validation text is chosen: the last part of the text, pieces of it, or every n-th document."""

    by: Literal["position", "pieces", "document"] = "position"
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1


@dataclass(frozen=True, slots=True)
class Split:
    """Hold the two texts, each in segments that did not follow one another; no character of the corpus is in both."""

    training_segments: tuple[str, ...]
    validation_segments: tuple[str, ...]

    @property
    def training(self) -> str:
        """Return the segments to learn from, joined."""
        return "".join(self.training_segments)

    @property
    def validation(self) -> str:
        """Return the segments that are held out, joined."""
        return "".join(self.validation_segments)


def split(corpus: Corpus, settings: SplitSettings, validation: Corpus | None = None) -> Split:
    """Divide a corpus; a validation corpus of one's own takes the place of the division.

    Raises CorpusError if no training text or no validation text would be left.
    """
    if validation is not None:
        result = Split((corpus.text,), (validation.text,))
    elif settings.by == "document":
        result = _by_document(corpus, settings.fraction)
    else:
        result = _by_position(corpus.text, settings)
    for part, text in (("training", result.training), ("validation", result.validation)):
        if not text.strip():
            raise CorpusError(
                f"the split of {corpus.name} ({corpus.characters:,} characters, fraction {settings.fraction:g}) leaves "
                f"no {part} text: give a longer text, another fraction, or a validation file"
            )
    return result


def _by_position(text: str, settings: SplitSettings) -> Split:
    """Hold out the end of the text, or in pieces the end of each of its equal stretches."""
    count, boundaries = 1, _LINES
    if settings.by == "pieces":
        smaller = int(len(text) * min(settings.fraction, 1 - settings.fraction))
        count = max(1, min(PIECES, smaller // LEAST_PIECE))
    if count > 1:
        # One cut may part a word where there are no lines, but not many of them.
        boundaries = (*_LINES, " ")
    cuts = [_cut(text, 1 - number / count, boundaries) for number in range(1, count)]
    training, validation = [], []
    for start, stop in pairwise([0, *cuts, len(text)]):
        middle = start + _cut(text[start:stop], settings.fraction, boundaries)
        training.append(text[start:middle])
        validation.append(text[middle:stop])
    return Split(tuple(training), tuple(validation))


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
    return Split((_joined(corpus.documents, held, False),), (_joined(corpus.documents, held, True),))


def _joined(documents: Sequence[Document], held: Sequence[bool], wanted: bool) -> str:
    return JOINT.join(document.text for document, out in zip(documents, held, strict=True) if out == wanted)


def _cut(text: str, fraction: float, boundaries: Sequence[str]) -> int:
    """Return where the last part of a text begins: behind a boundary near the mark, else between two graphemes."""
    mark = int(len(text) * (1 - fraction))
    smaller = min(mark, len(text) - mark)
    reach = min(smaller // 2, max(80, smaller // 50))
    for boundary in boundaries:
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
    for cut in chain(range(mark, len(text)), range(mark - 1, 0, -1)):
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
