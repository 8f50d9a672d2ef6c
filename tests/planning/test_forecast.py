"""What a run would be, and how fast this machine takes its steps."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import made_up_text
from tests.training.building import corpus, example_recipe, recipe, run, sums

from lilliput.corpus import Corpus, Document, open_corpus, open_large_corpus
from lilliput.corpus.files import large_texts
from lilliput.errors import CorpusError
from lilliput.models import build, count_parameters
from lilliput.planning import throughput
from lilliput.planning.forecast import forecast
from lilliput.planning.throughput import measure_throughput
from lilliput.recipe import Recipe
from lilliput.runtime import peak_memory
from lilliput.training.workers.alone import Alone


def budget(minutes: float, **settings: Any) -> Recipe:
    return recipe(**{"training.minutes": minutes, "training.steps": None} | settings)


def test_a_pace_is_that_of_the_recipe_s_own_steps() -> None:
    plan = recipe(**{"training.batch": 2, "training.accumulation": 3})
    found = measure_throughput(plan, Alone(), 30, 12, steps=4, seconds=0.0)
    assert len(found.step_seconds) == 4
    assert found.tokens_per_step == 2 * 3 * 12
    assert found.parameters == count_parameters(build(plan.model, 30, 12))


def test_tokens_a_second_are_those_of_the_median_step_but_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    # The steps end at these seconds: they take 5, 2, .5, 1, 8 and 1, the median of the last five is 1.
    ticks = iter([0.0, 5.0, 5.0, 7.0, 7.0, 7.5, 7.5, 8.5, 8.5, 16.5, 16.5, 17.5, 17.5])
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: next(ticks))
    plan = recipe(**{"training.batch": 2, "training.accumulation": 3})
    found = measure_throughput(plan, Alone(), 30, 12, steps=5, seconds=0.0)
    assert found.step_seconds == (2.0, 0.5, 1.0, 8.0, 1.0)
    assert found.tokens_per_second == 72.0  # two rows of twelve, three times a step


def test_fast_steps_are_measured_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: float(next(ticks)))
    found = measure_throughput(recipe(), Alone(), 30, 12, steps=2, seconds=7.0)
    assert found.step_seconds == (1.0,) * 6


def test_a_budget_is_divided_by_the_throughput() -> None:
    found = forecast(budget(20), corpus(5000))
    assert found.seconds == 1200
    assert 1 < found.steps < 1200 / (found.milliseconds_per_step / 1000)
    assert found.epochs == pytest.approx(found.steps * found.tokens_per_step / 5000, rel=0.1)
    assert found.characters == len(corpus(5000).text)
    assert found.tokens_per_second == pytest.approx(found.tokens_per_step / found.milliseconds_per_step * 1000, rel=0.2)


def test_a_budget_that_preparing_takes_is_promised_one_step() -> None:
    found = forecast(budget(0.2), corpus(500), before=20.0)
    assert found.steps == 1
    assert found.seconds > 20


def test_a_length_in_steps_takes_as_long_as_they_do() -> None:
    found = forecast(recipe(**{"training.steps": 500}), corpus(5000))
    assert found.steps == 500
    assert found.seconds > 500 * found.milliseconds_per_step / 1000


def test_a_short_text_has_a_short_context() -> None:
    assert forecast(budget(1, **{"data.window": 64}), corpus(40)).context < 40


@pytest.mark.parametrize("tokenizer", [("char", None), ("char", 20), ("bpe", None)])
def test_the_vocabulary_is_the_one_that_training_finds(tokenizer: tuple[str, int | None], tmp_path: Path) -> None:
    # Only the held-out part has the last letters, and one is spelled in two ways.
    text = Corpus("odd", (Document("odd", corpus(900).text + "e\u0301 \u00e9" + "\u4e00\u4e01\u4e02" * 20),), ())
    plan = recipe(**{"tokenizer.kind": tokenizer[0], "tokenizer.vocabulary": tokenizer[1], "training.steps": 1})
    found = forecast(plan, text)
    run(tmp_path / "run", plan, text=text)
    model = json.loads((tmp_path / "run" / "model.json").read_bytes())
    assert (found.vocabulary, found.context) == (model["vocab_size"], model["context"])


def test_of_a_large_text_the_size_on_the_disk_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_texts, "LARGE", 1000)
    (tmp_path / "long.txt").write_text(made_up_text(6000), encoding="utf-8")
    source = open_large_corpus([str(tmp_path / "long.txt")])
    assert source is not None
    found = forecast(budget(1), source)
    assert (found.characters, found.bytes, found.epochs) == (None, source.size, None)
    assert found.vocabulary == len(set(open_corpus([str(tmp_path / "long.txt")]).text)) + 16
    with pytest.raises(CorpusError, match="read as a stream and cannot be split by pieces"):
        forecast(budget(1, **{"data.split.by": "pieces"}), source)


def test_a_large_text_is_measured_with_its_documents_and_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_texts, "LARGE", 1000)
    for author in ("ann", "bob"):
        (tmp_path / "poems" / author).mkdir(parents=True)
        for number in range(4):
            text = made_up_text(1500, seed=number)
            (tmp_path / "poems" / author / f"{number}.txt").write_text(text, encoding="utf-8")
    source = open_large_corpus([str(tmp_path / "poems")])
    assert source is not None
    plain = forecast(budget(1, **{"data.split.by": "document"}), source)
    labelled = forecast(budget(1, **{"data.split.by": "document"}), replace(source, label_kind="folder"))
    # A character for the label of each author.
    assert labelled.vocabulary == plain.vocabulary + 2
    assert plain.held_out == len((tmp_path / "poems" / "bob" / "3.txt").read_text(encoding="utf-8"))


def test_of_prompts_and_answers_the_longest_is_the_context(tmp_path: Path) -> None:
    found = forecast(example_recipe(), sums())
    assert found.problems == len(sums())
    run(tmp_path / "run", example_recipe(**{"training.steps": 1}), text=sums())
    assert found.context == json.loads((tmp_path / "run" / "model.json").read_bytes())["context"]


def test_the_memory_is_that_of_the_process() -> None:
    held = peak_memory()
    assert held is None or 20e6 < held < 1e12
    assert math.isfinite(forecast(budget(1), corpus(500)).memory_bytes or 0)
