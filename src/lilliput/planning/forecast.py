"""A forecast of a run: its settings, its speed on this machine, its length.

The text is prepared as it would be for training, into a folder that is removed again, some steps are taken, and a part
of the evaluations. So the forecast reports what training will find, and `Budget` divides the time in the same way.
"""

import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from lilliput.corpus import Corpus, Document, Examples, LargeText, label_documents, require_possible_split, unmark
from lilliput.errors import RunError
from lilliput.objectives.building import build_objective
from lilliput.planning.expected_loss import expected_bits, tells
from lilliput.planning.throughput import Throughput, measure_throughput
from lilliput.recipe import Recipe
from lilliput.runs.folder import RunFolder
from lilliput.runs.weights import learn_counts
from lilliput.runtime import peak_memory
from lilliput.training.budget import Budget, Costs
from lilliput.training.data.prepare import Measure, Source, open_training_data, prepare
from lilliput.training.data.training_data import TrainingData
from lilliput.training.evaluator import measure_costs
from lilliput.training.sizes import memory_errors, require_memory
from lilliput.training.workers.pool import worker_count, workers_for

LARGE_SECONDS_A_MILLION = 0.25
"""Only the first documents of a large text are prepared here; the rest takes about this long per million bytes."""
_CHARACTERS_PREPARED = 1 << 20
"""Of a large text."""
_CHARACTERS_SEEN, _LINES_SHOWN = 10_000, 3


@dataclass(frozen=True)
class Forecast:
    """The figures of `lilliput plan`; None where a figure is unknown before the run."""

    characters: int | None
    bytes: int | None
    problems: int | None
    documents: int | None
    begins: list[str]
    """The first lines, as read."""
    notes: list[str]
    """How the texts were read, and what was left out."""
    held_out: int
    """Held-out characters, or problems; of a large text, only those of its first documents."""
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
    epochs: float | None
    """Number of times that training reads the text, for characters as tokens."""
    memory_bytes: int | None
    baselines: dict[str, Any] | None
    """The baselines on a part of the text; for a planned model with characters as tokens."""
    expected: float | None
    """Expected bits per character, approximately."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


def forecast(recipe: Recipe, source: Source, validation: Measure | None = None, before: float = 0.0) -> Forecast:
    """Take some steps of the recipe on this machine, and predict the run.

    `before` are the seconds since the command began, which training will need as well. Raises what training raises
    before its first step, and RecipeError or RunError if not even one row fits into memory.
    """
    require_memory(recipe, source)
    started, large = time.monotonic(), isinstance(source, LargeText)
    if isinstance(source, LargeText) and validation is None:
        require_possible_split(source, recipe.data.split)
    part = _first_documents(source) if isinstance(source, LargeText) else source
    if isinstance(part, Corpus) and large:
        recipe = _splittable(recipe, part)
    try:
        with tempfile.TemporaryDirectory(prefix="lilliput-plan-") as folder, memory_errors(worker_count(recipe)):
            training_data, throughput, costs = _rehearse(recipe, RunFolder(Path(folder)), part, validation)
    except OSError as error:
        raise RunError(
            f"cannot write {tempfile.gettempdir()}: {error.strerror or error}. Free some space, or set TMPDIR"
        ) from None
    opening = before + time.monotonic() - started - sum(throughput.step_seconds)
    if isinstance(source, LargeText):
        opening += LARGE_SECONDS_A_MILLION * source.size / 1e6
    steps, seconds = promise(recipe, training_data.targets, opening, throughput.seconds_per_step, costs)
    characters = None if large else len(part.text)
    epochs = None
    if characters and recipe.tokenizer.kind == "char":
        epochs = steps * throughput.tokens_per_step / characters
    baselines, expected = _expectation(recipe, training_data, steps * throughput.tokens_per_step)
    return Forecast(
        characters=characters,
        bytes=source.size if isinstance(source, LargeText) else None,
        problems=len(source) if isinstance(source, Examples) else None,
        documents=len(source.documents) if isinstance(source, Corpus) else None,
        begins=_first_lines(part),
        notes=[*(source.notes if large else ()), *training_data.facts["text"]["notes"], *training_data.notes()],
        held_out=training_data.facts["validation"]["problems" if isinstance(source, Examples) else "characters"],
        vocabulary=training_data.tokenizer.vocab_size,
        context=training_data.window,
        parameters=throughput.parameters,
        device=throughput.runtime.device.type,
        precision=throughput.runtime.precision,
        tokens_per_step=throughput.tokens_per_step,
        milliseconds_per_step=round(throughput.seconds_per_step * 1000, 1),
        tokens_per_second=round(throughput.tokens_per_second),
        steps=steps,
        seconds=round(seconds, 1),
        epochs=None if epochs is None else round(epochs, 2),
        memory_bytes=peak_memory(),
        baselines=baselines,
        expected=expected,
    )


def promise(recipe: Recipe, targets: int, opening: float, seconds_per_step: float, costs: Costs) -> tuple[int, float]:
    """Return the number of steps of a run and its seconds, if the first step comes after `opening` seconds."""
    budget = Budget(recipe.training, opening, targets=targets)
    budget.opening_seconds, budget.costs = opening, costs
    budget.limit = budget.choose_limit()
    return budget.promise(seconds_per_step)


def _rehearse(
    recipe: Recipe, run: RunFolder, source: Measure, validation: Measure | None
) -> tuple[TrainingData, Throughput, Costs]:
    with workers_for(recipe) as workers:  # they start while the text is prepared, as in training
        prepare(recipe, run, source, validation)
        training_data = open_training_data(run, recipe.data.window, fits=recipe.model.counts)
        objective = build_objective(recipe.objective)
        objective.attach(training_data)
        throughput = measure_throughput(
            recipe, workers, training_data.tokenizer.vocab_size, training_data.window, objective=objective
        )
    learn_counts(throughput.model, run, training_data.tokenizer)
    return training_data, throughput, measure_costs(training_data, throughput.model, throughput.runtime)


def _expectation(
    recipe: Recipe, training_data: TrainingData, tokens: int
) -> tuple[dict[str, Any] | None, float | None]:
    """Return the baselines and the expected bits per character, for a planned model of a text."""
    baselines = training_data.facts["baselines"]
    if not tells(recipe) or "ngram" not in baselines:
        return None, None
    counting, copying = (baselines[name]["bits_per_character"] for name in ("ngram", "xz"))
    return baselines, round(expected_bits(counting, copying, baselines["ngram"]["training_characters_used"], tokens), 3)


def _first_lines(source: Measure) -> list[str]:
    if isinstance(source, Examples):
        return [f"{source[0].prompt}{source[0].answer}"]
    lines = (unmark(line).strip() for line in source.text[:_CHARACTERS_SEEN].split("\n"))
    return list(islice(filter(None, lines), _LINES_SHOWN))


def _first_documents(large: LargeText) -> Corpus:
    """Return the first documents of a large text, about a million characters; the last of them may be cut."""
    documents: list[Document] = []
    room = _CHARACTERS_PREPARED
    with closing(large.documents()) as fragments:
        for origin, document in groupby(fragments, itemgetter(0)):
            parts: list[str] = []
            for _, text in document:
                parts.append(text[:room])
                room -= len(parts[-1])
                if room <= 0:
                    break
            documents.append(Document(origin.name, "".join(parts), origin.folder, origin.label))
            if room <= 0:
                break
    corpus = Corpus(large.name, tuple(documents))
    return label_documents(corpus, large.label_kind) if large.label_kind else corpus


def _splittable(recipe: Recipe, part: Corpus) -> Recipe:
    """Return the recipe, or one that splits by position if there are too few documents to split by document."""
    if recipe.data.split.by != "document" or len(part.documents) > 1:
        return recipe
    split = recipe.data.split.model_copy(update={"by": "position"})
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"split": split})})
