"""Counts of tokens, against counting by hand; and what a network mixed with them predicts."""

import math
from collections.abc import Collection

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lilliput.models import GPTSettings, RecurrentSettings, build
from lilliput.models.mixing import counts
from lilliput.models.mixing.counts import LEVELS, LONGEST, Counts
from lilliput.models.mixing.matches import Matches
from lilliput.models.mixing.mixture import Mixture
from lilliput.models.mixing.orders import count_orders
from lilliput.models.mixing.words import CONTEXTS, Words
from lilliput.models.protocol import CalibrationBatch, TrainingText
from lilliput.segments import segments

TEXTS = ["a", " ", "b", "c", "d"]
VOCABULARY = len(TEXTS)
CHAIN = (1, 2, 3, 4, "word", 5, 6, "skip", "pair", 7, 8, "triple")
WORDS = dict(zip(("word", "skip", "pair", "triple"), CONTEXTS, strict=True))
STRENGTHS = np.linspace(0.5, 6, LEVELS)
Context = tuple[object, ...] | None


def drawn(length: int, seed: int = 1) -> NDArray[np.int64]:
    """Tokens of which the last of the vocabulary never occurs, and short groups occur often."""
    return np.random.default_rng(seed).choice(VOCABULARY - 1, length, p=[0.5, 0.3, 0.15, 0.05])


def context_of(level: object, before: list[int]) -> Context:
    """Return what a level sees of the tokens before a place; None if it does not know enough of them."""
    if isinstance(level, int):
        return tuple(before[len(before) - level + 1 :]) if level <= len(before) + 1 else None
    runs: list[list[int]] = [[]]
    for token in before:
        if TEXTS[token] == " ":
            runs += [[]] if runs[-1] else []
        else:
            runs[-1].append(token)
    # The first word may have begun earlier.
    runs = runs[1:] if TEXTS[before[0]] != " " else runs
    wanted = WORDS[str(level)]
    back = max(place for place, taken in enumerate(wanted) if taken)
    if len(runs) <= back or len(before) > 60:
        return None
    return tuple(tuple(runs[-1 - place]) for place, taken in enumerate(wanted) if taken)


def naive(text: list[int], before: list[int], token: int, left_out: Collection[int] = ()) -> float:
    """Interpolated Witten-Bell by going through the text; `left_out` are not counted as tokens that follow."""
    places = [place for place in range(len(text)) if place not in left_out]
    occurring = set(text)
    rest = 1 / (len(text) + 1)
    probability = (1 - rest) / len(occurring) if token in occurring else rest / (VOCABULARY - len(occurring))
    for level, strength in zip(CHAIN, STRENGTHS.tolist(), strict=True):
        wanted = context_of(level, before) if before or level == 1 else None
        if wanted is None:
            continue
        following = [
            text[place] for place in places if (place or level == 1) and context_of(level, text[:place]) == wanted
        ]
        if not following:
            continue
        leaning = strength * len(set(following))
        probability = (following.count(token) + leaning * probability) / (len(following) + leaning)
    return probability


def interpolated(model: Counts, contexts_NK: NDArray[np.int32], tokens_N: NDArray[np.int64], **options: bool) -> object:
    probabilities_N = model.lowest_V[tokens_N]
    followed = model.followed(contexts_NK, tokens_N, **options)
    for strength, counts_N, totals_N, types_N in zip(STRENGTHS, *(part.T for part in followed), strict=True):
        leaning_N = strength * types_N
        higher_N = (counts_N + leaning_N * probabilities_N) / np.maximum(totals_N + leaning_N, 1e-9)
        probabilities_N = np.where(totals_N > 0, higher_N, probabilities_N)
    return probabilities_N


def test_the_levels() -> None:
    assert len(CHAIN) == LEVELS
    assert max(level for level in CHAIN if isinstance(level, int)) == LONGEST


def test_probabilities_are_those_counted_by_hand() -> None:
    text, other = drawn(50), drawn(40, seed=2)
    model = Counts(text, Words(TEXTS), VOCABULARY)
    contexts_NK = model.contexts(other[None, :], other[None, :0])[0]
    found_NV = model.probabilities(contexts_NK, STRENGTHS)
    for place in range(len(other)):
        before = other[: place + 1].tolist()
        expected = [naive(text.tolist(), before, token) for token in range(VOCABULARY)]
        np.testing.assert_allclose(found_NV[place], expected, rtol=1e-12)
    np.testing.assert_allclose(found_NV.sum(1), 1, rtol=1e-12)
    tokens_N = drawn(40, seed=3)
    single_N = interpolated(model, contexts_NK, tokens_N)
    np.testing.assert_allclose(single_N, found_NV[range(40), tokens_N], rtol=1e-12)  # type: ignore[call-overload]
    for one, other_one in zip(model.known(contexts_NK), model.followed(contexts_NK, tokens_N)[1:], strict=True):
        np.testing.assert_array_equal(one, other_one)


@pytest.mark.parametrize("left_out", [range(1, 2), range(20, 35), range(30, 50), range(1, 50)])
def test_places_are_left_out_of_their_own_counts(left_out: range) -> None:
    text = drawn(50)
    model = Counts(text, Words(TEXTS), VOCABULARY)
    contexts_NK = model.contexts(text[None, :-1], text[None, :0])[0][left_out.start - 1 : left_out.stop - 1]
    found_N = interpolated(model, contexts_NK, text[left_out.start : left_out.stop], leave_out=True)
    for number, place in enumerate(left_out):
        expected = naive(text.tolist(), text[:place].tolist(), int(text[place]), left_out)
        assert found_N[number] == pytest.approx(expected, rel=1e-12)  # type: ignore[index]


def test_what_is_known_of_the_context() -> None:
    text = np.array([0, 2, 0, 2, 0, 3, 4])
    model = Counts(text, Words(TEXTS), VOCABULARY)
    last_NK = model.contexts(np.array([[2, 0], [3, 2], [1, 1]]), text[None, :0].repeat(3, 0))[:, -1]
    totals_NK, types_NK = model.known(last_NK)
    # "b a" was followed by b and by c; "c b" never occurs but b does, twice before an a; a space never occurs.
    assert totals_NK[:, :3].tolist() == [[7, 3, 2], [7, 2, 0], [7, 0, 0]]
    assert types_NK[:, :3].tolist() == [[4, 2, 2], [4, 1, 0], [4, 0, 0]]


def test_what_follows_small_letters_is_not_proposed_behind_capitals() -> None:
    texts = sorted(set(" hasten HASTEMP"))
    text, before = (
        np.array([texts.index(letter) for letter in part]) for part in (" hasten" * 9 + " MAST PAST", " HAST")
    )
    small, whole = texts.index("e"), texts.index(" ")
    found = {}
    for capitals in (False, True):
        model = Counts(text, Words(texts, capitals=capitals), len(texts))
        contexts_NK = model.contexts(before[None], before[None, :0])[0]
        found[capitals] = model.probabilities(contexts_NK[-1:], STRENGTHS)[0]
    assert found[False][small] > found[False][whole]
    assert found[True][small] < found[True][whole]


def test_of_a_long_text_the_end_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(500)
    end = Counts(text[-100:], Words(TEXTS), VOCABULARY)
    monkeypatch.setattr(counts, "MOST_TOKENS", 100)
    model = Counts(text, Words(TEXTS), VOCABULARY)
    contexts_NK = model.contexts(text[None, :50], text[None, :0])[0]
    np.testing.assert_array_equal(contexts_NK, end.contexts(text[None, :50], text[None, :0])[0])
    np.testing.assert_array_equal(
        model.probabilities(contexts_NK, STRENGTHS), end.probabilities(contexts_NK, STRENGTHS)
    )


def test_words_are_told_apart_in_pieces_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(1000)
    whole = Counts(text, Words(TEXTS), VOCABULARY)
    monkeypatch.setattr(counts, "AT_ONCE", 90)
    pieces = Counts(text, Words(TEXTS), VOCABULARY)
    contexts_NK = whole.contexts(text[None], text[None, :0])[0]
    np.testing.assert_array_equal(contexts_NK, pieces.contexts(text[None], text[None, :0])[0])
    for one, other in zip(whole.known(contexts_NK), pieces.known(contexts_NK), strict=True):
        np.testing.assert_array_equal(one, other)


def test_segments_are_counted_as_texts_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    text, asked = drawn(1000), drawn(400, seed=2)
    bounds = [(0, 300), (300, 306), (306, 307), (307, 1000)]
    together = Counts(text, Words(TEXTS), VOCABULARY, [start for start, _ in bounds])
    alone = [Counts(text[start:stop], Words(TEXTS), VOCABULARY) for start, stop in bounds]
    counts_NK, totals_NK, _ = zip(
        *(model.followed(model.contexts(asked[None, :-1], asked[None, :0])[0], asked[1:]) for model in alone),
        strict=True,
    )
    found = together.followed(together.contexts(asked[None, :-1], asked[None, :0])[0], asked[1:])
    np.testing.assert_array_equal(found.counts_NK, sum(counts_NK))
    np.testing.assert_array_equal(found.totals_NK, sum(totals_NK))
    monkeypatch.setattr(counts, "MOST_TOKENS", 600)
    end = Counts(text, Words(TEXTS), VOCABULARY, [0, 300, 600])
    same = Counts(text[400:], Words(TEXTS), VOCABULARY, [0, 200])
    contexts_NK = end.contexts(asked[None], asked[None, :0])[0]
    np.testing.assert_array_equal(end.probabilities(contexts_NK, STRENGTHS), same.probabilities(contexts_NK, STRENGTHS))


@pytest.mark.parametrize("length", [1, 2, 5])
def test_texts_shorter_than_the_longest_group(length: int) -> None:
    model = Counts(drawn(length), Words(TEXTS), VOCABULARY)
    contexts_NK = model.contexts(drawn(20)[None], drawn(0)[None])[0]
    np.testing.assert_allclose(model.probabilities(contexts_NK, STRENGTHS).sum(1), 1, rtol=1e-12)


def mixture(kind: str = "gpt") -> Mixture:
    settings = (
        GPTSettings(layers=2, width=16, heads=2, counts=True)
        if kind == "gpt"
        else RecurrentSettings(width=16, counts=True)
    )
    torch.manual_seed(1)
    model = build(settings, VOCABULARY, 24)
    assert isinstance(model, Mixture)
    model.learn(lambda: TrainingText(drawn(400), TEXTS))
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
        model.gate.by_counts.zero_()
        model.gate.by_features.zero_()
        model.gate.shares.fill_(-50)
        torch.testing.assert_close(model(ids_BT), model.network(ids_BT).log_softmax(-1))
        model.gate.shares[0] = 50
        counted = Counts(drawn(400), Words(TEXTS), VOCABULARY)
        contexts_NK = counted.contexts(ids_BT.numpy(), ids_BT[:, :0].numpy())[0]
        expected_NV = counted.probabilities(contexts_NK, model.gate.strengths.exp().numpy())
        torch.testing.assert_close(model(ids_BT)[0], torch.from_numpy(np.log(expected_NV)).float())


def test_a_guess_is_believed_as_the_gate_says() -> None:
    model = mixture()
    ids_BT = torch.tensor([[0, 2, 3, 0, 1, 1, 0, 2, 3, 0]])  # what followed "a b c a" is a space
    with torch.no_grad():
        model.gate.by_counts.zero_()
        model.gate.by_features.zero_()
        model.gate.by_length.zero_()
        model.gate.shares[1] = -50
        before_TV = model(ids_BT)[0].exp()
        model.gate.shares[1] = math.log(0.3 / 0.7)
        after_TV = model(ids_BT)[0].exp()
    guessed_TV = torch.zeros_like(before_TV)
    for place, guess in ((8, 0), (9, 1)):
        guessed_TV[place, guess] = 1
    torch.testing.assert_close(after_TV[:8], before_TV[:8])
    torch.testing.assert_close(after_TV[8:], 0.7 * before_TV[8:] + 0.3 * guessed_TV[8:])


@pytest.mark.parametrize("kind", ["gpt", "lstm"])
def test_what_stood_before_is_known_as_if_it_had_been_read(kind: str) -> None:
    model = mixture(kind)
    text_BT = torch.from_numpy(drawn(160, seed=3).reshape(2, 80))
    before_BP, ids_BT = text_BT.tensor_split([60], 1)
    cache = model.new_cache(2)
    whole = model._split(model.features(ids_BT, cache, before_BP).flatten(0, 1))
    counted = model._require_counts().contexts(text_BT.numpy(), text_BT[:, :0].numpy())[:, 60:]
    np.testing.assert_array_equal(whole.ranks_NK, counted.reshape(40, -1))
    guesses_BT, lengths_BT = Matches(text_BT.numpy()[:, :0]).add(text_BT.numpy())
    assert whole.guesses_N.tolist() == guesses_BT[:, 60:].flatten().tolist()
    assert whole.lengths_N.tolist() == lengths_BT[:, 60:].flatten().tolist()
    assert (whole.lengths_N > 0).any()
    # The cache goes on from there.
    more_BT = torch.tensor([[0, 1], [1, 0]])
    next_BT, _ = Matches(text_BT.numpy()).add(more_BT.numpy())
    assert model._split(model.features(more_BT, cache).flatten(0, 1)).guesses_N.tolist() == next_BT.flatten().tolist()


def test_the_network_learns_as_if_it_were_alone() -> None:
    model = mixture().train()
    ids_BT = torch.from_numpy(drawn(21, seed=3)[None])
    targets_N, weights_N = ids_BT[0, 1:], torch.rand(20)
    features_ND = model.features(ids_BT[:, :-1]).flatten(0, 1)
    model.loss(features_ND, targets_N, weights_N).backward()
    found = {name: part.grad for name, part in model.named_parameters() if part.grad is not None}
    assert not any(name.startswith("gate.") for name in found)
    alone = model.network
    found = {name.removeprefix("network."): grad.clone() for name, grad in found.items()}
    alone.zero_grad()
    alone.loss(alone.features(ids_BT[:, :-1]).flatten(0, 1), targets_N, weights_N).backward()
    for name, part in alone.named_parameters():
        assert part.grad is not None
        torch.testing.assert_close(part.grad, found[name])


def batches() -> list[CalibrationBatch]:
    rows_BT = torch.from_numpy(drawn(400)[-252:].reshape(12, 21))
    parts = (rows_BT[:4], rows_BT[4:])
    return [CalibrationBatch(part_BT[:, :0], part_BT[:, :-1], part_BT[:, 1:]) for part_BT in parts]


def test_the_gate_is_fitted_to_what_is_left_out() -> None:
    model = mixture().train()
    network = {name: part.clone() for name, part in model.network.named_parameters()}
    model.calibrate(batches())
    assert model.training
    assert all(torch.equal(part, network[name]) for name, part in model.network.named_parameters())
    model.eval()
    other_BT = torch.from_numpy(drawn(420, seed=9).reshape(20, 21))
    targets_N = other_BT[:, 1:].flatten()
    own = torch.nn.functional.cross_entropy(model.network(other_BT[:, :-1]).flatten(0, 1), targets_N)
    features_ND = model.features(other_BT[:, :-1]).flatten(0, 1)
    # A network of random weights knows nothing; the tokens are drawn alone, so counts of one token know all.
    entropy = -sum(p * math.log(p) for p in (0.5, 0.3, 0.15, 0.05))
    mixed = model.losses(features_ND, targets_N).mean()
    assert mixed.item() < entropy + 0.1 < own.item()


@pytest.mark.parametrize("counts_alone", [False, True])
def test_without_batches_nothing_is_fitted(counts_alone: bool) -> None:
    model = mixture()
    before = [value.clone() for value in model.gate.parameters()]
    model.calibrate([], counts_alone=counts_alone)
    assert all(torch.equal(value, former) for value, former in zip(model.gate.parameters(), before, strict=True))
    ids_BT = torch.from_numpy(drawn(21)[None])
    losses = model.part_losses(model.features(ids_BT[:, :-1]).flatten(0, 1), ids_BT[0, 1:])
    assert losses.counts_N is None


@pytest.mark.parametrize("ensemble", [1, 2])
def test_a_network_without_counts_neither_reads_the_text_nor_is_fitted_to_it(ensemble: int) -> None:
    model = build(GPTSettings(layers=1, width=8, heads=2, ensemble=ensemble), VOCABULARY, 24)
    before = [value.clone() for value in model.parameters()]
    model.learn(lambda: pytest.fail("the text is read"))
    for counts_alone in (False, True):
        model.calibrate(batches(), counts_alone=counts_alone)
    assert all(torch.equal(value, former) for value, former in zip(model.parameters(), before, strict=True))
    assert model.steps() is None


def test_a_gate_that_cannot_be_fitted_stays() -> None:
    model = mixture()
    with torch.no_grad():
        model.network.output.weight.fill_(torch.nan)
    before = [value.clone() for value in model.gate.parameters()]
    model.calibrate(batches())
    assert all(torch.equal(value, former) for value, former in zip(model.gate.parameters(), before, strict=True))
    assert not any(value.requires_grad for value in model.gate.parameters())


def test_the_parts_of_a_mixture_are_measured_each_alone() -> None:
    model = mixture().eval()
    names = [name for name, _ in model.named_parameters()]
    rows_BT = torch.from_numpy(drawn(84, seed=5).reshape(4, 21))
    features_ND, targets_N = model.features(rows_BT[:, :-1]).flatten(0, 1), rows_BT[:, 1:].flatten()
    found = model.part_losses(features_ND, targets_N)
    own = torch.nn.functional.cross_entropy(model.network(rows_BT[:, :-1]).flatten(0, 1), targets_N, reduction="none")
    torch.testing.assert_close(found.network_N, own)
    assert torch.equal(found.whole_N, model.losses(features_ND, targets_N))
    assert found.counts_N is None
    model.calibrate(batches(), counts_alone=True)
    whole_N, network_N, counts_N = model.part_losses(features_ND, targets_N)
    assert torch.equal(whole_N, found.whole_N) and torch.equal(network_N, found.network_N)
    assert [name for name, _ in model.named_parameters()] == names  # nothing that would be saved
    # Without the network it is a probability still, whatever the network says.
    every = [model.part_losses(features_ND, torch.full_like(targets_N, token)).counts_N for token in range(VOCABULARY)]
    torch.testing.assert_close(torch.stack(every).neg().exp().sum(0), torch.ones(len(targets_N)))
    with torch.no_grad():
        model.network.output.weight.mul_(-50)
    spoilt = model.part_losses(features_ND, targets_N)
    assert torch.equal(spoilt.counts_N, counts_N)
    assert spoilt.network_N.mean() > network_N.mean()


def test_a_mixture_without_counts_says_so() -> None:
    model = build(GPTSettings(layers=1, width=16, heads=2, counts=True), VOCABULARY, 24).eval()
    with pytest.raises(RuntimeError, match="learn"):
        model(torch.zeros(1, 3, dtype=torch.long))


def assert_counted(ids: list[int], order: int, base: int, starts: list[int]) -> None:
    counted = list(count_orders(np.array(ids, np.int32), order, base, starts))
    assert len(counted) == min(order, len(ids))
    groups: list[list[tuple[int, ...]]] = [[()]]
    for n, found in enumerate(counted, 1):
        parts = [ids[part.start : part.stop] for part in segments(len(ids), starts)]
        together = [tuple(part[place : place + n]) for part in parts for place in range(len(part) - n + 1)]
        groups.append(sorted(set(together)))
        codes = [groups[n - 1].index(group[:-1]) * base + group[-1] for group in groups[n]]
        assert found.codes[:-1].tolist() == codes
        assert found.counts[:-1].tolist() == [together.count(group) for group in groups[n]]
        assert found.totals[:-1].tolist() == [sum(other[:-1] == group for other in together) for group in groups[n - 1]]
        assert found.types[:-1].tolist() == [sum(other[:-1] == group for other in groups[n]) for group in groups[n - 1]]
        assert found.totals[-1] == found.types[-1] == found.counts[-1] == 0


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=60),
    st.integers(1, 9),
    st.sampled_from([5, 6, 255, 300, 2**40]),
    st.sets(st.integers(1, 59)),
)
def test_small_tokens_are_counted_as_large_ones(ids: list[int], order: int, base: int, borders: set[int]) -> None:
    assert_counted(ids, order, base, [0])
    assert_counted(ids, order, base, [0, *sorted(border for border in borders if border < len(ids))])


def test_many_different_tokens_are_counted_in_the_same_way() -> None:
    ids = np.concatenate((drawn(30), np.arange(130), drawn(30))).tolist()
    assert_counted(ids, 9, 130, [0])
    assert_counted(ids, 9, 130, [0, 3, 14, 100, 101, 180])
