"""Muon, against the rule written out with a singular value decomposition, and against torch's own."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lilliput.optimization import muon
from lilliput.optimization.muon import Muon, orthogonal

SHAPES = [(8, 8), (8, 24), (24, 8), (8, 24), (5, 7), (1, 6)]


@pytest.fixture(params=[False, True], ids=["single precision", "bfloat16"])
def coarse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(muon, "multiplies_bfloat16", lambda device: request.param)
    return bool(request.param)


def matrices(seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, requires_grad=True) for shape in SHAPES]


def give_gradients(parameters: list[Tensor], seed: int) -> None:
    for parameter, gradient in zip(parameters, matrices(seed), strict=True):
        parameter.grad = gradient.detach()


def test_singular_values_come_near_one_and_vectors_stay(coarse: bool) -> None:
    x_MRC = torch.randn(4, 6, 10, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(x_MRC, full_matrices=False)
    found = orthogonal(x_MRC)
    assert found.dtype == torch.float32
    # In the frame of its own singular vectors the result is nearly diagonal, between a half and one and a half.
    framed = left.mT @ found @ right.mT
    diagonal = framed.diagonal(dim1=1, dim2=2)
    assert ((diagonal > 0.5) & (diagonal < 1.5)).all()
    assert (framed - torch.diag_embed(diagonal)).abs().max() < (0.1 if coarse else 1e-3)


def test_a_gradient_of_nothing_moves_nothing(coarse: bool) -> None:
    assert not orthogonal(torch.zeros(2, 3, 4)).any()


class WrittenOut:
    """The rule, one matrix after the other and in double precision."""

    def __init__(self, matrices: list[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        self.matrices, self.rate, self.momentum, self.decay = matrices, lr, momentum, weight_decay
        self.buffers = [torch.zeros_like(matrix, dtype=torch.float64) for matrix in matrices]

    @torch.no_grad()
    def step(self) -> None:
        for place, matrix in enumerate(self.matrices):
            assert matrix.grad is not None
            gradient = matrix.grad.double()
            self.buffers[place] = self.momentum * self.buffers[place] + (1 - self.momentum) * gradient
            x = (1 - self.momentum) * gradient + self.momentum * self.buffers[place]
            x /= x.norm()
            for _ in range(5):
                square = x @ x.T
                x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
            rows, columns = matrix.shape
            matrix.copy_((1 - self.rate * self.decay) * matrix - self.rate * max(1, rows / columns) ** 0.5 * x)


# Torch has its own from version 2.9 on.
REFERENCES = [WrittenOut, *([torch.optim.Muon] if hasattr(torch.optim, "Muon") else [])]


@pytest.mark.parametrize("reference", REFERENCES)
def test_the_rule_is_the_published_one(reference: Any, coarse: bool) -> None:
    ours, theirs = matrices(), matrices()
    options = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}
    pair = (Muon(ours, **options), reference(theirs, **options))
    for seed in range(1, 6):
        for parameters in (ours, theirs):
            give_gradients(parameters, seed)
        for optimizer in pair:
            optimizer.step()
    for one, other, before in zip(ours, theirs, matrices(), strict=True):
        moved = (other - before).norm()
        assert (one - other).norm() < 0.02 * moved


def test_a_matrix_moves_alike_alone_and_beside_others_of_its_shape() -> None:
    together = matrices()
    give_gradients(together, 1)
    Muon(together, lr=0.1, momentum=0.9, weight_decay=0.0).step()
    for place in range(len(SHAPES)):
        alone = matrices()
        give_gradients(alone, 1)
        Muon([alone[place]], lr=0.1, momentum=0.9, weight_decay=0.0).step()
        torch.testing.assert_close(alone[place], together[place], rtol=1e-2, atol=1e-3)


def test_a_matrix_without_a_gradient_stays() -> None:
    parameters, before = matrices(), matrices()
    give_gradients(parameters, 1)
    parameters[1].grad = None
    Muon(parameters, lr=0.1, momentum=0.9, weight_decay=0.1).step()
    assert torch.equal(parameters[1], before[1])
    assert not torch.equal(parameters[3], before[3])
