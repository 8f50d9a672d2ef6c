"""What a run would be, before it is one: the choices, what the machine makes of them, how far the time goes."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from lilliput.corpus import Examples, LargeText
from lilliput.recipe import Recipe
from lilliput.training.expectation import expected_bits, floors_before, tells
from lilliput.training.pace import Pace, measure_pace, memory_held
from lilliput.training.prepare import Source
from lilliput.training.sizes import memory_told, require_memory

START_SECONDS, START_SECONDS_A_MILLION, START_MOST = 2.0, 5.0, 40.0
"""Preparing a text takes about so long, and so much more for a million characters, up to a bound."""
COMPILED_SECONDS = 7.0
"""To take up a model that was compiled before, as this command does."""
TRAINING_SHARE = 0.88
"""Of the rest; evaluations, samples and checkpoints take what is left. Both are rough: of two runs of 1.8 minutes on a
million characters one used 0.86 of the rest for training, and the other, in a bad hour of the same machine, 0.67."""
_GPT2 = 50_257
_BYTES = 256
_SPARE = 16
"""Tokens beside the characters, which spell rare ones."""
_PIECES_SEEN = 8


@dataclass(frozen=True)
class Forecast:
    """The figures of `lilliput plan`; what is not known before the run is None."""

    characters: int | None
    bytes: int | None
    problems: int | None
    vocabulary: int
    context: int
    parameters: int
    device: str
    precision: str
    tokens_per_step: int
    milliseconds_per_step: float
    tokens_per_second: int
    steps: int
    seconds: float
    passes: float | None
    """How often the text is read: by steps times tokens, for characters as tokens."""
    memory_bytes: int | None
    floors: dict[str, Any] | None
    """What counting and compressors come to on a part of the text; for a planned model, with characters as tokens."""
    expected: float | None
    """Bits per character that the model will need, about."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


def forecast(recipe: Recipe, source: Source) -> Forecast:
    """Take some steps of the recipe on this machine, and say what the run would come to.

    Raises RecipeError or RunError if the memory does not suffice for a single row.
    """
    require_memory(recipe, source)
    characters = None if isinstance(source, LargeText) else len(source.text)
    window = recipe.data.window
    if isinstance(source, Examples):
        window = min(window, source.longest + 1)
    elif characters is not None:
        window = max(1, min(window, int(characters * (1 - recipe.data.split.fraction)) - 1))
    vocabulary = _vocabulary(recipe, _beginning(source))
    with memory_told():
        pace = measure_pace(recipe, vocabulary, window)
    steps, seconds = _length(recipe, pace, characters)
    passes = None
    if characters and recipe.tokenizer.kind == "char":
        passes = steps * pace.tokens_per_step / characters
    floors, expected = _expectation(recipe, source, steps * pace.tokens_per_step)
    return Forecast(
        characters=characters,
        bytes=source.size if isinstance(source, LargeText) else None,
        problems=len(source) if isinstance(source, Examples) else None,
        vocabulary=vocabulary,
        context=window,
        parameters=pace.parameters,
        device=pace.runtime.device.type,
        precision=pace.runtime.precision,
        tokens_per_step=pace.tokens_per_step,
        milliseconds_per_step=round(pace.seconds_per_step * 1000, 1),
        tokens_per_second=round(pace.tokens_per_second),
        steps=steps,
        seconds=round(seconds, 1),
        passes=None if passes is None else round(passes, 2),
        memory_bytes=memory_held(),
        floors=floors,
        expected=expected,
    )


def _length(recipe: Recipe, pace: Pace, characters: int | None) -> tuple[int, float]:
    start = START_MOST
    if characters is not None:
        start = min(START_MOST, START_SECONDS + START_SECONDS_A_MILLION * characters / 1e6)
    training = recipe.training
    start += COMPILED_SECONDS * training.compile
    if training.steps is not None:
        return training.steps, start + training.steps * pace.seconds_per_step / TRAINING_SHARE
    assert training.minutes is not None
    seconds = training.minutes * 60
    steps = (seconds - start) * TRAINING_SHARE / pace.seconds_per_step
    return max(1, int(steps)), seconds


def _expectation(recipe: Recipe, source: Source, tokens: int) -> tuple[dict[str, Any] | None, float | None]:
    """Return the floors, and what the model will come to, for a text of which the model was planned."""
    if not tells(recipe) or isinstance(source, Examples):
        return None, None
    found = floors_before("".join(_beginning(source)), recipe.data.split.fraction)
    if found is None:
        return None, None
    counting, copying = found.ngram.bits_per_character, found.xz.bits_per_character
    expected = expected_bits(counting, copying, found.ngram.training_characters_used, tokens)
    return found.as_dict(), round(expected, 3)


def _beginning(source: Source) -> Iterable[str]:
    return islice(source.pieces(), _PIECES_SEEN) if isinstance(source, LargeText) else [source.text]


def _vocabulary(recipe: Recipe, text: Iterable[str]) -> int:
    """Return about how many tokens the tokenizer will have."""
    settings = recipe.tokenizer
    if settings.kind == "gpt2":
        return _GPT2
    if settings.kind == "byte":
        return _BYTES
    if settings.kind == "char":
        characters = len(set().union(*map(set, text))) + _SPARE
        return min(characters, settings.vocabulary or characters)
    return settings.vocabulary or _GPT2
