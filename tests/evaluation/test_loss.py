import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from lilliput.corpus.word_count import count_words
from lilliput.errors import CorpusError, RecipeError
from lilliput.evaluation import Score, evaluate, score_tokens
from lilliput.evaluation import loss as loss_module
from lilliput.models import Model


class Counter(Model):
    """Gives every token the same probability and remembers which inputs it was asked to predict from, and how deep."""

    context = 64

    def __init__(self, vocab_size):
        super().__init__()
        self.vocab_size = vocab_size
        self.scored = []
        self.depths = []
        self.largest = 0

    def features(self, ids_BT, cache=None, before_BP=None):
        depths_BT = torch.arange(ids_BT.shape[1]).expand_as(ids_BT)
        return torch.stack([ids_BT, depths_BT], dim=-1).double()

    def head(self, features_BTD):
        assert not self.training
        self.scored += features_BTD[..., 0].flatten().int().tolist()
        self.depths += features_BTD[..., 1].flatten().int().tolist()
        logits_BTV = torch.zeros(*features_BTD.shape[:2], self.vocab_size)
        self.largest = max(self.largest, logits_BTV.numel())
        return logits_BTV

    def new_cache(self, batch):
        raise AssertionError("evaluation needs no cache")


class Tiny(Model):
    """A recurrent network with dropout: enough to notice a changed mode or a drawn random number."""

    context = 8

    def __init__(self, vocab_size=11):
        super().__init__()
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, 6)
        self.cells = nn.GRU(6, 6, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(6, vocab_size)

    def features(self, ids_BT, cache=None, before_BP=None):
        return self.dropout(self.cells(self.embedding(ids_BT))[0])

    def head(self, features_BTD):
        return self.output(features_BTD)

    def new_cache(self, batch):
        raise AssertionError("evaluation needs no cache")


class Rememberer(Counter):
    """Wants to be told the five tokens before a window, and remembers them by its first token."""

    memory = 5

    def __init__(self, vocab_size):
        super().__init__(vocab_size)
        self.told = {}

    def features(self, ids_BT, cache=None, before_BP=None):
        self.told |= dict(zip(ids_BT[:, 0].tolist(), before_BP.tolist(), strict=True))
        return super().features(ids_BT)


@pytest.mark.parametrize("limit", [None, 20])
def test_a_model_with_a_memory_is_told_what_stands_before_a_sliding_window(limit):
    model = Rememberer(100)
    score_tokens(model, np.arange(100, dtype=np.uint16), 8, "sliding", batch=4, limit=limit)
    assert model.told == {start: list(range(max(0, start - 5), start)) for start in model.told}
    assert len(model.told) > 2
    model = Rememberer(100)
    score_tokens(model, np.arange(100, dtype=np.uint16), 8, "separate", batch=4, limit=limit)
    assert not any(model.told.values())


@pytest.mark.parametrize("definition", ["separate", "sliding"])
@pytest.mark.parametrize("window", [1, 3, 8, 37, 64])
@pytest.mark.parametrize("count", [2, 3, 9, 38, 65, 100])
def test_every_token_but_the_first_is_scored_exactly_once(definition, window, count):
    model = Counter(count)
    total, targets = score_tokens(model, np.arange(count, dtype=np.uint16), window, definition, batch=3)
    assert sorted(model.scored) == list(range(count - 1))
    assert targets == count - 1
    assert total == pytest.approx((count - 1) * math.log(count), rel=1e-6)


def test_sliding_windows_give_every_later_target_three_quarters_of_a_window():
    model = Counter(100)
    score_tokens(model, np.arange(100), 16, "sliding")
    depths = dict(zip(model.scored, model.depths, strict=True))
    assert [depths[position] for position in range(16)] == list(range(16))
    assert all(depths[position] >= 12 for position in range(16, 99))


def test_separate_windows_start_afresh():
    model = Counter(100)
    score_tokens(model, np.arange(100), 16, "separate")
    depths = dict(zip(model.scored, model.depths, strict=True))
    assert all(depths[position] == position % 16 for position in range(99))


@pytest.mark.parametrize("definition", ["separate", "sliding"])
def test_the_loss_is_that_of_the_plain_computation(definition):
    torch.manual_seed(0)
    model = Tiny().eval()
    tokens = np.random.default_rng(0).integers(0, 11, size=51)
    total, targets = score_tokens(model, tokens, 8, definition, batch=4)
    expected = 0.0
    for span in loss_module.plan([range(50)], 8, definition):
        ids_BT = torch.from_numpy(tokens[span.start : span.start + span.length + 1])[None]
        with torch.no_grad():
            losses = -torch.log_softmax(model(ids_BT[:, :-1]).double(), dim=-1)[0].gather(1, ids_BT[0, 1:, None])
        expected += float(losses[span.skip :].sum())
    assert targets == 50
    assert total == pytest.approx(expected, rel=1e-5)


def test_the_result_does_not_depend_on_how_the_work_is_cut(monkeypatch):
    torch.manual_seed(0)
    model, tokens = Tiny(), np.random.default_rng(1).integers(0, 11, size=200)
    whole = score_tokens(model, tokens, 8, "sliding", batch=64)
    monkeypatch.setattr(loss_module, "LOGITS_AT_ONCE", 11 * 5)
    assert score_tokens(model, tokens, 8, "sliding", batch=7) == (pytest.approx(whole[0], rel=1e-6), whole[1])


def test_logits_are_bounded(monkeypatch):
    monkeypatch.setattr(loss_module, "LOGITS_AT_ONCE", 1000)
    model = Counter(129)
    score_tokens(model, np.arange(129), 64, "separate")
    assert model.largest <= 1000
    assert len(model.scored) == 128


def test_a_memory_map_is_scored_like_an_array(tmp_path):
    tokens = np.random.default_rng(0).integers(0, 11, size=60).astype(np.uint16)
    np.save(tmp_path / "tokens.npy", tokens)
    model = Tiny()
    mapped = np.load(tmp_path / "tokens.npy", mmap_mode="r")
    assert score_tokens(model, mapped, 8, "sliding") == score_tokens(model, tokens, 8, "sliding")


def train(evaluations):
    torch.manual_seed(7)
    model = Tiny()
    model.output.eval()  # a part that somebody froze stays frozen
    tokens = np.random.default_rng(0).integers(0, 11, size=90)
    losses = []
    for _ in range(4):
        ids_BT = torch.randint(0, 11, (3, 9))
        loss = nn.functional.cross_entropy(model(ids_BT[:, :-1]).flatten(0, 1), ids_BT[:, 1:].flatten())
        model.zero_grad()
        loss.backward()
        for definition in evaluations:
            score_tokens(model, tokens, 8, definition, limit=40)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.sub_(0.1 * parameter.grad)
        losses.append(loss.item())
    return losses, [parameter.detach().clone() for parameter in model.parameters()], model


def test_evaluating_leaves_training_untouched_to_the_bit():
    losses, weights, _ = train([])
    evaluated_losses, evaluated_weights, model = train(["separate", "sliding"])
    assert losses == evaluated_losses
    assert all(torch.equal(a, b) for a, b in zip(weights, evaluated_weights, strict=True))
    assert model.training
    assert model.dropout.training
    assert not model.output.training


def test_the_mode_is_put_back_after_an_error():
    model = Tiny()
    with pytest.raises(IndexError):
        score_tokens(model, np.array([1, 2, 99]), 8, "separate")
    assert model.training


@pytest.mark.parametrize("definition", ["separate", "sliding"])
@pytest.mark.parametrize("limit", [1, 3, 5, 16, 50, 98, 99, 1000])
def test_a_limit_is_kept_and_its_targets_are_spread_over_the_text(definition, limit):
    model = Counter(100)
    _, targets = score_tokens(model, np.arange(100), 16, definition, limit=limit)
    assert len(model.scored) == len(set(model.scored)) == targets
    assert 0 < targets <= min(limit, 99)
    if limit >= 99:
        assert targets == 99
    elif limit == 50:
        assert min(model.scored) < 20
        assert max(model.scored) == 98


@pytest.mark.parametrize("window", [7, 16, 600])
@pytest.mark.parametrize("limit", [600, 1500, 2100])
def test_a_part_is_the_same_in_both_definitions_and_comes_in_pieces(window, limit):
    scored = {}
    for definition in ("separate", "sliding"):
        model = Counter(4000)
        score_tokens(model, np.arange(4000), window, definition, limit=limit)
        scored[definition] = sorted(model.scored)
    stretches = loss_module.pieces([range(3999)], window, limit)
    assert scored["separate"] == scored["sliding"] == [target for stretch in stretches for target in stretch]
    assert len(stretches) >= min(8, limit // window)
    assert all(stretch.start % len(stretches[0]) == 0 for stretch in stretches)
    assert stretches[-1].stop == 3999 or len(stretches) == 1


def test_a_large_part_has_pieces_of_one_length():
    assert {len(piece) for piece in loss_module.pieces([range(10**6)], 256, 8192)} == {
        loss_module.piece_length(256),
        64,
    }


def test_progress_reaches_the_total():
    seen = []
    score_tokens(
        Counter(100), np.arange(100), 16, "sliding", batch=5, progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (99, 99)
    assert seen == sorted(seen)


@pytest.mark.parametrize("count", [0, 1])
def test_a_text_without_targets_is_refused(count):
    with pytest.raises(CorpusError, match=f"{count} tokens"):
        score_tokens(Counter(5), np.arange(count), 16, "separate")


@pytest.mark.parametrize(("window", "limit"), [(0, None), (-4, None), (8, 0)])
def test_an_impossible_window_or_limit_is_refused(window, limit):
    with pytest.raises(RecipeError, match="1 or more"):
        score_tokens(Counter(5), np.arange(5), window, "separate", limit=limit)


def test_a_score_divides_by_the_original_text():
    # 20 tokens for 40 characters and 60 bytes, one bit each.
    score = evaluate(Counter(2), np.zeros(20, dtype=np.uint16), 8, "sliding", characters=40, bytes=60)
    assert score.loss_nats_per_token == pytest.approx(math.log(2), rel=1e-6)
    assert score.perplexity == pytest.approx(2, rel=1e-6)
    assert score.bits_per_character == pytest.approx(0.5, rel=1e-6)
    assert score.bits_per_byte == pytest.approx(1 / 3, rel=1e-6)
    assert (score.stride, score.window, score.sampled_share) == (2, 8, 1.0)


def test_word_perplexity_spreads_the_nats_over_words_and_line_ends():
    text = " \n = A title = \n \n Some words , and a sign . \n"
    words = count_words(text)
    assert words == 4 + 7 + 4
    tokens = np.zeros(60, dtype=np.uint16)
    score = evaluate(Counter(2), tokens, 8, "sliding", characters=len(text), bytes=len(text), words=words)
    assert score.word_perplexity == pytest.approx(2 ** (60 / 15), rel=1e-6)
    assert score.as_dict()["word_perplexity"] == pytest.approx(16, rel=1e-5)
    assert score.as_dict()["words"] == 15


def test_without_words_there_is_no_word_perplexity():
    score = evaluate(Counter(2), np.zeros(20, dtype=np.uint16), 8, "sliding", characters=40, bytes=60)
    assert score.as_dict()["word_perplexity"] is None
    assert Score(1e3, 10, 10, 10, "separate", 8, 8, words=1).as_dict()["word_perplexity"] is None


def test_a_sampled_score_says_so():
    score = evaluate(Counter(2), np.zeros(101, dtype=np.uint16), 10, "separate", characters=101, bytes=101, limit=20)
    assert score.sampled_share == pytest.approx(0.2)
    assert score.bits_per_character == pytest.approx(1, rel=1e-6)


def test_a_diverged_score_is_still_json():
    def strict(value):
        return json.loads(json.dumps(value, allow_nan=False))

    diverged = Score(1e6, 10, 10, 10, "separate", 8, 8)
    assert strict(diverged.as_dict())["perplexity"] is None
    broken = Score(math.nan, 10, 10, 10, "separate", 8, 8)
    assert strict(broken.as_dict())["loss"] is None


class Rows(Counter):
    """Keeps the rows that it is asked about, what stands before them included."""

    memory = 20

    def __init__(self, vocab_size):
        super().__init__(vocab_size)
        self.rows = []

    def features(self, ids_BT, cache=None, before_BP=None):
        self.rows += torch.cat((before_BP, ids_BT), 1).tolist()
        return super().features(ids_BT)


@pytest.mark.parametrize("definition", ["separate", "sliding"])
@pytest.mark.parametrize("limit", [None, 5, 40, 90])
def test_nothing_of_another_segment_is_seen(definition, limit):
    starts = [0, 7, 60, 62, 100]
    numbers = np.searchsorted(starts, np.arange(150), "right")
    model = Rows(150)
    _, targets = score_tokens(model, np.arange(150), 8, definition, limit=limit, starts=starts)
    assert all(len(set(numbers[row])) == 1 and np.diff(row).tolist() == [1] * (len(row) - 1) for row in model.rows)
    assert len(model.scored) == len(set(model.scored)) == targets
    # The last token of each segment has nothing to predict.
    assert set(model.scored) <= set(range(150)) - {6, 59, 61, 99, 149}
    assert targets == 145 if limit is None else targets <= limit
    if definition == "sliding" and limit is None:
        assert max(map(len, model.rows)) == 28


@pytest.mark.parametrize("definition", ["separate", "sliding"])
def test_segments_cost_together_what_each_costs_alone(definition):
    torch.manual_seed(0)
    model, tokens = Tiny(), np.random.default_rng(2).integers(0, 11, size=130)
    alone = [score_tokens(model, tokens[start:stop], 8, definition) for start, stop in ((0, 33), (33, 64), (64, 130))]
    together = score_tokens(model, tokens, 8, definition, starts=[0, 33, 64])
    assert together[0] == pytest.approx(sum(total for total, _ in alone), rel=1e-6)
    assert together[1] == sum(targets for _, targets in alone) == 127
    figures = evaluate(model, tokens, 8, definition, characters=130, bytes=130, starts=[0, 33, 64])
    assert figures.sampled_share == 1


def test_pieces_of_segments_are_those_of_the_grid():
    targets = loss_module.targets_of(9000, [0, 1300, 5000])
    for window, limit in ((64, 2000), (16, 4500), (64, 512), (7, 3000)):
        stretches = loss_module.pieces(targets, window, limit)
        length = max(map(len, stretches))
        assert set(stretches) <= set(loss_module.cut(targets, length))
        assert sum(map(len, stretches)) <= limit
