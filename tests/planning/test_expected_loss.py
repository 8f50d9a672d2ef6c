"""What a planned model is expected to come to."""

from tests.training.building import corpus, sums

from lilliput.planning.expected_loss import expected_bits, tells
from lilliput.planning.forecast import forecast
from lilliput.planning.plan import make_plan


def test_a_model_is_better_than_counting_and_the_more_it_learns_the_better() -> None:
    for characters in (20_000, 1_000_000, 8_000_000):
        short, long = (expected_bits(2.0, 2.3, characters, tokens) for tokens in (200_000, 5_000_000))
        assert 1.0 < long < short < 2.0
    # What is hard for counting stays hard: of more bits a larger share is left.
    assert expected_bits(4.0, 4.6, 500_000, 1e6) > 2 * expected_bits(2.0, 2.3, 500_000, 1e6)
    # What can be copied is easier than counting makes it.
    assert expected_bits(2.0, 1.5, 500_000, 1e6) < expected_bits(2.0, 2.3, 500_000, 1e6)


def test_a_text_that_repeats_itself_is_expected_to_take_few_bits_but_some() -> None:
    assert 0 < expected_bits(1.0, 0.001, 1000, 1e9) <= 0.1
    assert expected_bits(8.0, 100.0, 1000, 1) == 8.0


def test_there_is_an_expectation_for_a_planned_model_of_characters() -> None:
    text = corpus(3000)
    small = {"training.steps": 3, "training.minutes": None}
    planned = make_plan("any", text, small).recipe()
    found = forecast(planned, text)
    assert found.baselines is not None and found.expected is not None
    assert 0 < found.expected <= found.baselines["ngram"]["bits_per_character"] + 5e-4  # it is rounded
    for settings in ({"model.layers": 1}, {"model.counts": False}, {"tokenizer.kind": "byte"}):
        changed = make_plan("any", text, small | settings).recipe()
        assert not tells(changed)
        assert forecast(changed, text).expected is None
    answers = make_plan("any", sums(), small).recipe()
    assert forecast(answers, sums()).baselines is None
