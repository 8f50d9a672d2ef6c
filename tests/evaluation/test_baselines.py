import json
import math
import random

import pyppmd
import pytest

from lilliput.errors import CorpusError
from lilliput.evaluation import (
    NgramModel,
    baselines,
    measure_baselines,
    ngram,
    ngram_baseline,
    ppmd_baseline,
    strongest_baseline,
    verdict,
    xz_baseline,
)
from lilliput.evaluation.baselines import bought, measure_likeness


def words(seed, count):
    draw = random.Random(seed)
    stock = ["the", "wind", "over", "hills", "grey", "sings", "again", "and", "sea", "salt"]
    return " ".join(draw.choice(stock) for _ in range(count))


def test_the_ngram_baseline_is_the_mean_over_all_characters_but_the_first():
    training, validation = words(0, 800), words(1, 150)
    baseline = ngram_baseline(training, validation, max_order=6)
    expected = [-NgramModel.fit(training, n).log_probabilities(validation)[1:].mean() for n in range(1, 7)]
    assert baseline.losses == pytest.approx(expected, rel=1e-12)
    assert baseline.loss == min(baseline.losses) == baseline.losses[baseline.order - 1]
    assert baseline.bits_per_character == pytest.approx(baseline.loss / math.log(2))


def test_scoring_in_parts_changes_nothing(monkeypatch):
    training, validation = words(0, 300), words(1, 150)
    whole = ngram_baseline(training, validation)
    monkeypatch.setattr(ngram, "AT_ONCE", 13)
    assert ngram_baseline(training, validation).losses == pytest.approx(whole.losses, rel=1e-12)


def test_random_letters_have_nothing_to_count():
    draw = random.Random(3)
    text = "".join(draw.choices("abcdefgh", k=30_000))
    baseline = ngram_baseline(text[:27_000], text[27_000:])
    assert baseline.order <= 2
    assert baseline.bits_per_character == pytest.approx(3, abs=0.02)
    assert xz_baseline(text[:27_000], text[27_000:]).bits_per_character == pytest.approx(3.3, abs=0.3)


def test_a_repeated_text_costs_xz_next_to_nothing_and_a_new_one_does_not():
    training = words(0, 2000)
    assert xz_baseline(training, training[4000:6000]).bits_per_character < 0.2
    assert xz_baseline(training, words(9, 300).upper()).bits_per_character > 1


def test_long_texts_are_cut_at_the_near_end_and_the_result_says_so(monkeypatch):
    for name, size in [("NGRAM_TRAINING", 1000), ("XZ_TRAINING", 900), ("XZ_VALIDATION", 300)]:
        monkeypatch.setattr(baselines, f"{name}_CHARACTERS", size)
    training, validation = words(0, 800), words(1, 150)
    assert ngram_baseline(training, validation) == ngram_baseline(training[-1000:], validation)
    assert ngram_baseline(training, validation).training_characters_used == 1000
    cut = xz_baseline(training, validation)
    assert cut == xz_baseline(training[-900:], validation[:300])
    assert (cut.training_characters_used, cut.validation_characters_used) == (900, 300)


def test_the_figures_have_the_shape_of_the_command_line():
    figures = json.loads(json.dumps(measure_baselines(words(0, 300), words(1, 50)).as_dict(), allow_nan=False))
    assert figures["ngram"]["bits_per_character"] > 0
    assert figures["ngram"]["order"] == 1 + figures["ngram"]["losses_by_order"].index(figures["ngram"]["loss"])
    assert len(figures["ngram"]["losses_by_order"]) == 8
    assert figures["xz"]["bits_per_character"] > 0


def test_tiny_texts_have_baselines_too():
    figures = measure_baselines("ab", "ba")
    assert figures.ngram.order in (1, 2)
    assert math.isfinite(figures.ngram.loss)


@pytest.mark.parametrize(("training", "validation"), [("", "abc"), ("abc", ""), ("abc", "a")])
def test_texts_without_anything_to_count_are_refused(training, validation):
    with pytest.raises(CorpusError, match="give"):
        measure_baselines(training, validation)


def test_ppmd_is_what_the_held_out_text_adds_to_the_packed_training_text():
    training, validation = words(0, 800), words(1, 150)
    sizes = []
    for text in (training, training + validation):
        encoder = pyppmd.Ppmd7Encoder(6, 1 << 24)
        sizes.append(len(encoder.encode(text.encode()) + encoder.flush()))
    baseline = ppmd_baseline(training, validation)
    assert baseline.bits_per_character == (sizes[1] - sizes[0]) * 8 / len(validation)
    assert (baseline.training_characters_used, baseline.validation_characters_used) == (len(training), len(validation))
    assert ppmd_baseline(training, words(9, 300).upper()).bits_per_character > baseline.bits_per_character


def test_ppmd_takes_the_near_end_of_a_long_text(monkeypatch):
    monkeypatch.setattr(baselines, "PPMD_TRAINING_CHARACTERS", 900)
    monkeypatch.setattr(baselines, "PPMD_VALIDATION_CHARACTERS", 300)
    training, validation = words(0, 800), words(1, 150)
    assert ppmd_baseline(training, validation) == ppmd_baseline(training[-900:], validation[:300])


def figures(**bits):
    orders = {"ngram": {"order": 5}, "ppmd": {"order": 6}, "xz": {}}
    return {name: {"bits_per_character": value} | orders[name] for name, value in bits.items()}


def test_the_strongest_baseline_is_the_one_to_beat():
    assert strongest_baseline(figures(ngram=2.4, ppmd=2.1, xz=2.5)) == ("PPMd (order 6)", 2.1)
    assert strongest_baseline(figures(ngram=2.4, ppmd=2.1, xz=2.0)) == ("xz", 2.0)
    assert strongest_baseline(figures(ngram=2.4, xz=2.5)) == ("count model (order 5)", 2.4)
    assert strongest_baseline({"most_frequent_answer": {"answer": "9", "exact_match": 0.1}}) is None


def test_the_verdict_is_plain_in_both_directions():
    baselines = figures(ngram=2.4, ppmd=2.1, xz=2.5)
    better = "better than PPMd (order 6), the strongest baseline, by 0.25 bits per character: "
    assert verdict(1.85, baselines) == better + "1.85 bits per character against 2.10 bits per character"
    # Better than counting is not enough.
    worse = "NOT better than PPMd (order 6), the strongest baseline: 2.30 bits per character against 2.10 bits per "
    assert verdict(2.3, baselines) == worse + "character, which is 0.20 bits per character more"


@pytest.mark.parametrize(("ours", "theirs"), [(0.0, 0.0), (0.001, 0.0), (2.104, 2.1), (2.1, 2.104)])
def test_figures_that_are_alike_are_not_told_apart(ours, theirs):
    said = verdict(ours, figures(ngram=3.0, ppmd=theirs, xz=3.0))
    assert said.startswith("no better and no worse than PPMd (order 6), the strongest baseline: ")
    assert "0.00" not in said


def test_it_is_said_what_training_bought():
    parts = {"network": {"bits_per_character": 2.5}, "counts": {"bits_per_character": 2.05}}
    said = "counts and guesses alone need 2.05 bits per character, with the network 1.98: the training was worth 0.07"
    assert bought(parts, 1.98) == said
    assert (bought(parts, 2.047) or "").endswith("and with the network 2.05: the network adds nothing")
    assert bought({}, 1.98) is bought(parts, None) is None


@pytest.mark.parametrize("bits", [None, math.nan, math.inf])
def test_a_network_that_diverged_is_not_better(bits):
    assert verdict(bits, measure_baselines("abab", "ba").as_dict()).startswith("NOT better than ")


def test_a_baseline_of_the_whole_text_among_those_of_a_part_is_named_so():
    part = {"ngram": {"order": 5, "bits_per_character": 2.0, "sampled_share": 0.2}}
    whole = {"xz": {"bits_per_character": 1.5, "sampled_share": 1.0}}
    assert baselines.named_baselines(part | whole) == {"count model (order 5)": 2.0, "xz, whole text": 1.5}
    assert "xz, whole text" in verdict(1.0, part | whole)


def test_both_parts_are_measured_by_the_same_rest(monkeypatch):
    training, validation = words(0, 4000), words(1, 600)
    like, middle = measure_likeness(training, validation), (len(training) - len(validation)) // 2
    rest = training[:middle] + training[middle + len(validation) :]
    assert like is not None
    assert like.held_out == ppmd_baseline(rest, validation).bits_per_character
    assert like.middle == ppmd_baseline(rest, training[middle : middle + len(validation)]).bits_per_character
    assert like.held_out == pytest.approx(like.middle, rel=0.1)
    other = measure_likeness(training, validation.upper())
    assert other is not None and other.held_out > 1.15 * other.middle == 1.15 * like.middle
    assert measure_likeness(training, words(1, 300)) is None  # too little to tell
    monkeypatch.setattr(baselines, "LIKE_CHARACTERS", 2_400)
    cut = measure_likeness(training, validation)
    assert cut == measure_likeness(training, validation[:1200] + validation[-1200:])
