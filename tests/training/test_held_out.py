import numpy as np
import pytest

from lilliput.evaluation.baselines import ngram_baseline
from lilliput.evaluation.loss import cut, pieces, targets_of
from lilliput.evaluation.ngram import NgramModel
from lilliput.segments import starts_of
from lilliput.tokenizers import train as train_tokenizer
from lilliput.training.data.held_out import baselines_on_part, held_out_facts
from tests.conftest import made_up_text

WINDOW, LIMIT = 32, 4500


@pytest.fixture(scope="module", params=["char", "bpe"])
def measured(request):
    learned, text = made_up_text(6000), made_up_text(12_000, 2) + "é€" * 20 + made_up_text(4000, 3).upper()
    tokenizer = train_tokenizer(request.param, [learned], None if request.param == "char" else 128)
    ids = tokenizer.encode(text)
    return learned, text, tokenizer, ids, held_out_facts(tokenizer, ids, [text], [learned], WINDOW)


def test_the_baselines_of_a_part_are_those_of_its_pieces(measured):
    learned, text, tokenizer, ids, facts = measured
    stretches = pieces(targets_of(len(ids)), WINDOW, LIMIT)
    on_part = baselines_on_part(facts, targets_of(len(ids)), stretches)["ngram"]
    # Counted in another way: the characters of each target, at the best order for the whole text.
    nats = -NgramModel.fit(learned, facts["baselines"]["ngram"]["order"]).log_probabilities(text)
    nats[0] = 0
    per_target = 0.0
    for stretch in stretches:
        start = len(tokenizer.decode(ids[: stretch.start + 1].tolist())) if stretch.start else 0
        stop = len(tokenizer.decode(ids[: stretch.stop + 1].tolist()))
        per_target += nats[start:stop].sum() / sum(map(len, stretches))
    expected = facts["baselines"]["ngram"]["bits_per_character"] * per_target / (nats.sum() / (len(ids) - 1))
    assert on_part["bits_per_character"] == pytest.approx(expected, rel=1e-3)
    assert on_part["sampled_share"] == pytest.approx(sum(map(len, stretches)) / (len(ids) - 1), abs=1e-4)
    assert on_part["bits_per_character"] != facts["baselines"]["ngram"]["bits_per_character"]


def test_all_pieces_together_are_the_whole(measured):
    *_, ids, facts = measured
    grid = cut(targets_of(len(ids)), facts["pieces"]["targets"])
    on_part = baselines_on_part(facts, targets_of(len(ids)), grid)
    for name in ("ngram", "ppmd"):
        whole = facts["baselines"][name]["bits_per_character"]
        assert on_part[name]["bits_per_character"] == pytest.approx(whole, abs=1e-4)


def test_a_baseline_without_pieces_is_marked_as_that_of_the_whole_text(measured):
    *_, ids, facts = measured
    stretches = pieces(targets_of(len(ids)), WINDOW, LIMIT)
    assert baselines_on_part(facts, targets_of(len(ids)), stretches)["xz"] == facts["baselines"]["xz"] | {
        "sampled_share": 1.0
    }
    earlier = {key: facts[key] for key in ("baselines", "validation")}
    assert baselines_on_part(earlier, targets_of(len(ids)), stretches)["ngram"] == facts["baselines"]["ngram"] | {
        "sampled_share": 1.0
    }


def test_segments_are_measured_as_separate_texts(measured):
    learned, text, tokenizer, *_ = measured
    texts = [text[:3000], text[3000:3300], text[3300:]]
    parts = [tokenizer.encode(part) for part in texts]
    ids, starts = np.concatenate(parts), starts_of(map(len, parts))
    facts = held_out_facts(tokenizer, ids, texts, [learned[:2000], learned[2000:]], WINDOW, starts=starts)
    targets = targets_of(len(ids), starts)
    grid = cut(targets, facts["pieces"]["targets"])
    assert all(len(costs) == len(grid) for costs in facts["pieces"]["costs"].values())
    on_part = baselines_on_part(facts, targets, grid)
    for name in ("ngram", "ppmd"):
        assert on_part[name]["bits_per_character"] == pytest.approx(
            facts["baselines"][name]["bits_per_character"], abs=1e-4
        )
        assert on_part[name]["sampled_share"] == 1
    part = baselines_on_part(facts, targets, pieces(targets, WINDOW, LIMIT))["ngram"]
    assert part["sampled_share"] < 1
    # Its characters, counted in another way: each segment starts without a context.
    order = facts["baselines"]["ngram"]["order"]
    costs = sum(
        ngram_baseline(learned, part, order, starts=((0, 2000), (0,))).losses[-1] * (len(part) - 1) for part in texts
    )
    assert facts["baselines"]["ngram"]["loss"] == pytest.approx(costs / (len(text) - 3), abs=1e-5)
