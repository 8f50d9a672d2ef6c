"""Counts of tokens, against counting by hand; and what a network mixed with them predicts."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lilliput.models import GPTSettings, Mixture, RecurrentSettings, build, counts, output_loss
from lilliput.models.counts import Counts
from lilliput.models.mixture import LONGEST

VOCABULARY = 5


def drawn(length: int, seed: int = 1) -> NDArray[np.int64]:
    """Tokens of which the last of the vocabulary never occurs, and short groups occur often."""
    return np.random.default_rng(seed).choice(VOCABULARY - 1, length, p=[0.5, 0.3, 0.15, 0.05])


def naive(text: list[int], context: list[int], token: int, longest: int, left_out: int | None = None) -> float:
    """Witten-Bell by going through the text; the place `left_out` is not counted as a token that follows."""
    places = [place for place in range(len(text)) if place != left_out]
    occurring = set(text)
    rest = 1 / (len(text) + 1)
    probability = (1 - rest) / len(occurring) if token in occurring else rest / (VOCABULARY - len(occurring))
    for n in range(longest):
        if n > len(context):
            break
        wanted = context[len(context) - n :]
        following = [text[place] for place in places if place >= n and text[place - n : place] == wanted]
        if not following:
            continue
        types = len(set(following))
        probability = (following.count(token) + types * probability) / (len(following) + types)
    return probability


@pytest.mark.parametrize("longest", [2, 3, 5])
def test_probabilities_are_those_counted_by_hand(longest: int) -> None:
    text, other = drawn(300), drawn(40, seed=2)
    model = Counts(text, longest, VOCABULARY)
    contexts_BTK = model.contexts(other[None, :], other[None, :0])
    found = model.predict_all(contexts_BTK[0])
    for place in range(len(other)):
        context = other[: place + 1].tolist()
        expected = [naive(text.tolist(), context, token, longest) for token in range(VOCABULARY)]
        np.testing.assert_allclose(found.probabilities_NS[place], expected, rtol=1e-12)
    np.testing.assert_allclose(found.probabilities_NS.sum(1), 1, rtol=1e-12)
    tokens_N = drawn(40, seed=3)
    single = model.predict(contexts_BTK[0], tokens_N)
    np.testing.assert_allclose(single.probabilities_NS[:, 0], found.probabilities_NS[range(40), tokens_N], rtol=1e-12)
    for one, other_one in zip(single[1:], found[1:], strict=True):
        np.testing.assert_array_equal(one, other_one)


def test_a_place_is_left_out_of_its_own_counts() -> None:
    text, longest = drawn(200), 4
    model = Counts(text, longest, VOCABULARY)
    contexts_BTK = model.contexts(text[None, :-1], text[None, :0])
    found = model.predict(contexts_BTK[0], text[1:], leave_one_out=True)
    for place in range(1, len(text)):
        context = text[max(0, place - longest + 1) : place].tolist()
        expected = naive(text.tolist(), context, int(text[place]), longest, left_out=place)
        assert found.probabilities_NS[place - 1, 0] == pytest.approx(expected, rel=1e-12)


def test_what_is_known_of_the_context() -> None:
    text = np.array([0, 1, 0, 1, 0, 2, 3])
    model = Counts(text, 3, VOCABULARY)
    known = model.predict(
        model.contexts(np.array([[1, 0], [2, 1], [4, 4]]), text[None, :0].repeat(3, 0))[:, -1], np.zeros(3, int)
    )
    # "1 0" was followed by 1 and by 2; "2 1" never occurs but 1 does, twice before a 0; 4 never occurs.
    assert known.matched_N.tolist() == [3, 2, 1]
    assert known.totals_N.tolist() == [2, 2, 7]
    assert known.types_N.tolist() == [2, 1, 4]


def test_of_a_long_text_the_end_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(500)
    end = Counts(text[-100:], 4, VOCABULARY)
    monkeypatch.setattr(counts, "MOST_TOKENS", 100)
    model = Counts(text, 4, VOCABULARY)
    contexts_NK = model.contexts(text[None, :50], text[None, :0])[0]
    np.testing.assert_array_equal(contexts_NK, end.contexts(text[None, :50], text[None, :0])[0])
    np.testing.assert_array_equal(
        model.predict_all(contexts_NK).probabilities_NS, end.predict_all(contexts_NK).probabilities_NS
    )


@pytest.mark.parametrize("length", [1, 2, 5])
def test_texts_shorter_than_the_longest_group(length: int) -> None:
    model = Counts(drawn(length), LONGEST, VOCABULARY)
    contexts_NK = model.contexts(drawn(20)[None], drawn(0)[None])[0]
    found = model.predict_all(contexts_NK)
    np.testing.assert_allclose(found.probabilities_NS.sum(1), 1, rtol=1e-12)


def mixture(kind: str = "gpt") -> Mixture:
    settings = (
        GPTSettings(layers=2, width=16, heads=2, counts=True)
        if kind == "gpt"
        else RecurrentSettings(width=16, counts=True)
    )
    torch.manual_seed(1)
    model = build(settings, VOCABULARY, 24)
    assert isinstance(model, Mixture)
    model.learn(drawn(400))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


@pytest.mark.parametrize("kind", ["gpt", "lstm"])
def test_logits_are_the_mixed_probabilities(kind: str) -> None:
    model = mixture(kind)
    ids_BT = torch.from_numpy(drawn(40, seed=3).reshape(2, 20))
    logits_BTV = model(ids_BT)
    torch.testing.assert_close(logits_BTV.exp().sum(-1), torch.ones(2, 20))
    targets_BT = torch.from_numpy(drawn(40, seed=4).reshape(2, 20))
    losses_N = model.losses(model.features(ids_BT).flatten(0, 1), targets_BT.flatten())
    wanted_BT = logits_BTV.gather(-1, targets_BT.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(losses_N, -wanted_BT.flatten())
    weights_N = torch.rand(40)
    loss = model.loss(model.features(ids_BT).flatten(0, 1), targets_BT.flatten(), weights_N)
    torch.testing.assert_close(loss, (losses_N * weights_N).sum())


@pytest.mark.parametrize("kind", ["gpt", "lstm"])
@pytest.mark.parametrize("cuts", [[1] * 20, [3, 9, 1, 7]])
def test_a_cache_changes_nothing(kind: str, cuts: list[int]) -> None:
    model = mixture(kind)
    ids_BT = torch.from_numpy(drawn(40, seed=3).reshape(2, 20))
    cache, parts = model.new_cache(2), []
    for piece_BT in torch.split(ids_BT, cuts, 1):
        parts.append(model(piece_BT, cache))
    torch.testing.assert_close(torch.cat(parts, 1), model(ids_BT), rtol=1e-4, atol=1e-5)
    assert cache.length == 20


def test_the_gate_decides_between_network_and_counts() -> None:
    model = mixture()
    ids_BT = torch.from_numpy(drawn(20, seed=3)[None])
    with torch.no_grad():
        model.gate_by_order.fill_(-50)
        model.gate_by_counts.zero_()
        model.gate_by_features.zero_()
        torch.testing.assert_close(model(ids_BT), model.network(ids_BT).log_softmax(-1))
        model.gate_by_order.fill_(50)
        contexts_NK = Counts(drawn(400), LONGEST, VOCABULARY).contexts(ids_BT.numpy(), ids_BT[:, :0].numpy())[0]
        counted = Counts(drawn(400), LONGEST, VOCABULARY).predict_all(contexts_NK)
        torch.testing.assert_close(model(ids_BT)[0], torch.from_numpy(np.log(counted.probabilities_NS)).float())


@pytest.mark.parametrize("logits_at_once", [10_000, 30])
def test_the_network_learns_as_if_it_were_alone_and_the_gate_by_the_mixture(
    monkeypatch: pytest.MonkeyPatch, logits_at_once: int
) -> None:
    monkeypatch.setattr(output_loss, "LOGITS_AT_ONCE", logits_at_once)
    model = mixture().train()
    ids_BT = torch.from_numpy(drawn(21, seed=3)[None])
    targets_N, weights_N = ids_BT[0, 1:], torch.rand(20)

    def gradients(loss: torch.Tensor) -> dict[str, torch.Tensor]:
        model.zero_grad()
        loss.backward()
        return {name: part.grad.clone() for name, part in model.named_parameters() if part.grad is not None}

    features_ND = model.features(ids_BT[:, :-1]).flatten(0, 1)
    found = gradients(model.loss(features_ND, targets_N, weights_N))
    alone = gradients(model.network.loss(model.network.features(ids_BT[:, :-1]).flatten(0, 1), targets_N, weights_N))
    mixed = gradients((model.losses(model.features(ids_BT[:, :-1]).flatten(0, 1), targets_N) * weights_N).sum())
    assert found.keys() == mixed.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, alone[name] if name in alone else mixed[name])
        assert gradient.any()


def test_a_mixture_without_counts_says_so() -> None:
    model = build(GPTSettings(layers=1, width=16, heads=2, counts=True), VOCABULARY, 24)
    with pytest.raises(RuntimeError, match="learn"):
        model(torch.zeros(1, 3, dtype=torch.long))
