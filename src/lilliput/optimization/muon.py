"""Muon: orthogonalised updates of matrices, which move equally far in all directions (Jordan et al. 2024).

    buffer = momentum x buffer + (1 - momentum) x gradient
    update = orthogonal part of (1 - momentum) x gradient + momentum x buffer      (Nesterov)
    weight = (1 - rate x decay) x weight - rate x sqrt(max(1, rows / columns)) x update

Five Newton-Schulz steps compute the orthogonal part, in bfloat16 where the hardware multiplies it fast: the singular
values only have to be near 1. The rule is that of `torch.optim.Muon`. Here all matrices of one shape, after transposing
the tall ones, go through the steps together, which takes about half the time for tiny models on a CPU.

Axes: M matrices of one shape, R rows, C columns, R <= C.
"""

from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor

from lilliput.runtime import multiplies_bfloat16

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic that raises small singular values fastest, by Jordan et al."""
_STEPS = 5
_LEAST = 1e-7


class Muon(torch.optim.Optimizer):
    """Updates matrices only; its state is one `momentum_buffer` for each."""

    def __init__(self, matrices: Iterable[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # no closure is taken
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            together: dict[tuple[int, ...], list[Tensor]] = {}
            for matrix in group["params"]:
                if matrix.grad is not None:
                    together.setdefault(tuple(sorted(matrix.shape)), []).append(matrix)
            for matrices in together.values():
                self._update(matrices, group["lr"], group["momentum"], group["weight_decay"])

    def _update(self, matrices: list[Tensor], rate: float, momentum: float, decay: float) -> None:
        updates = []
        for matrix in matrices:
            state = self.state[matrix]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(matrix)
            gradient = cast(Tensor, matrix.grad)
            buffer = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
            updates.append(_wide(gradient.lerp(buffer, momentum)))
        for matrix, update in zip(matrices, orthogonal(torch.stack(updates)).unbind(), strict=True):
            rows, columns = matrix.shape
            matrix.mul_(1 - rate * decay)
            matrix.add_(update if rows <= columns else update.T, alpha=-rate * max(1, rows / columns) ** 0.5)


def orthogonal(matrices_MRC: Tensor) -> Tensor:
    """Return the matrices with their singular values replaced by values near 1."""
    coarse = multiplies_bfloat16(matrices_MRC.device)
    x_MRC = matrices_MRC.to(torch.bfloat16 if coarse else matrices_MRC.dtype)
    # The norm bounds the largest singular value.
    x_MRC = x_MRC / x_MRC.flatten(1).norm(dim=1).clamp(min=_LEAST).view(-1, 1, 1)
    linear, cubic, quintic = _COEFFICIENTS
    for _ in range(_STEPS):
        gram_MRR = x_MRC @ x_MRC.mT
        factor_MRR = torch.baddbmm(gram_MRR, gram_MRR, gram_MRR, beta=cubic, alpha=quintic)
        x_MRC = torch.baddbmm(x_MRC, factor_MRR, x_MRC, beta=linear)
    return x_MRC.to(matrices_MRC.dtype)


def _wide(matrix: Tensor) -> Tensor:
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
