"""What a run would be, and how fast this machine takes its steps."""

import math
from pathlib import Path
from typing import Any

import pytest

from lilliput.corpus import open_corpus, open_large_corpus, streaming
from lilliput.models import build, count_parameters
from lilliput.recipe import Recipe
from lilliput.training import pace
from lilliput.training.forecast import TRAINING_SHARE, forecast
from lilliput.training.pace import measure_pace, memory_held
from tests.conftest import made_up_text
from tests.training.building import corpus, example_recipe, recipe, sums


def budget(minutes: float, **settings: Any) -> Recipe:
    return recipe(**{"training.minutes": minutes, "training.steps": None} | settings)


def test_a_pace_is_that_of_the_recipe_s_own_steps() -> None:
    plan = recipe(**{"training.batch": 2, "training.accumulation": 3})
    found = measure_pace(plan, 30, 12, steps=4, seconds=0.0)
    assert len(found.step_seconds) == 4
    assert found.tokens_per_step == 2 * 3 * 12
    assert found.parameters == count_parameters(build(plan.model, 30, 12))
    assert found.tokens_per_second == pytest.approx(72 / found.seconds_per_step)
    assert min(found.step_seconds) <= found.seconds_per_step <= max(found.step_seconds)


def test_fast_steps_are_measured_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(pace.time, "perf_counter", lambda: float(next(ticks)))
    found = measure_pace(recipe(), 30, 12, steps=2, seconds=7.0)
    assert found.step_seconds == (1.0,) * 6


def test_a_budget_is_divided_by_the_pace() -> None:
    found = forecast(budget(2), corpus(5000))
    assert found.seconds == 120
    expected = (120 - 2) * TRAINING_SHARE / (found.milliseconds_per_step / 1000)
    assert found.steps == pytest.approx(expected, rel=0.1)
    assert found.passes == pytest.approx(found.steps * found.tokens_per_step / 5000, rel=0.1)
    assert found.characters == len(corpus(5000).text)
    assert found.tokens_per_second == pytest.approx(found.tokens_per_step / found.milliseconds_per_step * 1000, rel=0.2)


def test_a_length_in_steps_takes_as_long_as_they_do() -> None:
    found = forecast(recipe(**{"training.steps": 500}), corpus(5000))
    assert found.steps == 500
    assert found.seconds > 500 * found.milliseconds_per_step / 1000


def test_a_short_text_has_a_short_context() -> None:
    assert forecast(budget(1, **{"data.window": 64}), corpus(40)).context < 40


def test_the_vocabulary_is_told_from_the_text() -> None:
    characters = len(set(corpus(5000).text))
    assert forecast(budget(1), corpus(5000)).vocabulary == characters + 16
    assert forecast(budget(1, **{"tokenizer.vocabulary": 20}), corpus(5000)).vocabulary == 20
    words = {"tokenizer.kind": "bpe", "tokenizer.vocabulary": 300}
    found = forecast(budget(1, **words), corpus(5000))
    assert (found.vocabulary, found.passes) == (300, None)
    assert forecast(budget(1, **{"tokenizer.kind": "byte", "tokenizer.vocabulary": None}), corpus(50)).vocabulary == 256


def test_of_a_large_text_the_size_on_the_disk_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LARGE", 1000)
    (tmp_path / "long.txt").write_text(made_up_text(6000), encoding="utf-8")
    source = open_large_corpus([str(tmp_path / "long.txt")])
    assert source is not None
    found = forecast(budget(1), source)
    assert (found.characters, found.bytes, found.passes) == (None, source.size, None)
    assert found.vocabulary == len(set(open_corpus([str(tmp_path / "long.txt")]).text)) + 16


def test_of_prompts_and_answers_the_longest_is_the_context() -> None:
    found = forecast(example_recipe(), sums())
    assert found.problems == len(sums())
    assert found.context == min(example_recipe().data.window, sums().longest + 1)


def test_the_memory_is_that_of_the_process() -> None:
    held = memory_held()
    assert held is None or 20e6 < held < 1e12
    assert math.isfinite(forecast(budget(1), corpus(500)).memory_bytes or 0)
