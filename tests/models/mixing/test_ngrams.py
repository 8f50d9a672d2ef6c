"""Embeddings of groups of tokens: which rows they take, and what the rows do."""

import pytest
import torch

from lilliput.models import GPTSettings, build, count_multiplied, count_parameters
from lilliput.models.mixing.ngrams import NgramEmbedding
from lilliput.optimization.optimizers import build_optimizers
from lilliput.optimization.settings import OptimizerSettings

VOCABULARY = 50


def embedding(longest: int = 4, rows: int = 1000, dropout: float = 0.0, width: int = 3) -> NgramEmbedding:
    torch.manual_seed(0)
    made = NgramEmbedding(longest, rows, width, VOCABULARY, dropout)
    torch.nn.init.normal_(made.table.weight)
    return made


def ids(*shape: int) -> torch.Tensor:
    return torch.randint(VOCABULARY, shape, generator=torch.Generator().manual_seed(1))


def test_a_row_follows_from_the_last_tokens_and_from_no_others() -> None:
    text_BT = ids(1, 12)
    indices_BTN = embedding().indices(text_BT)
    for order, rows in ((2, indices_BTN[..., 0]), (3, indices_BTN[..., 1]), (4, indices_BTN[..., 2])):
        for changed in range(12):
            other_BT = text_BT.clone()
            other_BT[0, changed] = (other_BT[0, changed] + 1) % VOCABULARY
            moved = (embedding().indices(other_BT)[..., order - 2] != rows)[0].nonzero().flatten().tolist()
            assert moved == list(range(changed, min(changed + order, 12)))


def test_every_order_has_its_own_rows_and_uses_nearly_all_of_them() -> None:
    indices_BTN = embedding().indices(ids(1, 20_000))
    for block in range(3):
        rows = indices_BTN[0, :, block]
        assert block * 1000 <= rows.min()
        assert rows.max() < (block + 1) * 1000
        # 20,000 groups thrown at random into 1,000 rows leave hardly one empty, and fill none with more than fifty.
        filled = torch.bincount(rows - block * 1000, minlength=1000)
        expected_empty = 400 if block == 0 else 10  # there are but 2,500 pairs
        assert (filled == 0).sum() < expected_empty


def test_the_embedding_is_the_sum_of_the_rows() -> None:
    made, text_BT = embedding(), ids(2, 7)
    indices_BTN = made.indices(text_BT)
    expected = torch.stack([made.table.weight[indices_BTN[..., block]] for block in range(3)]).sum(0)
    torch.testing.assert_close(made(text_BT), expected)


@pytest.mark.parametrize("known", [0, 1, 2, 3])
def test_what_stood_before_counts(known: int) -> None:
    made, text_BT = embedding(), ids(2, 9)
    after = made.indices(text_BT[:, known:], text_BT[:, :known])
    assert torch.equal(after, made.indices(text_BT)[:, known:])
    if known:
        assert not torch.equal(after, made.indices(text_BT[:, known:]))


def test_dropout_leaves_out_whole_orders_and_keeps_the_mean() -> None:
    made, text_BT = embedding(longest=2, dropout=0.5, width=8), ids(1, 5000)
    dropped_BTD = made(text_BT)
    gone = (dropped_BTD == 0).all(-1)
    assert 0.45 < gone.float().mean() < 0.55
    plain_BTD = made.eval()(text_BT)
    torch.testing.assert_close(dropped_BTD[~gone], 2 * plain_BTD[~gone])


def test_the_table_begins_at_zero_moves_at_its_own_rate_and_is_not_counted_as_multiplied() -> None:
    model = build(GPTSettings(layers=1, width=8, heads=2, ngrams=3, ngram_rows=16), VOCABULARY, 10)
    assert model.ngrams is not None
    table = model.ngrams.table.weight
    assert not table.any()
    assert count_parameters(model) - count_multiplied(model) == table.numel() == 2 * 16 * 8
    optimizers = build_optimizers(model, OptimizerSettings(optimizer="muon", table_learning_rate=0.05))
    torch.nn.init.normal_(model.output.weight)  # zero at first: nothing would come through it
    model(ids(2, 10)).square().mean().backward()
    optimizers.set_rate(1.0)
    for part in optimizers.parts:
        part.step()
    # The first step of Adam is as long as its rate, wherever there is a gradient.
    assert table.abs().max().item() == pytest.approx(0.05, rel=1e-3)
