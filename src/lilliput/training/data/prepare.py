"""Prepare a text, or prompts with answers, for training: split, train the tokenizer, encode, measure the baselines.

The baselines need no network: they count, or always use the most frequent answer.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from lilliput.corpus import (
    END,
    Corpus,
    Examples,
    LargeText,
    find_file,
    shared_prompts,
    split,
    split_examples,
    survey,
    unmark,
)
from lilliput.data.encoded_examples import encode_examples, write_examples
from lilliput.data.tokens import joined, write_segments
from lilliput.errors import CorpusError, RecipeError, RunError
from lilliput.evaluation.answers import answer_baselines, most_frequent_answer
from lilliput.models import build
from lilliput.objectives.settings import ObjectiveSettings
from lilliput.recipe import Recipe, differences
from lilliput.runs.folder import FIRST_WEIGHTS, RunFolder
from lilliput.runs.weights import best_weights, put_weights
from lilliput.segments import starts_of
from lilliput.tokenizers import Tokenizer
from lilliput.tokenizers import train as train_tokenizer
from lilliput.training.data.example_data import ExampleData
from lilliput.training.data.held_out import held_out_facts, likeness_facts
from lilliput.training.data.large_text import Preparing, prepare_large
from lilliput.training.data.text_data import TextData
from lilliput.training.data.training_data import TrainingData
from lilliput.training.data.verse_data import VerseData

Measure = Corpus | Examples
"""The validation data of a run."""
Source = Measure | LargeText
"""The training data of a run."""
MakeTokenizer = Callable[[Iterable[str]], Tokenizer]
"""Returns a tokenizer for these texts."""


def is_same_source(facts: dict[str, Any], source: Source, validation: Measure | None) -> bool:
    """Return whether these facts are of a run on this source; a large text is read only if its files changed."""
    if isinstance(source, LargeText):
        held_out = "" if validation is None else validation.sha256
        if facts["text"].get("files") == [source.stamp, held_out]:
            return True
        learnt = survey(source).sha256
    else:
        learnt = source.sha256
    return bool(facts["text"]["sha256"] == _checksum(learnt, validation))


def prepare(
    recipe: Recipe,
    run: RunFolder,
    source: Source,
    validation: Measure | None,
    progress: Preparing = lambda stage, done, total: None,
    base: RunFolder | None = None,
) -> None:
    """Encode the texts or examples into the run folder; `progress` gets the progress on a large text.

    With `base`, the tokenizer and the initial weights are those of that run.

    Raises CorpusError if a part is too short or an example too long, or if one of the training and the validation data
    is a text and the other has examples; RecipeError for settings that do not fit the data.
    """
    text: dict[str, Any] = {"name": source.name}
    make_tokenizer: MakeTokenizer = partial(_train_tokenizer, recipe)
    tuned = recipe.objective.kind != "next_token"
    if tuned:
        _require_tunable(recipe, source, base is not None)
    if recipe.objective.line_endings and isinstance(source, Examples):
        raise RecipeError("objective.line_endings works on texts of verse only, not on prompts with answers: remove it")
    if recipe.tokenizer.reverse_lines and (isinstance(source, Examples) or recipe.data.labels is not None):
        what = "prompts with answers" if isinstance(source, Examples) else "labels (data.labels)"
        raise RecipeError(f"tokenizer.reverse_lines works on texts only, without {what}: remove it")
    if base is not None:
        _require_alike(base, recipe)
        make_tokenizer = partial(_tokenizer_of, base)
        run.write_weights(best_weights(base, lambda line: None), FIRST_WEIGHTS)
    if isinstance(source, LargeText) and not isinstance(validation, Examples):
        facts = prepare_large(recipe, run, source, validation, make_tokenizer, progress)
        text["files"] = [source.stamp, "" if validation is None else validation.sha256]
    elif isinstance(source, Corpus) and not isinstance(validation, Examples):
        facts = _prepare_text(recipe, run, source, validation, make_tokenizer) | {"sha256": source.sha256}
    elif isinstance(source, Examples) and not isinstance(validation, Corpus):
        facts = _prepare_examples(recipe, run, source, validation, make_tokenizer)
        facts |= {"sha256": source.sha256, "notes": [*source.notes, *facts.pop("notes", [])]}
    else:
        raise CorpusError(
            "the training and validation data must be of the same kind: two texts, or two files of prompts with answers"
        )
    text |= {"sha256": _checksum(facts.pop("sha256"), validation), "notes": facts.pop("notes")}
    if tuned:
        facts["objective"] = recipe.objective.model_dump(mode="json")
    run.write_json(run.facts, {"text": text} | facts)


def _checksum(learnt: str, validation: Measure | None) -> str:
    return learnt if validation is None else f"{learnt}+{validation.sha256}"


def open_training_data(run: RunFolder, window: int, fits: bool = False) -> TrainingData:
    """Open the files that `prepare` wrote; `window` is the maximum context, in tokens.

    With `fits`, a part of a text is set aside to fit the gate of a mixture.

    Raises RunError if a file is missing or broken.
    """
    facts = run.read_facts()
    tokenizer = run.load_tokenizer()
    if "problems" in facts["training"]:
        return ExampleData.open(run, tokenizer, facts)
    text = TextData.open(run, tokenizer, facts, window, fits)
    if "objective" not in facts:
        return text
    settings = ObjectiveSettings.model_validate(facts["objective"])
    prior = build(run.read_recipe().model, tokenizer.vocab_size, text.window)
    put_weights(prior, run.read_weights(FIRST_WEIGHTS))
    return VerseData(
        text, run.read_tokens(run.training_tokens), run.read_tokens(run.validation_tokens), settings, prior
    )


def _prepare_text(
    recipe: Recipe, run: RunFolder, corpus: Corpus, validation: Corpus | None, make_tokenizer: MakeTokenizer
) -> dict[str, Any]:
    parts = split(corpus, recipe.data.split, validation)
    training, held_out = list(parts.training_segments), list(parts.validation_segments)
    tokenizer = make_tokenizer(training)
    learnt, measured = ([tokenizer.encode(part) for part in texts] for texts in (training, held_out))
    for name, ids in (("training", learnt), ("validation", measured)):
        if (least := min(map(len, ids))) < 2:
            raise CorpusError(f"the {name} text has {least} tokens and at least 2 are needed; use a longer text")
    tokenizer.count(learnt)
    tokenizer.save(run.tokenizer)
    write_segments(run.training_tokens, learnt)
    write_segments(run.validation_tokens, measured)
    if corpus.labels:
        training, held_out = list(map(unmark, training)), list(map(unmark, held_out))
    validation_facts = held_out_facts(
        tokenizer,
        joined(measured),
        held_out,
        list(map(tokenizer.normalized, training)),
        recipe.data.window,
        starts=starts_of(map(len, measured)),
        labelled=bool(corpus.labels),
    )
    facts = {"training": {"characters": sum(map(len, training)), "tokens": sum(map(len, learnt))}} | validation_facts
    if validation is None and parts.by == "position":
        facts |= likeness_facts(tokenizer.normalized(training[0]), tokenizer.normalized(held_out[0]))
    notes = [*corpus.notes, *parts.notes]
    if parts.items is not None:
        facts["items"] = {"kind": parts.items.kind, "number": len(parts.items.texts), "in_order": parts.items.in_order}
    if len(held_out) > 1:
        notes.append(f"held out: {len(held_out)} pieces, evenly spread over the text")
    return facts | {"notes": notes} | ({"labels": corpus.labels} if corpus.labels else {})


def _prepare_examples(
    recipe: Recipe,
    run: RunFolder,
    examples: Examples,
    validation: Examples | None,
    make_tokenizer: MakeTokenizer,
) -> dict[str, Any]:
    if recipe.model.counts:
        raise RecipeError("model.counts works on texts only; remove it for prompts with answers")
    training, held_out = split_examples(examples, recipe.data.split.fraction, validation)
    tokenizer = make_tokenizer(_tokenizer_texts(training, recipe.tokenizer.kind))
    facts: dict[str, Any] = {}
    paths = (run.training_tokens, run.validation_tokens)
    for name, part, path in zip(("training", "validation"), (training, held_out), paths, strict=True):
        encoded = encode_examples(part, tokenizer, recipe.data.window)
        write_examples(path, encoded)
        if part is training:
            tokenizer.count([encoded.ids])
            tokenizer.save(run.tokenizer)
        facts[name] = {"problems": len(part), "tokens": len(encoded.ids), "characters": len(part.text)}
    facts["baselines"] = answer_baselines(most_frequent_answer(training), held_out)
    # Generated problems are held out when they are generated.
    if validation is not None and recipe.data.arithmetic is None and (shared := shared_prompts(training, validation)):
        facts["notes"] = [f"{shared:,} of the {len(validation):,} validation prompts are also in the training data"]
    return facts


def _require_tunable(recipe: Recipe, source: Source, has_base: bool) -> None:
    """Raise RecipeError unless an objective that tunes a trained network has one, and a text to tune it on."""
    kind = recipe.objective.kind
    if not has_base:
        raise RecipeError(f"objective {kind} tunes a trained run: name it with --base RUN")
    if isinstance(source, Examples):
        raise RecipeError(f"objective {kind} needs a text of verse, not prompts with answers")
    if recipe.model.counts:
        raise RecipeError(f"objective {kind} tunes the network alone: set model.counts=false, in the base too")


def _require_alike(base: RunFolder, recipe: Recipe) -> None:
    """Raise RunError without a run, RecipeError unless it has the tokenizer, model and window of a recipe."""
    if not base.facts.exists():
        raise RunError(f"no run at {base.path}: name the folder of a trained run with --base")
    sections = ("model.", "tokenizer.", "data.window")
    changes = [line for line in differences(base.read_recipe(), recipe) if line.startswith(sections)]
    if changes:
        raise RecipeError(
            f"{base.path} has a different model from the recipe ({'; '.join(changes)}); use the same settings"
        )


def _tokenizer_of(base: RunFolder, texts: Iterable[str]) -> Tokenizer:
    return base.load_tokenizer()


def _train_tokenizer(recipe: Recipe, texts: Iterable[str]) -> Tokenizer:
    settings = recipe.tokenizer
    ranks = find_file("gpt2.tiktoken") if settings.kind == "gpt2" else None
    return train_tokenizer(
        settings.kind,
        texts,
        settings.vocabulary,
        settings.normalize,
        ranks=ranks,
        reverse_lines=settings.reverse_lines,
    )


def _tokenizer_texts(examples: Examples, kind: str) -> Iterator[str]:
    """Yield the texts to train a tokenizer on: separate, so that no token spans a prompt and its answer."""
    if kind in ("char", "byte"):  # no token spans anything
        yield examples.text
        yield END * len(examples)
        return
    for example in examples:
        yield example.prompt
        yield example.answer
        yield END
