"""Split a corpus into a training and a validation text without overlap.

- position: hold out the end of the corpus. The honest choice for one long text, whose neighbouring lines are similar.
- pieces: divide the text into equal pieces and hold out the end of each, for a text whose end is unlike the rest.
- document: hold out whole documents at even distances, for many short ones.
- items: hold out lines of a list, or blocks of a collection, at random, and shuffle a sorted list: by position, only
  the end of the alphabet would be held out. The default only for a text that is surely a list or a collection
  (`items`); in other texts a random split puts neighbours of every validation line into the training text.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from lilliput.corpus.document import JOINT, Corpus, Document
from lilliput.corpus.items import Items, fixed_form, items_of, split_items
from lilliput.corpus.settings import SplitKind, SplitSettings
from lilliput.errors import CorpusError
from lilliput.wording import counted

_ZERO_WIDTH_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
PIECES, LEAST_PIECE = 20, 500
"""The largest number of held-out pieces, and the fewest characters of each and between two of them: many, to represent
all of the text, and long, since there is little context at the start of each."""
_LINE_BOUNDARIES: tuple[str, ...] = ("\n\n", "\n")


@dataclass(frozen=True, slots=True)
class Split:
    """The two texts, each in segments that were not adjacent in the corpus."""

    training_segments: tuple[str, ...]
    validation_segments: tuple[str, ...]
    by: SplitKind = "position"
    items: Items | None = None
    """The items of the whole text, if it has any."""
    notes: tuple[str, ...] = ()
    """Notes on the items."""

    @property
    def training(self) -> str:
        """Return the training segments, joined."""
        return "".join(self.training_segments)

    @property
    def validation(self) -> str:
        """Return the validation segments, joined."""
        return "".join(self.validation_segments)


def split_kind(corpus: Corpus, settings: SplitSettings) -> SplitKind:
    """Return how to split a corpus: as in the settings, or if automatic, by items or by position."""
    if settings.by != "automatic":
        return settings.by
    return "position" if corpus.items is None else "items"


def split(corpus: Corpus, settings: SplitSettings, validation: Corpus | None = None) -> Split:
    """Split a corpus; a separate validation corpus replaces the split.

    Raises CorpusError if the training text or the validation text would be empty.
    """
    by = split_kind(corpus, settings)
    items = _required_items(corpus) if by == "items" else corpus.items
    if by == "items" and items is not None:
        result = _by_items(corpus, items, settings.fraction, validation)
    elif validation is not None:
        result = Split((corpus.text,), (validation.text,))
    elif by == "document":
        result = _by_document(corpus, settings.fraction)
    else:
        result = _by_position(corpus.text, by, settings.fraction)
    for part, text in (("training", result.training), ("validation", result.validation)):
        if not text.strip():
            raise CorpusError(
                f"the split of {corpus.name} ({corpus.characters:,} characters, fraction {settings.fraction:g}) leaves "
                f"no {part} text: give a longer text, another fraction, or a validation file"
            )
    notes = [*result.notes, *_shared(items, result), *_form(corpus, items)]
    return replace(result, by=by, items=items, notes=tuple(notes))


def _required_items(corpus: Corpus) -> Items:
    items = None if corpus.labels else corpus.items or items_of([document.text for document in corpus.documents])
    if items is None:
        raise CorpusError(f"{corpus.name} has labels and cannot be split by items: split it by document")
    if len(set(items.texts)) < 2:
        raise CorpusError(f"{corpus.name} is one item and cannot be split by items: split it by position")
    return items


def _by_items(corpus: Corpus, items: Items, fraction: float, validation: Corpus | None) -> Split:
    name = f"{corpus.name} is {items.described}"
    if validation is not None:
        if not items.in_order:
            return Split((corpus.text,), (validation.text,))
        training = items.joined(items.shuffled(items.texts))
        return Split((training,), (validation.text,), notes=(f"{name}, which is shuffled",))
    learnt, held = items.drawn(fraction)
    rest = "and the rest is shuffled" if items.in_order else "and the rest keeps its order"
    note = f"{name}: {len(held):,} of them, drawn at random, are held out, {rest}"
    return Split((items.joined(learnt),), (items.joined(held),), notes=(note,))


def _shared(items: Items | None, result: Split) -> list[str]:
    """Return a note on how many of the held-out items are also in the training text."""
    if items is None:
        return []
    held = split_items(result.validation, items.kind)
    learned = set(split_items(result.training, items.kind))
    shared = sum(item in learned for item in held)
    share = f"{shared:,} of the {counted(len(held), 'held-out item')} ({shared / max(1, len(held)):.1%})"
    return [f"{share} are also in the training text: the loss on them says less"] if shared else []


def _form(corpus: Corpus, items: Items | None) -> list[str]:
    """Return a note on the form that nearly all items have, or nearly all lines of a possible list."""
    if items is not None:
        form, unit = fixed_form(items.kind, items.texts), "item"
    else:
        form, unit = fixed_form("line", split_items(corpus.text, "line")), "line"
    if form is None:
        return []
    return [f"nearly every {unit} has {form[0]}: lilliput sample RUN --items 20 --match '{form[1]}' keeps to that"]


def _by_position(text: str, by: SplitKind, fraction: float) -> Split:
    """Hold out the end of the text, or of each of its equal pieces."""
    count, boundaries = 1, _LINE_BOUNDARIES
    if by == "pieces":
        smaller = int(len(text) * min(fraction, 1 - fraction))
        count = max(1, min(PIECES, smaller // LEAST_PIECE))
    if count > 1:
        # In a text without lines, a single cut may divide a word, but many cuts must not.
        boundaries = (*_LINE_BOUNDARIES, " ")
    cuts = [_cut(text, 1 - number / count, boundaries) for number in range(1, count)]
    training, validation = [], []
    for start, stop in pairwise([0, *cuts, len(text)]):
        middle = start + _cut(text[start:stop], fraction, boundaries)
        training.append(text[start:middle])
        validation.append(text[middle:stop])
    return Split(tuple(training), tuple(validation))


def _by_document(corpus: Corpus, fraction: float) -> Split:
    count = len(corpus.documents)
    if count < 2:
        raise CorpusError(f"{corpus.name} is one document and cannot be split by document: split it by position")
    held = [documents_due(index + 1, fraction) > documents_due(index, fraction) for index in range(count)]
    if not any(held):
        held[-1] = True
    if all(held):
        held[0] = False
    return Split((_joined(corpus.documents, held, False),), (_joined(corpus.documents, held, True),))


def documents_due(count: int, fraction: float) -> int:
    """Return how many of the first `count` documents are held out."""
    # The small term compensates rounding errors: a tenth of ten documents is one, not slightly less.
    return math.floor(count * fraction + 1e-9)


def _joined(documents: Sequence[Document], held: Sequence[bool], wanted: bool) -> str:
    return JOINT.join(document.text for document, out in zip(documents, held, strict=True) if out == wanted)


def _cut(text: str, fraction: float, boundaries: Sequence[str]) -> int:
    """Return where to cut off the last part of a text: after a boundary nearby, else between two graphemes."""
    target = int(len(text) * (1 - fraction))
    smaller = min(target, len(text) - target)
    reach = min(smaller // 2, max(80, smaller // 50))
    for boundary in boundaries:
        if starts := _starts(text, boundary, target - reach, target + reach):
            nearest = min(starts, key=lambda start: abs(start - target))
            if text[:nearest].strip() and text[nearest:].strip():
                return nearest
    return _between_graphemes(text, target)


def _starts(text: str, boundary: str, low: int, high: int) -> list[int]:
    """Return the positions right after every boundary, from low to high inclusive."""
    starts = []
    position = text.find(boundary, max(0, low - len(boundary)), high)
    while position >= 0:
        start = position + len(boundary)
        while start < len(text) and text[start] == "\n":  # blank lines belong to the text before them
            start += 1
        if low <= start <= high and (start == len(text) or not _joins(text[start - 1], text[start])):
            starts.append(start)
        position = text.find(boundary, start, high)
    return starts


def _between_graphemes(text: str, target: int) -> int:
    for cut in chain(range(target, len(text)), range(target - 1, 0, -1)):
        if cut > 0 and not _joins(text[cut - 1], text[cut]):
            return cut
    return target


def _joins(before: str, after: str) -> bool:
    """Return whether a cut between two characters would break a line end, an accent or an emoji."""
    return (
        before + after == "\r\n"
        or unicodedata.category(after).startswith("M")
        or _ZERO_WIDTH_JOINER in (before, after)
        or ord(after) in _SKIN_TONES
    )
