"""A text that is too large for memory, to tokens on disk: surveyed, divided and encoded as a stream.

Tokens that were encoded before an interruption are kept in the run folder and reused, if text, split and tokenizer are
the same. The count model and xz see the end of the training text only, as everywhere.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from lilliput import files
from lilliput.corpus import Corpus, LargeSplit, LargeText, Survey, divide, survey, unmark
from lilliput.data.encoding import MOST_LEARNT, encode_stream, spread_sample
from lilliput.data.tokens import Tokens, read_tokens, write_tokens
from lilliput.errors import CorpusError, TokenizerError
from lilliput.evaluation.baselines import NGRAM_TRAINING_CHARACTERS
from lilliput.recipe import Recipe
from lilliput.runs.folder import FIRST_WEIGHTS, RunFolder
from lilliput.segments import WHOLE, Starts, segments
from lilliput.tokenizers import TextStream, Tokenizer
from lilliput.tokenizers import load as load_tokenizer
from lilliput.training.data.held_out import held_out_facts, likeness_facts

Preparing = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_WHOLE_KINDS = ("char", "byte", "gpt2")
"""Tokenizers that need no sample: they take any text as it comes, or none at all."""
_DECODED_AT_ONCE = 1 << 20
_BEGINNING = "beginning.json"  # says what the tokenizer that lies beside it was made from


def prepare_large(
    recipe: Recipe,
    run: RunFolder,
    large: LargeText,
    validation: Corpus | None,
    train_tokenizer: Callable[[Iterable[str]], Tokenizer],
    progress: Preparing,
) -> dict[str, Any]:
    """Encode a large text into the run's folder and return its facts; whatever `progress` raises is passed on.

    Raises CorpusError if a part is too short to learn from or to measure on.
    """

    def reading(done: int, total: int | None) -> None:
        progress("reading", done, total or done)

    text_survey = survey(large, reading)
    parts = divide(large, text_survey, recipe.data.split, validation, reading)
    tokenizer = _tokenizer(recipe, run, parts, text_survey, train_tokenizer)
    encode_stream(
        parts.training_pieces(),
        tokenizer,
        run.training_tokens,
        text=parts.identity,
        characters=parts.characters,
        progress=lambda done, total: progress("tokenising", done, total),
    )
    tokenizer.save(run.tokenizer)  # now with its counts
    held_out = tokenizer.encode(parts.validation)
    training = read_tokens(run.training_tokens)
    for name, ids in (("training", training), ("validation", held_out)):
        if len(ids) < 2:
            raise CorpusError(f"the {name} text has {len(ids)} tokens and at least 2 are needed; use a longer text")
    write_tokens(run.validation_tokens, held_out)
    progress("counting in", 0, 1)
    learned, text = text_end(training, tokenizer), parts.validation
    if text_survey.labels:
        learned, text = list(map(unmark, learned)), unmark(text)
    measured = held_out_facts(
        tokenizer,
        held_out,
        [text],
        learned,
        recipe.data.window,
        labelled=bool(text_survey.labels),
        progress=lambda share: progress("counting in", round(100 * share), 100),
    )
    if validation is None and parts.by == "position":
        measured |= likeness_facts("".join(learned), tokenizer.normalized(text))
    (run.path / _BEGINNING).unlink(missing_ok=True)
    notes = [*text_survey.notes, *parts.notes]
    if recipe.tokenizer.kind not in _WHOLE_KINDS and parts.characters > MOST_LEARNT:
        notes.append(f"the tokenizer was trained on {MOST_LEARNT:,} characters, spread evenly over the text")
    measured |= {"labels": text_survey.labels} if text_survey.labels else {}
    return measured | {
        "sha256": text_survey.sha256,
        "notes": notes,
        "training": {"characters": parts.characters - parts.label_characters, "tokens": len(training)},
    }


def text_end(
    training: Tokens, tokenizer: Tokenizer, starts: Starts = WHOLE, characters: int = NGRAM_TRAINING_CHARACTERS
) -> list[str]:
    """Return the last segments of an encoded text, as the tokenizer sees them, `characters` at most."""
    texts: list[str] = []
    for part in reversed(segments(len(training), starts)):
        if characters > 0:
            texts.insert(0, _end(training[part.start : part.stop], tokenizer, characters))
            characters -= len(texts[0])
    return texts


def _end(training: Tokens, tokenizer: Tokenizer, characters: int) -> str:
    start, length = len(training), 0
    # A few characters more: the first ones may be the rest of one that begins before.
    while start > 0 and length < characters + 2:
        end, start = start, max(0, start - _DECODED_AT_ONCE)
        length += len(tokenizer.decode(training[start:end].tolist()))
    stream = TextStream(tokenizer)
    places = range(start, len(training), _DECODED_AT_ONCE)
    parts = [stream.push_all(training[place : place + _DECODED_AT_ONCE].tolist()) for place in places]
    return ("".join(parts) + stream.finish())[-characters:]


def _tokenizer(
    recipe: Recipe,
    run: RunFolder,
    parts: LargeSplit,
    text_survey: Survey,
    train_tokenizer: Callable[[Iterable[str]], Tokenizer],
) -> Tokenizer:
    """Train the tokenizer, or load that of an interrupted preparation."""
    identity = {"text": parts.identity, "tokenizer": recipe.tokenizer.model_dump()}
    if (run.path / FIRST_WEIGHTS).exists():
        return train_tokenizer(())  # that of another run
    identity = json.loads(json.dumps(identity))
    begun = run.path / _BEGINNING
    try:
        if files.read_json(begun) == identity:
            return load_tokenizer(run.tokenizer)
    except (OSError, ValueError, TokenizerError):
        pass  # there is no beginning, or none that can be used
    pieces = parts.training_pieces()
    whole = recipe.tokenizer.kind in _WHOLE_KINDS
    tokenizer = train_tokenizer(pieces if whole else spread_sample(pieces, parts.characters))
    tokenizer.save(run.tokenizer)
    files.write(begun, json.dumps(identity).encode())
    return tokenizer
