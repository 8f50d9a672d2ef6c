"""Split a large text: hold out its end, or whole documents at even distances, up to a limited size.

The choice is that of `splitting`, except that a document stays in the training text if the held-out text would become
too long. Left out: splits by pieces and items.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from lilliput.corpus.document import JOINT, Corpus, Document, Fragment, ReadProgress
from lilliput.corpus.files import large_texts
from lilliput.corpus.files.large_texts import LargeText, Survey
from lilliput.corpus.items import find_items
from lilliput.corpus.labels import label_alike, unmark
from lilliput.corpus.settings import SplitKind, SplitSettings
from lilliput.corpus.splitting import documents_due, split
from lilliput.errors import CorpusError

_SAMPLED = 100_000
"""Characters at the end of a text that decide whether it is a sorted list."""


@dataclass(frozen=True)
class LargeSplit:
    """The training and the validation part of a large text; only the validation text is in memory."""

    large: LargeText
    survey: Survey
    characters: int
    """Of the training part, labels included."""
    label_characters: int
    """How many of these are labels."""
    validation: str
    by: SplitKind = "position"
    notes: tuple[str, ...] = ()
    """Notes for the user on the split."""
    held_out: frozenset[int] = frozenset()
    """The numbers of the held-out documents; if there are none, the training part is the start of the text."""

    @property
    def identity(self) -> str:
        """Return a string that identifies the training part, unlike that of any other text or split."""
        by = "" if self.by == "position" else f":{self.by}"
        return f"{self.survey.sha256}:{self.characters}{by}"

    def training_pieces(self, progress: ReadProgress | None = None) -> Iterator[str]:
        """Yield the training part, in pieces as `LargeText.pieces` does."""
        left = self.characters
        with closing(self.large.pieces(progress, labels=self.survey.labels, skipped=self.held_out)) as pieces:
            for piece in pieces:
                yield piece[:left]
                left -= len(piece)
                if left <= 0:
                    return


def divide(
    large: LargeText,
    survey: Survey,
    settings: SplitSettings,
    validation: Corpus | None = None,
    progress: ReadProgress | None = None,
) -> LargeSplit:
    """Split a large text as `split` does, but hold out at most two million characters.

    A validation corpus replaces the split. A split by document reads the text again, and calls `progress`. Raises
    CorpusError for a split by pieces or items, and if the training text or the validation text would be empty.
    """
    if validation is not None:
        if large.label_kind is not None:
            validation = label_alike(validation, large.label_kind, survey.labels)
        # Only to check the validation text: the training text is not empty.
        training = Corpus(large.name, (Document(large.name, survey.end),))
        text = split(training, SplitSettings(by="position"), validation).validation
        return LargeSplit(large, survey, survey.characters, survey.label_characters, text)
    require_possible_split(large, settings)
    if settings.by == "document":
        chosen = _choose_documents(large, survey, settings.fraction, progress)
        text = JOINT.join(chosen.values())
        characters = survey.characters - len(text) - len(JOINT)
        labels = survey.label_characters - _count_labels(text, survey)
        return LargeSplit(large, survey, characters, labels, text, "document", held_out=frozenset(chosen))
    text = _end(large, survey, settings.fraction)
    labels = survey.label_characters - _count_labels(text, survey)
    return LargeSplit(large, survey, survey.characters - len(text), labels, text, notes=_notes(large, survey))


def _count_labels(text: str, survey: Survey) -> int:
    return len(text) - len(unmark(text)) if survey.labels else 0


def _notes(large: LargeText, survey: Survey) -> tuple[str, ...]:
    """Warn if the text is in alphabetical order, so that its end is not representative."""
    lines = survey.end[-_SAMPLED:]
    items = find_items([lines[lines.find("\n") + 1 :]])
    if items is None or not items.in_order:
        return ()
    return (
        f"{large.name} is in alphabetical order, and only its end is held out: shuffle it first, or give "
        "--validation FILE",
    )


def require_possible_split(large: LargeText, settings: SplitSettings) -> None:
    """Raise CorpusError for a split that needs the whole text in memory."""
    if settings.by in ("pieces", "items"):
        raise CorpusError(
            f"{large.name} is read as a stream and cannot be split by {settings.by}: split it by position or by "
            "document, or give a validation file"
        )


def _end(large: LargeText, survey: Survey, fraction: float) -> str:
    most = large_texts.MOST_HELD_OUT
    held = max(1, min(most, survey.characters - int(survey.characters * (1 - fraction))))
    # `split` searches for a cut within the length of the smaller part, so the end of the text suffices.
    end = survey.end[-2 * held :]
    tail = Corpus(large.name, (Document(large.name, end),))
    return split(tail, SplitSettings(by="position", fraction=held / len(end))).validation


def _choose_documents(
    large: LargeText, survey: Survey, fraction: float, progress: ReadProgress | None
) -> dict[int, str]:
    """Return the held-out documents by their numbers."""
    if survey.documents < 2:
        raise CorpusError(f"{large.name} is one document and cannot be split by document: split it by position")
    most = room = large_texts.MOST_HELD_OUT
    fraction = min(fraction, most / survey.characters)
    one = documents_due(survey.documents, fraction) == 0
    chosen: dict[int, str] = {}
    with closing(large.documents(progress, labels=survey.labels)) as fragments:
        for number, (_, document) in enumerate(groupby(fragments, itemgetter(0))):
            if one:  # hold out the last document that is short enough
                text = _text_within(document, most)
                chosen = chosen if text is None else {number: text}
            elif documents_due(number + 1, fraction) > len(chosen):
                text = _text_within(document, room)
                if text is not None:
                    chosen[number] = text
                    room -= len(text)
    if not chosen:
        raise CorpusError(
            f"{large.name} has no document of at most {most:,} characters that could be held out: split it by "
            "position, or give a validation file"
        )
    return chosen


def _text_within(document: Iterable[Fragment], room: int) -> str | None:
    """Return the text of a document; None if it is longer than `room`, without reading all of it into memory."""
    parts: list[str] = []
    for _, text in document:
        room -= len(text)
        if room < 0:
            return None
        parts.append(text)
    return "".join(parts)
