"""What a planned model is expected to come to."""

import pytest

from lilliput.evaluation.floors import ngram_floor
from lilliput.training import expectation
from lilliput.training.expectation import counting_bits, expected_bits, tells
from lilliput.training.forecast import forecast
from lilliput.training.plan import make_plan
from tests.conftest import made_up_text
from tests.training.building import corpus, sums


def test_a_model_is_better_than_counting_and_the_more_it_learns_the_better() -> None:
    for characters in (20_000, 1_000_000, 8_000_000):
        short, long = (expected_bits(2.0, characters, tokens) for tokens in (200_000, 5_000_000))
        assert 1.0 < long < short < 2.0
    # What is hard for counting stays hard: of more bits a larger share is left.
    assert expected_bits(4.0, 500_000, 1e6) > 2 * expected_bits(2.0, 500_000, 1e6)


def test_counting_is_that_of_the_end_of_the_text_by_what_stands_before(monkeypatch: pytest.MonkeyPatch) -> None:
    text = made_up_text(5000)
    found = counting_bits(text, 0.2)
    assert found == (ngram_floor(text[:4000], text[4000:]).bits_per_character, 4000)
    monkeypatch.setattr(expectation, "COUNTED", 3000)
    monkeypatch.setattr(expectation, "TOLD", 500)
    assert counting_bits(text, 0.2) == (ngram_floor(text[1000:4000], text[4000:4500]).bits_per_character, 3000)
    assert counting_bits("abc", 0.1) is None


def test_there_is_an_expectation_for_a_planned_model_of_characters() -> None:
    text = corpus(3000)
    small = {"training.steps": 3, "training.minutes": None}
    planned = make_plan("any", text, small).recipe()
    found = forecast(planned, text)
    assert found.counting is not None and found.expected is not None
    assert found.expected < found.counting
    for settings in ({"model.layers": 1}, {"model.counts": False}, {"tokenizer.kind": "byte"}):
        changed = make_plan("any", text, small | settings).recipe()
        assert not tells(changed)
        assert forecast(changed, text).expected is None
    answers = make_plan("any", sums(), small).recipe()
    assert forecast(answers, sums()).counting is None
