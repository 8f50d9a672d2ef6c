"""Prepare a text that is too large for memory: survey, divide and encode it as a stream.

Tokens that were encoded before an interruption are kept in the run folder and reused, if text, split and tokenizer are
the same. As for other texts, the count model and xz use only the end of the training text.
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
"""Called with the name of the stage, the amount done, and the total."""

_WHOLE_KINDS = ("char", "byte", "gpt2")
"""Tokenizers that need no sample: they read the whole text as a stream, or no text at all."""
_DECODED_AT_ONCE = 1 << 20
_IDENTITY = "beginning.json"  # identifies the text and the settings of the tokenizer next to it


def prepare_large(
    recipe: Recipe,
    run: RunFolder,
    large: LargeText,
    validation: Corpus | None,
    train_tokenizer: Callable[[Iterable[str]], Tokenizer],
    progress: Preparing,
) -> dict[str, Any]:
    """Encode a large text into the run's folder and return its facts; exceptions from `progress` are passed on.

    Raises CorpusError if a part is too short.
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
    (run.path / _IDENTITY).unlink(missing_ok=True)
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
    """Return the last segments of an encoded text, as the tokenizer sees them, at most `characters` in total."""
    texts: list[str] = []
    for part in reversed(segments(len(training), starts)):
        if characters > 0:
            texts.insert(0, _end(training[part.start : part.stop], tokenizer, characters))
            characters -= len(texts[0])
    return texts


def _end(training: Tokens, tokenizer: Tokenizer, characters: int) -> str:
    start, length = len(training), 0
    # A few more characters: the first ones may be the rest of a character that starts earlier.
    while start > 0 and length < characters + 2:
        end, start = start, max(0, start - _DECODED_AT_ONCE)
        length += len(tokenizer.decode(training[start:end].tolist()))
    stream = TextStream(tokenizer)
    offsets = range(start, len(training), _DECODED_AT_ONCE)
    parts = [stream.push_all(training[offset : offset + _DECODED_AT_ONCE].tolist()) for offset in offsets]
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
        return train_tokenizer(())  # the tokenizer of another run
    identity = json.loads(json.dumps(identity))
    identity_file = run.path / _IDENTITY
    try:
        if files.read_json(identity_file) == identity:
            return load_tokenizer(run.tokenizer)
    except (OSError, ValueError, TokenizerError):
        pass  # no usable tokenizer of an interrupted preparation
    pieces = parts.training_pieces()
    whole = recipe.tokenizer.kind in _WHOLE_KINDS
    tokenizer = train_tokenizer(pieces if whole else spread_sample(pieces, parts.characters))
    tokenizer.save(run.tokenizer)
    files.write(identity_file, json.dumps(identity).encode())
    return tokenizer
