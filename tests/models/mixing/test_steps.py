"""Token by token the same is known of a text as at many places at once."""

from copy import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lilliput.models import GPTSettings, RecurrentSettings, build
from lilliput.models.mixing.counts import Counts
from lilliput.models.mixing.mixture import Mixture
from lilliput.models.mixing.words import REACH, Words
from lilliput.models.protocol import TrainingText

TEXTS = ["a", " ", "b", "B", "A", ".", "\n", " the", "'", "中", ""]
VOCABULARY = len(TEXTS)
IDS = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=40)
# Runs of letters that are longer than a context reaches, too.
STRETCHED = st.lists(st.tuples(st.integers(0, VOCABULARY - 1), st.sampled_from([1, 1, 2, REACH - 2])), max_size=8)


@settings(max_examples=200, deadline=None)
@given(STRETCHED)
def test_words_as_they_come(stretches: list[tuple[int, int]]) -> None:
    ids = [token for token, times in stretches for _ in range(times)]
    words = Words(TEXTS)
    trail = words.trail()
    for end, token in enumerate(ids, 1):
        # So far do counts look back, the last token included.
        keys_BTW, known_BTW = words.contexts(np.array([ids[max(0, end - REACH) : end]]))
        expected = [
            key if known else None
            for key, known in zip(keys_BTW[0, -1].tolist(), known_BTW[0, -1].tolist(), strict=True)
        ]
        assert trail.add(token) == expected


@settings(deadline=None)
@given(IDS, IDS)
def test_contexts_as_they_come(learnt: list[int], ids: list[int]) -> None:
    counts = Counts(np.array(learnt * 2), Words(TEXTS), VOCABULARY)
    trail = counts.trail()
    for end, token in enumerate(ids, 1):
        expected_K = counts.contexts(np.array([[token]]), np.array([ids[: end - 1]], dtype=int))[0, 0]
        other = copy(trail)
        assert trail.add(token) == expected_K.tolist() == other.add(token)
        assert counts.trail(ids[: end - 1]).add(token) == expected_K.tolist()
        for one, two in zip(counts.met(expected_K.tolist()), counts.known(expected_K[None]), strict=True):
            assert one.tolist() == two[0].tolist()


@pytest.mark.parametrize("kind", [GPTSettings(counts=True, width=16, heads=2), RecurrentSettings(counts=True, width=8)])
def test_predictions_as_they_come(kind: GPTSettings | RecurrentSettings) -> None:
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    model = build(kind, VOCABULARY, 48).eval()
    assert isinstance(model, Mixture)
    ids = generator.integers(0, VOCABULARY, 500)
    model.learn(lambda: TrainingText(ids, TEXTS))
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value) * 0.3)
    # What comes again is guessed.
    ids = np.tile(generator.integers(0, VOCABULARY, 12), 4)
    with torch.no_grad():
        expected_TV = model(torch.from_numpy(ids[None]))[0].numpy()
        features_TD = model.network.features(torch.from_numpy(ids[None]))
        logits_TV = model.network.head(features_TD)[0].numpy()
    steps = model.steps()
    for first, before in ((0, steps.begin([])), (20, steps.begin(ids[:20].tolist()))):
        for place in range(first, len(ids)):
            found_V = steps.mix(features_TD[0, place].numpy(), logits_TV[place], before, int(ids[place]))
            np.testing.assert_allclose(found_V, expected_TV[place], atol=1e-5)
            np.testing.assert_allclose(np.exp(found_V).sum(), 1, atol=1e-6)


def test_a_copy_goes_its_own_way() -> None:
    model = build(GPTSettings(counts=True, width=16, heads=2), VOCABULARY, 48)
    assert isinstance(model, Mixture)
    model.learn(lambda: TrainingText(np.arange(200) % VOCABULARY, TEXTS))
    before = model.steps().begin(range(9))
    other = copy(before)
    assert other.add(9) == copy(before).add(9)
    assert before.add(9) != other.add(9)
