"""The order of the filters, the draw, and what a sampler does when nothing can be drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lilliput.errors import GenerationError
from lilliput.generation import Sampler, SamplingSettings
from lilliput.generation.filters import ban, min_p, softmax, temperature, top_k, top_p
from lilliput.generation.sampling import draw, sampling_probabilities

tied_logits = st.lists(st.integers(-3, 3), min_size=1, max_size=30).map(lambda row: np.array(row, dtype=np.float32))


def distribution(settings, logits_V, ids=(), own=(), draws=20_000):
    """How often a sampler takes each token."""
    sampler = Sampler(SamplingSettings(**settings), 5, len(ids), own)
    return np.bincount([sampler.choose(logits_V, ids).id for _ in range(draws)], minlength=logits_V.size)


def assert_follows(counts, expected_V):
    """A chi-square test at the 99.9 % point for 11 degrees of freedom; fewer have a lower one."""
    expected = expected_V * counts.sum()
    assert counts[expected == 0].sum() == 0
    possible = expected > 0
    assert ((counts - expected)[possible] ** 2 / expected[possible]).sum() < 31.3


@given(tied_logits, st.integers(0, 5))
def test_temperature_zero_is_argmax(logits_V, seed):
    sampler = Sampler(SamplingSettings(temperature=0, top_k=7, top_p=0.9), seed, 0)
    assert sampler.choose(logits_V, []).id == int(np.argmax(logits_V))


def test_temperature_zero_obeys_penalties_and_bans():
    logits_V = np.array([1.0, 5.0, 4.0, 3.0])
    settings = SamplingSettings(temperature=0, presence_penalty=2.5)
    assert Sampler(settings, 1, 1, [ban([2])]).choose(logits_V, [1]).id == 3


@pytest.mark.parametrize("size", [12, 3000])
@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"top_k": 5},
        {"temperature": 0.5, "top_p": 0.8},
        {"temperature": 0.5, "top_k": 6, "top_p": 0.9, "min_p": 0.1},
        {"temperature": 2, "min_p": 0.3},
    ],
)
def test_draws_follow_the_softmax_of_what_is_left(chosen, size):
    # All but twelve are hopeless, in the large vocabulary too.
    logits_V = np.full(size, -50, dtype=np.float32)
    logits_V[-12:] = np.random.default_rng(1).normal(size=12)
    expected_V = logits_V.astype(np.float64)
    # The whole vector, in the order that is documented.
    for key, change in (
        ("top_k", top_k),
        ("temperature", lambda value: temperature([value])),
        ("top_p", top_p),
        ("min_p", min_p),
    ):
        if key in chosen:
            expected_V = change(chosen[key])(expected_V, [])
    assert_follows(distribution({"temperature": 1, **chosen}, logits_V), softmax(expected_V))
    settings = SamplingSettings(**{"temperature": 1, **chosen})
    np.testing.assert_allclose(sampling_probabilities(logits_V, [], settings, 0), softmax(expected_V), atol=1e-6)


@pytest.mark.parametrize(
    "chosen",
    [
        {"xtc_probability": 0.5, "xtc_threshold": 0.1},
        {"typical": 0.6, "temperatures": (0.5, 2)},
        {"temperature": 0, "presence_penalty": 3},
        {"top_k": 4, "repetition_penalty": 1.5},
    ],
)
def test_the_probabilities_of_the_draws_are_known(chosen):
    logits_V = np.log(np.array([0.4, 0.25, 0.2, 0.1, 0.05]))
    expected_V = sampling_probabilities(logits_V, [0, 0], SamplingSettings(**chosen), 2, [ban([3])])
    assert expected_V.sum() == pytest.approx(1)
    assert_follows(distribution(chosen, logits_V, [0, 0], [ban([3])]), expected_V)


def test_filters_act_in_the_order_top_k_temperature_top_p():
    logits_V = np.log(np.array([0.4, 0.3, 0.2, 0.1]))
    # Sharpened and cut to three: 16, 9 and 4 of 29. The first two hold 0.86 of it; of the plain four they hold 0.7.
    counts = distribution({"temperature": 0.5, "top_k": 3, "top_p": 0.8}, logits_V)
    assert_follows(counts, np.array([16 / 25, 9 / 25, 0, 0]))


def test_penalties_act_before_top_k_and_own_filters_behind_them():
    logits_V = np.log(np.array([0.4, 0.3, 0.2, 0.1]))
    seen = []

    def own(logits_V, ids):
        seen.append((logits_V.copy(), list(ids)))
        return logits_V + np.array([0, 0, 0, 9.0])

    sampler = Sampler(SamplingSettings(temperature=1, top_k=1, presence_penalty=5), 1, 1, [own])
    assert sampler.choose(logits_V, [0]).id == 3
    assert seen[0][1] == [0]
    np.testing.assert_allclose(seen[0][0], logits_V - np.array([5, 0, 0, 0]))


def test_the_probability_is_the_model_s_own():
    probabilities_V = np.array([0.4, 0.3, 0.2, 0.1])
    sampler = Sampler(SamplingSettings(temperature=0.3, top_k=2), 1, 0, [ban([0])])
    token = sampler.choose(np.log(probabilities_V) + 7, [])
    assert token.probability == pytest.approx(probabilities_V[token.id])
    assert token.id in (1, 2)


def test_draws_of_a_large_vocabulary_follow_the_softmax():
    generator = np.random.default_rng(3)
    logits_V = (generator.normal(size=3000) * 2).astype(np.float32)
    counts = distribution({"temperature": 1}, logits_V)
    # Twelve bins of about equal weight, of tokens in no order.
    probabilities_V, order = softmax(logits_V.astype(np.float64)), generator.permutation(3000)
    bins = np.minimum((np.cumsum(probabilities_V[order]) * 12).astype(int), 11)
    assert_follows(
        np.bincount(bins, weights=counts[order], minlength=12),
        np.bincount(bins, weights=probabilities_V[order], minlength=12),
    )


class Fixed(np.random.Generator):
    """A generator that returns one number."""

    def __init__(self, number):
        super().__init__(np.random.PCG64(0))
        self.number = number

    def random(self):
        return self.number


@pytest.mark.parametrize(("number", "place"), [(0.0, 0), (0.4999, 0), (0.5, 1), (1 - 2**-53, 1)])
@pytest.mark.parametrize(("first", "second", "size"), [(1, 3, 5), (0, 1, 2), (300, 301, 5000), (511, 512, 5000)])
def test_impossible_tokens_at_the_edges_are_never_drawn(number, place, first, second, size):
    logits_V = np.full(size, -np.inf, dtype=np.float32)
    logits_V[[first, second]] = 0
    assert draw(logits_V, Fixed(number)) == (first, second)[place]


@pytest.mark.parametrize("row", [[np.nan, 1.0], [-np.inf, -np.inf], [np.inf, 0.0]])
def test_logits_that_are_not_finite_are_an_error(row):
    with pytest.raises(GenerationError, match="not finite"):
        Sampler(SamplingSettings(), 1, 0).choose(np.array(row), [])


def test_nothing_left_is_an_error_with_the_remedy():
    with pytest.raises(GenerationError, match=r"no token is allowed.*loosen"):
        Sampler(SamplingSettings(no_repeat_ngram=1), 1, 0).choose(np.zeros(2), [0, 1, 0])


@pytest.mark.parametrize(
    "given_settings",
    [
        {"temperature": -1},
        {"temperatures": (0.5, -1)},
        {"top_k": 0},
        {"top_p": 0},
        {"top_p": 1.1},
        {"min_p": 0},
        {"typical": 1.5},
        {"xtc_threshold": 0.6},
        {"xtc_probability": -0.1},
        {"repetition_penalty": 0},
        {"presence_penalty": float("nan")},
        {"penalty_window": 0},
        {"no_repeat_ngram": 0},
        {"bias": {"": 1}},
        {"bias": {"a": float("inf")}},
        {"ban": ("",)},
        {"max_tokens": 0},
        {"characters": 0},
        {"until": "page"},
        {"stop": ("",)},
        {"min_q": 1},
    ],
)
def test_impossible_settings_are_refused(given_settings):
    with pytest.raises(ValidationError):
        SamplingSettings(**given_settings)


@pytest.mark.parametrize("size", [5, 400])
def test_the_likeliest_tokens_come_with_the_model_s_log_probabilities_and_change_no_choice(size):
    logits_V = np.random.default_rng(0).normal(size=size).astype(np.float32)
    settings = SamplingSettings(temperature=0.3, top_k=2)
    plain, telling = Sampler(settings, 5, 1), Sampler(settings, 5, 1, top=7)
    logs_V = logits_V - np.log(np.exp(logits_V.astype(np.float64)).sum())
    for _ in range(5):
        token = telling.choose(logits_V, [0])
        bare = plain.choose(logits_V, [0])
        assert (bare.id, bare.probability, bare.top) == (token.id, token.probability, ())
        assert [id_ for id_, _ in token.top] == np.argsort(-logits_V)[:7].tolist()
        assert [log for _, log in token.top] == pytest.approx(np.sort(logs_V)[::-1][:7].tolist(), abs=1e-5)
        assert np.log(token.probability) == pytest.approx(logs_V[token.id], abs=1e-5)
