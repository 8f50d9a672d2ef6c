"""A long text: the part to learn from, and the part set aside."""

import numpy as np
import pytest
import torch

from lilliput.segments import starts_of
from lilliput.tokenizers import train
from lilliput.training.data import text_data
from lilliput.training.data.text_data import ASIDE, TextData

WINDOW, MEMORY = 64, 100


def training_data(tokens: int, fits: bool = True) -> TextData:
    """A text in which every token is its position."""
    positions = np.arange(tokens, dtype=np.uint32)
    return TextData(train("char", "any"), positions, positions[:100], {}, WINDOW, fits)


@pytest.mark.parametrize(("tokens", "aside"), [(2_000, 125), (50_000, 2_048), (1_000_000, ASIDE)])
def test_the_end_of_the_text_is_set_aside_with_the_tokens_before_it(tokens: int, aside: int) -> None:
    text = training_data(tokens)
    batches = text.aside(5, MEMORY)
    assert all(len(batch.inputs_BT) == 5 for batch in batches[:-1]) and len(batches[-1].inputs_BT) <= 5
    for batch in batches:
        firsts = batch.inputs_BT[:, :1]
        assert (batch.before_BP == firsts + torch.arange(-MEMORY, 0)).all()
        assert (batch.inputs_BT == firsts + torch.arange(WINDOW)).all()
        assert (batch.targets_BT == batch.inputs_BT + 1).all()
    starts = [int(start) for batch in batches for start in batch.inputs_BT[:, 0]]
    assert starts == list(range(tokens - aside, tokens - WINDOW, WINDOW))
    batch_of = text.batches(8, 1)
    learned = max(int(batch_of(step).targets_BT.max()) for step in range(4 * tokens // (8 * WINDOW)))
    assert tokens - aside - WINDOW <= learned < tokens - aside


@pytest.mark.parametrize(("lengths", "aside"), [([3_000] * 20, 20), ([2_000, 70, 2_000, 300], 4), ([70] * 40, 2)])
def test_the_ends_of_several_segments_are_set_aside_and_no_window_crosses_a_boundary(
    lengths: list[int], aside: int
) -> None:
    positions = np.arange(sum(lengths), dtype=np.uint32)
    numbers = torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths))
    starts = (starts_of(lengths), [0])
    text = TextData(train("char", "any"), positions, positions[:100], {}, WINDOW, True, starts)
    kept: set[int] = set()
    used: set[int] = set()
    for part in text.aside(5, MEMORY):
        row_BT = torch.cat((part.before_BP, part.inputs_BT, part.targets_BT[:, -1:]), 1)
        assert (row_BT.diff() == 1).all()
        assert (numbers[row_BT] == numbers[row_BT[:, :1]]).all()
        kept |= set(part.targets_BT.flatten().tolist())
        used |= set(numbers[row_BT[:, 0]].tolist())
    assert len(used) == aside
    assert len(lengths) - 1 in used
    for step in range(30):
        batch = text.batches(8, 1)(step)
        assert (batch.targets_BT == batch.inputs_BT + 1).all()
        assert (numbers[batch.inputs_BT] == numbers[batch.targets_BT[:, -1:]]).all()
        assert not kept & set(batch.targets_BT.flatten().tolist())


def test_the_part_set_aside_lies_in_the_counted_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_data, "MOST_TOKENS", 20_000)
    positions = np.arange(60_000, dtype=np.uint32)
    starts = (list(range(0, 60_000, 3_000)), [0])
    text = TextData(train("char", "any"), positions, positions[:100], {}, WINDOW, True, starts)
    assert min(int(batch.inputs_BT.min()) for batch in text.aside(5, MEMORY)) >= 40_000


def test_without_counts_no_text_is_set_aside() -> None:
    assert training_data(50_000, fits=False).aside(5, MEMORY) == []
    assert training_data(1_999).aside(5, MEMORY) == []


def test_no_tokens_precede_the_start_of_the_text() -> None:
    (batch,) = training_data(2_000).aside(5, 10_000)
    assert batch.before_BP[0].tolist() == list(range(2_000 - 125))
