"""Every filter against its definition, written out the slow way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lilliput.generation.filters import (
    ban,
    bias,
    force,
    greatest,
    min_p,
    no_repeat_ngram,
    penalties,
    softmax,
    temperature,
    top_k,
    top_p,
    typical,
    xtc,
)

# Few distinct values, so that ties are common.
tied_logits = st.lists(st.integers(-3, 3), min_size=1, max_size=30).map(lambda row: np.array(row, dtype=np.float32))
INFINITE = float("-inf")


def kept(logits_V):
    return np.flatnonzero(np.isfinite(logits_V)).tolist()


def exact(logits_V):
    exponentials_V = np.exp(logits_V.astype(np.float64))
    return exponentials_V / exponentials_V.sum()


def fewest(order, probabilities_V, mass):
    """The first of `order` that together have `mass`."""
    chosen, total = [], 0.0
    for id_ in order:
        if chosen and total >= mass - 1e-12:
            break
        chosen.append(id_)
        total += probabilities_V[id_]
    return sorted(chosen)


@given(tied_logits, st.integers(1, 35))
def test_exactly_k_survive_ties_and_they_are_the_greatest(logits_V, count):
    result_V = top_k(count)(logits_V, [])
    expected = sorted(range(logits_V.size), key=lambda id_: (-logits_V[id_], id_))[:count]
    assert kept(result_V) == sorted(expected)
    assert np.array_equal(result_V[sorted(expected)], logits_V[sorted(expected)])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 40))
def test_the_greatest_of_many_are_found_without_sorting_all(seed, count, values):
    logits_V = np.random.default_rng(seed).integers(0, values, 20_000).astype(np.float32)
    expected = np.lexsort((np.arange(logits_V.size), -logits_V))[:count]
    assert greatest(logits_V, count).tolist() == sorted(expected.tolist())


@given(tied_logits, st.floats(0.01, 0.99))
def test_top_p_keeps_the_fewest_tokens_that_reach_the_mass(logits_V, mass):
    probabilities_V = exact(logits_V)
    order = sorted(range(logits_V.size), key=lambda id_: (-logits_V[id_], id_))
    got = kept(top_p(mass)(logits_V, []))
    # A sum that meets the mass to the last digit may fall on either side.
    assert got == fewest(order, probabilities_V, mass) or abs(probabilities_V[got].sum() - mass) < 1e-6


@pytest.mark.parametrize("spread", [0.1, 3.0, 12.0])
def test_top_p_of_a_large_vocabulary(spread):
    logits_V = (np.random.default_rng(2).normal(size=20_000) * spread).astype(np.float32)
    probabilities_V = exact(logits_V)
    expected = fewest(np.argsort(-logits_V, kind="stable"), probabilities_V, 0.9)
    assert abs(len(kept(top_p(0.9)(logits_V, []))) - len(expected)) <= 1 + len(expected) // 10_000


@given(tied_logits, st.floats(0.01, 1))
def test_min_p_is_a_share_of_the_likeliest(logits_V, share):
    probabilities_V = exact(logits_V)
    for id_, value in enumerate(min_p(share)(logits_V, [])):
        ratio = probabilities_V[id_] / probabilities_V.max()
        assert abs(ratio - share) < 1e-6 or np.isfinite(value) == (ratio > share)


@given(tied_logits, st.floats(0.01, 0.99))
def test_typical_keeps_what_surprises_as_much_as_expected(logits_V, mass):
    probabilities_V = exact(logits_V)
    entropy = -(probabilities_V * np.log(probabilities_V)).sum()
    distances = np.abs(-np.log(probabilities_V) - entropy).round(4)
    order = sorted(range(logits_V.size), key=lambda id_: (distances[id_], id_))
    got = kept(typical(mass)(logits_V, []))
    assert abs(probabilities_V[got].sum() - mass) < 1e-5 or {probabilities_V[id_] for id_ in got} == {
        probabilities_V[id_] for id_ in fewest(order, probabilities_V, mass)
    }


def test_typical_may_leave_out_the_likeliest():
    # It surprises by 0.9 nats, the others by 2.8, and 2.1 are expected.
    logits_V = np.log(np.array([0.4, *[0.06] * 10]))
    assert kept(typical(0.2)(logits_V, [])) == [1, 2, 3, 4]


def test_xtc_excludes_the_top_choices_but_the_last():
    logits_V = np.log(np.array([0.1, 0.4, 0.3, 0.15, 0.05]))
    always = xtc(0.12, 1.0, np.random.default_rng(0))
    assert kept(always(logits_V, [])) == [0, 3, 4]
    assert kept(xtc(0.35, 1.0, np.random.default_rng(0))(logits_V, [])) == [0, 1, 2, 3, 4]
    assert kept(xtc(0.12, 0.0, np.random.default_rng(0))(logits_V, [])) == [0, 1, 2, 3, 4]
    half = xtc(0.12, 0.5, np.random.default_rng(0))
    assert 400 < sum(len(kept(half(logits_V, []))) == 3 for _ in range(1000)) < 600


def test_xtc_keeps_one_of_two_equals():
    assert kept(xtc(0.5, 1.0, np.random.default_rng(0))(np.zeros(2), [])) == [1]


@settings(deadline=None)
@given(tied_logits, st.floats(1e-3, 50))
def test_temperature_divides_the_logits(logits_V, value):
    expected_V = softmax(logits_V.astype(np.float64) / value)
    np.testing.assert_allclose(softmax(temperature([value])(logits_V, [])), expected_V, atol=1e-5)


@pytest.mark.parametrize("value", [0, 1e-300, 1e-6])
def test_a_tiny_temperature_is_the_greatest_logit(value):
    logits_V = np.array([0.5, 3.0, 2.99], dtype=np.float32)
    assert softmax(temperature([value])(logits_V, [])).tolist() == [0.0, 1.0, 0.0]


def test_temperatures_take_turns_from_the_first_new_token_on():
    logits_V = np.array([0.0, 2.0])
    cycle = temperature([1, 2, 4], start=3)
    found = [np.ptp(cycle(logits_V, [0] * length)) for length in range(3, 8)]
    assert found == [2.0, 1.0, 0.5, 2.0, 1.0]


@given(st.lists(st.integers(0, 5), max_size=12), st.integers(1, 5), st.integers(1, 8))
def test_no_group_comes_again(ids, length, seed):
    logits_V = np.random.default_rng(seed).normal(size=6)
    result_V = no_repeat_ngram(length)(logits_V, ids)
    known = {tuple(ids[place : place + length]) for place in range(len(ids) - length + 1)}
    for token in range(6):
        group = (*ids[len(ids) - length + 1 :], token) if len(ids) >= length - 1 else None
        assert (result_V[token] == INFINITE) == (group in known)


@given(tied_logits, st.lists(st.integers(0, 29), max_size=12), st.integers(1, 6))
def test_penalties_are_for_the_latest_tokens(logits_V, ids, window):
    ids = [id_ % logits_V.size for id_ in ids]
    result_V = penalties(1.5, 0.25, 0.5, window)(logits_V, ids)
    for token, value in enumerate(logits_V):
        times = ids[-window:].count(token)
        if times:
            expected = (value / 1.5 if value > 0 else value * 1.5) - 0.25 - 0.5 * times
        assert result_V[token] == pytest.approx(expected if times else value)


def test_bias_ban_and_force():
    logits_V = np.array([1.0, 2.0, 3.0, 4.0])
    assert bias({0: 5, 3: -1.5})(logits_V, []).tolist() == [6, 2, 3, 2.5]
    assert kept(ban([1, 1, 3])(logits_V, [])) == [0, 2]
    forced = force([2, 0], start=1)
    assert [kept(forced(logits_V, [9] * length)) for length in range(4)] == [[0, 1, 2, 3], [2], [0], [0, 1, 2, 3]]


@pytest.mark.parametrize(
    "change",
    [
        temperature([0.5]),
        top_k(2),
        top_p(0.5),
        min_p(0.5),
        typical(0.5),
        xtc(0.1, 1.0, np.random.default_rng(0)),
        penalties(1.3, 0.5, 0.5, 8),
        bias({1: 2.0}),
        ban([1]),
        no_repeat_ngram(1),
        force([1], 3),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_filters_leave_their_input_alone_and_keep_its_precision(change, dtype):
    logits_V = np.array([1.0, 2.0, 3.0, 4.0], dtype=dtype)
    before_V = logits_V.copy()
    result_V = change(logits_V, [0, 1, 1])
    assert result_V.dtype == dtype
    assert result_V.shape == logits_V.shape
    assert not np.array_equal(result_V, before_V)
    assert np.array_equal(logits_V, before_V)
