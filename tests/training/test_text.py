"""One long text: what is learnt from it, and what is set aside of it."""

import numpy as np
import pytest
import torch

from lilliput.tokenizers import train
from lilliput.training.text import ASIDE, TextMaterial

WINDOW, MEMORY = 64, 100


def material(tokens: int, fits: bool = True) -> TextMaterial:
    """A text in which every token is its place."""
    places = np.arange(tokens, dtype=np.uint32)
    return TextMaterial(train("char", "any"), places, places[:100], {}, WINDOW, fits)


@pytest.mark.parametrize(("tokens", "aside"), [(2_000, 125), (50_000, 2_048), (1_000_000, ASIDE)])
def test_the_end_of_the_text_is_set_aside_with_what_stands_before(tokens: int, aside: int) -> None:
    text = material(tokens)
    pairs = text.aside(5, MEMORY)
    assert all(len(batch.inputs_BT) == 5 for _, batch in pairs[:-1]) and len(pairs[-1][1].inputs_BT) <= 5
    for before_BP, batch in pairs:
        firsts = batch.inputs_BT[:, :1]
        assert (before_BP == firsts + torch.arange(-MEMORY, 0)).all()
        assert (batch.inputs_BT == firsts + torch.arange(WINDOW)).all()
        assert (batch.targets_BT == batch.inputs_BT + 1).all()
    starts = [int(start) for _, batch in pairs for start in batch.inputs_BT[:, 0]]
    assert starts == list(range(tokens - aside, tokens - WINDOW, WINDOW))
    learned = max(int(text.batches(8, 1)(step).targets_BT.max()) for step in range(4 * tokens // (8 * WINDOW)))
    assert tokens - aside - WINDOW <= learned < tokens - aside


def test_of_a_text_for_a_network_alone_nothing_is_set_aside() -> None:
    assert material(50_000, fits=False).aside(5, MEMORY) == []
    assert material(1_999).aside(5, MEMORY) == []


def test_before_the_beginning_stands_nothing() -> None:
    ((before_BP, _),) = material(2_000).aside(5, 10_000)
    assert before_BP[0].tolist() == list(range(2_000 - 125))
