import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lilliput.errors import GenerationError
from lilliput.generation import SamplingSettings, filters
from lilliput.generation.sampling import draw, softmax, temperature, top_k, top_p

# Few distinct values, so that ties are common.
tied_logits = st.lists(st.integers(-3, 3), min_size=1, max_size=30).map(lambda row: np.array(row, dtype=np.float32))


def kept(logits_V):
    return np.flatnonzero(np.isfinite(logits_V)).tolist()


@given(tied_logits, st.integers(1, 35))
def test_exactly_k_survive_ties_and_they_are_the_greatest(logits_V, count):
    result_V = top_k(count)(logits_V, [])
    expected = sorted(range(logits_V.size), key=lambda id_: (-logits_V[id_], id_))[:count]
    assert kept(result_V) == sorted(expected)
    assert np.array_equal(result_V[sorted(expected)], logits_V[sorted(expected)])


@given(tied_logits, st.floats(0.01, 0.99))
def test_top_p_keeps_the_fewest_tokens_that_reach_the_mass(logits_V, mass):
    probabilities_V = np.exp(logits_V.astype(float)) / np.exp(logits_V.astype(float)).sum()
    expected, total = [], 0.0
    for id_ in sorted(range(logits_V.size), key=lambda id_: (-logits_V[id_], id_)):
        if expected and total >= mass - 1e-12:
            break
        expected.append(id_)
        total += probabilities_V[id_]
    got = kept(top_p(mass)(logits_V, []))
    # A sum that meets the mass to the last digit may fall on either side.
    assert got == sorted(expected) or abs(probabilities_V[got].sum() - mass) < 1e-9


@settings(deadline=None)
@given(tied_logits, st.floats(1e-3, 50))
def test_temperature_divides_the_logits(logits_V, value):
    expected_V = softmax(logits_V.astype(np.float64) / value)
    np.testing.assert_allclose(softmax(temperature(value)(logits_V, [])), expected_V, atol=1e-6)


def test_a_tiny_temperature_is_the_greatest_logit():
    logits_V = np.array([0.5, 3.0, 2.99], dtype=np.float32)
    assert softmax(temperature(1e-300)(logits_V, [])).tolist() == [0.0, 1.0, 0.0]


@given(tied_logits, st.integers(0, 5))
def test_temperature_zero_is_argmax(logits_V, seed):
    chosen = filters(SamplingSettings(temperature=0, top_k=7, top_p=0.9))
    for change in chosen:
        logits_V = change(logits_V, [])
    assert draw(logits_V, np.random.default_rng(seed)) == int(np.argmax(logits_V))


def test_filters_leave_their_input_alone():
    logits_V = np.array([1.0, 2.0, 3.0, 4.0], dtype=np.float32)
    before_V = logits_V.copy()
    for change in filters(SamplingSettings(temperature=0.5, top_k=2, top_p=0.5)):
        change(logits_V, [])
    assert np.array_equal(logits_V, before_V)


def test_filters_act_in_the_order_temperature_top_k_top_p():
    logits_V = np.log(np.array([0.4, 0.3, 0.2, 0.1]))
    result_V = logits_V
    for change in filters(SamplingSettings(temperature=0.5, top_k=3, top_p=0.8)):
        result_V = change(result_V, [])
    # Sharpened and cut to three: 16, 9 and 4 of 29. The first two hold 0.86 of it; of the plain four they hold 0.7.
    np.testing.assert_allclose(softmax(result_V), [16 / 25, 9 / 25, 0, 0], atol=1e-9)


def test_settings_that_change_nothing_make_no_filter():
    assert filters(SamplingSettings(temperature=1, top_p=1.0)) == []


@pytest.mark.parametrize("chosen", [{}, {"top_k": 5}, {"temperature": 0.5, "top_p": 0.8}])
def test_draws_follow_the_softmax(chosen):
    logits_V = np.random.default_rng(1).normal(size=12).astype(np.float32)
    for change in filters(SamplingSettings(**{"temperature": 1, **chosen})):
        logits_V = change(logits_V, [])
    generator, draws = np.random.Generator(np.random.PCG64(5)), 20_000
    counts = np.bincount([draw(logits_V, generator) for _ in range(draws)], minlength=12)
    expected = np.exp(logits_V.astype(float)) / np.exp(logits_V.astype(float)).sum() * draws
    assert counts[expected == 0].sum() == 0
    possible = expected > 0
    chi_square = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    # The 99.9 % point for 11 degrees of freedom; fewer degrees have a lower one.
    assert chi_square < 31.3


class Fixed(np.random.Generator):
    """A generator that returns one number."""

    def __init__(self, number):
        super().__init__(np.random.PCG64(0))
        self.number = number

    def random(self):
        return self.number


@pytest.mark.parametrize(("number", "token"), [(0.0, 1), (0.4999, 1), (0.5, 3), (1 - 2**-53, 3)])
def test_impossible_tokens_at_the_edges_are_never_drawn(number, token):
    logits_V = np.array([-np.inf, 0.0, -np.inf, 0.0, -np.inf])
    assert draw(logits_V, Fixed(number)) == token


@pytest.mark.parametrize("row", [[np.nan, 1.0], [-np.inf, -np.inf], [np.inf, 0.0]])
def test_logits_that_are_not_finite_are_an_error(row):
    with pytest.raises(GenerationError, match="not finite"):
        draw(np.array(row), np.random.default_rng(0))


@pytest.mark.parametrize(
    "given_settings",
    [{"temperature": -1}, {"top_k": 0}, {"top_p": 0}, {"top_p": 1.1}, {"length": 0}, {"stop": ("",)}, {"min_q": 1}],
)
def test_impossible_settings_are_refused(given_settings):
    with pytest.raises(ValidationError):
        SamplingSettings(**given_settings)
