import math
import random
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lilliput.errors import CorpusError
from lilliput.evaluation import NgramModel, ngram

CODE_POINTS = 1_114_112


class NaiveNgram:
    """The formula with dictionaries, one character at a time."""

    def __init__(self, text, order):
        self.alphabet = set(text)
        self.order = order
        self.followers = defaultdict(Counter)
        for n in range(order):
            for i in range(n, len(text)):
                self.followers[text[i - n : i]][text[i]] += 1

    def probability(self, character, context):
        escape = 1 / (len(self.alphabet) + 1) / CODE_POINTS
        p = escape + (1 / (len(self.alphabet) + 1) if character in self.alphabet else 0)
        for n in range(min(self.order, len(context) + 1)):
            counts = self.followers.get(context[len(context) - n :])
            if counts:
                p = (counts[character] + len(counts) * p) / (counts.total() + len(counts))
        return p


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet="abcé\U0001f600", min_size=1, max_size=60),
    st.text(alphabet="abcé\U0001f600zñ", max_size=30),
    st.text(alphabet="abcz", max_size=12),
    st.integers(1, 6),
)
def test_the_probabilities_are_those_of_the_naive_computation(training, text, context, order):
    naive = NaiveNgram(training, order)
    expected = [math.log(naive.probability(text[i], context + text[:i])) for i in range(len(text))]
    np.testing.assert_allclose(NgramModel.fit(training, order).log_probabilities(text, context), expected, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 4, 8])
def test_the_probabilities_of_all_characters_sum_to_one(order):
    draw = random.Random(order)
    model = NgramModel.fit("".join(draw.choices("abcd ", [5, 3, 2, 1, 4], k=400)), order)
    for _ in range(20):
        context = "".join(draw.choices("abcd ?", k=draw.randrange(12)))
        known = sum(math.exp(model.log_probabilities(character, context)[0]) for character in "abcd ")
        unknown = math.exp(model.log_probabilities("ψ", context)[0])
        assert known + unknown * (CODE_POINTS - 5) == pytest.approx(1, abs=1e-12)


def test_a_character_never_met_is_possible_and_dear():
    log_probabilities = NgramModel.fit("to be or not to be", 4).log_probabilities("be\U0001f600\ud800 to")
    assert np.isfinite(log_probabilities).all()
    assert log_probabilities[2] < -math.log(CODE_POINTS)
    assert log_probabilities[3] < -math.log(CODE_POINTS)
    assert log_probabilities[1] > -math.log(2)


def test_a_context_counts_like_the_text_before():
    draw = random.Random(0)
    model = NgramModel.fit("".join(draw.choices("abc", k=500)), 5)
    text = "".join(draw.choices("abc", k=100))
    whole = model.log_probabilities(text)
    parts = [model.log_probabilities(text[start : start + 7], text[:start]) for start in range(0, 100, 7)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert not np.array_equal(model.log_probabilities(text[50:]), whole[50:])


def test_codes_do_not_overflow_at_a_large_alphabet_and_order():
    # As whole numbers to the base of the alphabet, these codes would need 12 * 13 bits.
    draw = random.Random(0)
    text = "".join(chr(0x4E00 + draw.randrange(6000)) for _ in range(8_000))
    model = NgramModel.fit(text, 12)
    repeated = text[5000:5100]
    naive = NaiveNgram(text, 12)
    expected = [math.log(naive.probability(repeated[i], repeated[:i])) for i in range(100)]
    np.testing.assert_allclose(model.log_probabilities(repeated), expected, rtol=1e-12)
    assert model.log_probabilities(repeated)[20:].mean() > math.log(0.4)


def test_a_text_shorter_than_the_order_gives_fewer_orders():
    model = NgramModel.fit("ab", 8)
    assert model.order == 2
    assert len(ngram.costs_by_order("ab", ["abab"], 8)) == 2


def test_pieces_cost_together_what_the_text_costs():
    training, text = "the wind over the hills " * 40, "over the wind and the hills, the sea"
    costs = ngram.costs_by_order(training, [text[:9], "", text[9:20], text[20:]], 4)
    assert costs.shape == (4, 4)
    for order in range(1, 5):
        nats = -NgramModel.fit(training, order).log_probabilities(text)
        expected = [nats[1:9].sum(), 0, nats[9:20].sum(), nats[20:].sum()]
        np.testing.assert_allclose(costs[order - 1], expected, rtol=1e-9, atol=1e-9)


def test_an_empty_text_is_refused_and_an_empty_question_is_not():
    with pytest.raises(CorpusError, match="no characters"):
        NgramModel.fit("", 3)
    assert NgramModel.fit("ab", 2).log_probabilities("").shape == (0,)


def test_segments_are_scored_and_counted_as_texts_of_their_own(monkeypatch):
    training, text = "the wind over the hills " * 40, "over the wind and the hills, the sea"
    pieces = [text[:9], text[9:20], text[20:]]
    together = ngram.costs_by_order(training, pieces, 4, starts=((0,), (0, 9, 20)))
    alone = [ngram.costs_by_order(training, [piece], 4)[:, 0] for piece in pieces]
    np.testing.assert_allclose(together, np.stack(alone, 1), rtol=1e-12)
    monkeypatch.setattr(ngram, "AT_ONCE", 5)
    np.testing.assert_allclose(
        ngram.costs_by_order(training, pieces, 4, starts=((0,), (0, 9, 20))), together, rtol=1e-12
    )
    # Where "a" ends a segment and "b" begins the next one, "b" never followed "a".
    followed, not_followed = (
        ngram.costs_by_order("xa" + "bx" * 3, ["ab"], 2, starts=(starts, (0,))) for starts in ((0,), (0, 2))
    )
    assert followed[1, 0] < followed[0, 0]
    assert not_followed[1, 0] == not_followed[0, 0] == followed[0, 0]
