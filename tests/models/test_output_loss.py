"""The loss computed in portions equals the loss computed at once."""

from typing import Any

import pytest
import torch
from torch import nn

from lilliput.models import output_loss


def gradients(portions: bool, bias: bool, monkeypatch: pytest.MonkeyPatch, **autocast: Any) -> list[torch.Tensor]:
    monkeypatch.setattr(output_loss, "LOGITS_AT_ONCE", 70 if portions else 10_000)  # three rows of 23, and a rest
    torch.manual_seed(0)
    output = nn.Linear(8, 23, bias=bias)
    features_ND = torch.randn(11, 8, requires_grad=True)
    targets, weights = torch.randint(23, (11,)), torch.rand(11)
    weights[3] = 0.0
    with torch.autocast("cpu", **autocast):
        loss = output_loss.output_loss(features_ND, output, targets, weights)
    (2 * loss).backward()
    return [loss.detach(), *(part.grad for part in (features_ND, *output.parameters()))]  # type: ignore[list-item]


@pytest.mark.parametrize("bias", [False, True])
def test_portions_equal_the_whole(bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gradients(False, bias, monkeypatch, enabled=False)
    portions = gradients(True, bias, monkeypatch, enabled=False)
    assert len(whole) == len(portions) == 3 + bias
    for one, other in zip(whole, portions, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    assert not portions[1][3].any()  # targets of weight zero have no gradient


@pytest.mark.parametrize("portions", [False, True])
def test_half_precision_keeps_the_sum_exact(portions: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = gradients(False, False, monkeypatch, enabled=False)
    half = gradients(portions, False, monkeypatch, dtype=torch.bfloat16)
    assert half[0].dtype == torch.float32
    assert half[0] != half[0].bfloat16()
    for one, other in zip(exact, half, strict=True):
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.02)
