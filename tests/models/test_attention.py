"""Attention by its definition, compared with torch's implementation."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lilliput.models import GPTSettings, build, layers
from lilliput.models.layers import plain_attention, plain_is_faster


def heads(time: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    # As in a block: heads are the second axis of a transposed tensor.
    return [
        torch.randn(2, time, 3, 8, generator=generator).to(dtype).transpose(1, 2).requires_grad_() for _ in range(3)
    ]


@pytest.mark.parametrize("time", [1, 2, 127, 128, 129, 200, 300])
def test_it_equals_torchs_attention_and_its_gradients(time: int) -> None:
    gradient_BHTK = torch.randn(2, 3, time, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    inputs, expected = heads(time), heads(time)
    mixed = plain_attention(inputs[0], inputs[1], inputs[2], 0.0)
    reference = F.scaled_dot_product_attention(*expected, is_causal=True)
    torch.testing.assert_close(mixed, reference)
    for output in (mixed, reference):
        output.backward(gradient_BHTK)
    for one, other in zip(inputs, expected, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_dropout_leaves_the_mean() -> None:
    queries, keys, values = heads(150)
    torch.manual_seed(3)
    drawn = torch.stack([plain_attention(queries, keys, values, 0.3).detach() for _ in range(400)])
    expected = plain_attention(queries, keys, values, 0.0).detach()
    assert (drawn.mean(0) - expected).abs().max() < 0.3
    assert not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_it_is_used_when_training_in_bfloat16(kind: torch.dtype) -> None:
    values = torch.zeros(1, dtype=kind)
    assert plain_is_faster(values) == (kind == torch.bfloat16)
    with torch.no_grad():
        assert not plain_is_faster(values)


@pytest.mark.parametrize("time", [40, 290])
def test_a_network_learns_the_same_with_it(monkeypatch: pytest.MonkeyPatch, time: int) -> None:
    gradients = []
    for plain in (False, True):
        monkeypatch.setattr(layers, "plain_is_faster", lambda values, plain=plain: plain)
        torch.manual_seed(1)
        model = build(GPTSettings(layers=2, width=32, heads=2, initial="gpt2"), 11, 300)
        ids_BT = torch.randint(11, (2, time + 1))
        loss = model.loss(model.features(ids_BT[:, :-1]).flatten(0, 1), ids_BT[:, 1:].flatten(), torch.ones(2 * time))
        loss.backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
