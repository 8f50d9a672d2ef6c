import json
import math
import random

import pytest

from lilliput.errors import CorpusError
from lilliput.evaluation import NgramModel, floors, measure_floors, ngram, ngram_floor, verdict, xz_floor


def words(seed, count):
    draw = random.Random(seed)
    stock = ["the", "wind", "over", "hills", "grey", "sings", "again", "and", "sea", "salt"]
    return " ".join(draw.choice(stock) for _ in range(count))


def test_the_ngram_floor_is_the_mean_over_all_characters_but_the_first():
    training, validation = words(0, 800), words(1, 150)
    floor = ngram_floor(training, validation, max_order=6)
    expected = [-NgramModel.fit(training, n).log_probabilities(validation)[1:].mean() for n in range(1, 7)]
    assert floor.losses == pytest.approx(expected, rel=1e-12)
    assert floor.loss == min(floor.losses) == floor.losses[floor.order - 1]
    assert floor.bits_per_character == pytest.approx(floor.loss / math.log(2))


def test_scoring_in_parts_changes_nothing(monkeypatch):
    training, validation = words(0, 300), words(1, 150)
    whole = ngram_floor(training, validation)
    monkeypatch.setattr(ngram, "AT_ONCE", 13)
    assert ngram_floor(training, validation).losses == pytest.approx(whole.losses, rel=1e-12)


def test_random_letters_have_nothing_to_count():
    draw = random.Random(3)
    text = "".join(draw.choices("abcdefgh", k=30_000))
    floor = ngram_floor(text[:27_000], text[27_000:])
    assert floor.order <= 2
    assert floor.bits_per_character == pytest.approx(3, abs=0.02)
    assert xz_floor(text[:27_000], text[27_000:]).bits_per_character == pytest.approx(3.3, abs=0.3)


def test_a_repeated_text_costs_xz_next_to_nothing_and_a_new_one_does_not():
    training = words(0, 2000)
    assert xz_floor(training, training[4000:6000]).bits_per_character < 0.2
    assert xz_floor(training, words(9, 300).upper()).bits_per_character > 1


def test_long_texts_are_cut_at_the_near_end_and_the_result_says_so(monkeypatch):
    for name, size in [("NGRAM_TRAINING", 1000), ("XZ_TRAINING", 900), ("XZ_VALIDATION", 300)]:
        monkeypatch.setattr(floors, f"{name}_CHARACTERS", size)
    training, validation = words(0, 800), words(1, 150)
    assert ngram_floor(training, validation) == ngram_floor(training[-1000:], validation)
    assert ngram_floor(training, validation).training_characters_used == 1000
    cut = xz_floor(training, validation)
    assert cut == xz_floor(training[-900:], validation[:300])
    assert (cut.training_characters_used, cut.validation_characters_used) == (900, 300)


def test_the_figures_have_the_shape_of_the_command_line():
    figures = json.loads(json.dumps(measure_floors(words(0, 300), words(1, 50)).as_dict(), allow_nan=False))
    assert figures["ngram"]["bits_per_character"] > 0
    assert figures["ngram"]["order"] == 1 + figures["ngram"]["losses_by_order"].index(figures["ngram"]["loss"])
    assert len(figures["ngram"]["losses_by_order"]) == 8
    assert figures["xz"]["bits_per_character"] > 0


def test_tiny_texts_have_floors_too():
    figures = measure_floors("ab", "ba")
    assert figures.ngram.order in (1, 2)
    assert math.isfinite(figures.ngram.loss)


@pytest.mark.parametrize(("training", "validation"), [("", "abc"), ("abc", ""), ("abc", "a")])
def test_texts_without_anything_to_count_are_refused(training, validation):
    with pytest.raises(CorpusError, match="give"):
        measure_floors(training, validation)


def test_the_verdict_is_plain_in_both_directions():
    figures = measure_floors(words(0, 300), words(1, 50)).as_dict()
    counting, order = figures["ngram"]["bits_per_character"], figures["ngram"]["order"]
    good, bad = verdict(counting - 0.25, figures), verdict(counting + 0.5, figures)
    assert good.startswith("better than counting by 0.25 bits per character")
    assert f"(order {order})" in good
    assert bad.startswith("NOT better than counting yet")
    assert "0.50 more" in bad


@pytest.mark.parametrize("bits", [None, math.nan, math.inf])
def test_a_network_that_diverged_is_not_better(bits):
    assert verdict(bits, measure_floors("abab", "ba").as_dict()).startswith("NOT better than counting: ")
