"""The loss of an output matrix, computed without all logits in memory at once.

With a vocabulary of 50,257, the logits of one step take more memory than the whole model, and moving them takes most of
the time. Here they are computed a few rows at a time, in reused buffers. Each portion adds its part of the loss and of
both gradients at once, so nothing is computed twice (the idea of Hsu et al. 2024, "Liger Kernel", arXiv 2410.10989,
section 3.2). Left out: second derivatives.

Shapes: N positions, D width, V vocabulary, P positions of one portion.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOGITS_AT_ONCE = 2**25
"""Maximum number of logits in memory: 128 MiB in single precision. With half of that, the loss takes 5% longer."""


def output_loss(features_ND: Tensor, output: nn.Linear, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the sum over the positions of weight x negative log-likelihood in nats; `targets` and `weights` have N.

    If all logits fit into `LOGITS_AT_ONCE`, this is torch's cross-entropy.
    """
    if features_ND.shape[0] * output.out_features <= LOGITS_AT_ONCE:
        losses = F.cross_entropy(output(features_ND).float(), targets, reduction="none")
        # Not a matrix product: autocast would round its sum to the half format.
        return (losses * weights).sum()
    loss: Tensor = _Portions.apply(features_ND, output.weight, output.bias, targets, weights)  # type: ignore[no-untyped-call]
    return loss


class _Portions(torch.autograd.Function):
    """Compute the gradients in the forward pass; the backward pass only scales them."""

    @staticmethod
    def forward(
        context: Any, features_ND: Tensor, weight_VD: Tensor, bias: Tensor | None, targets: Tensor, weights: Tensor
    ) -> Tensor:
        kind = features_ND.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else features_ND.dtype
        low_VD = weight_VD.to(dtype)
        grad_features_ND = torch.empty_like(features_ND)
        grad_weight_VD = torch.zeros_like(weight_VD)
        grad_bias = None if bias is None else torch.zeros_like(bias)
        total = torch.zeros((), device=features_ND.device)
        rows = max(1, LOGITS_AT_ONCE // weight_VD.shape[0])
        buffer_PV = torch.empty(min(rows, len(features_ND)), weight_VD.shape[0], device=features_ND.device)
        for start in range(0, len(features_ND), rows):
            part = slice(start, start + rows)
            low_PD = features_ND[part].to(dtype)
            logits_PV = buffer_PV[: len(low_PD)]
            with torch.autocast(kind, enabled=False):
                if dtype == torch.float32:
                    torch.mm(low_PD, low_VD.T, out=logits_PV)
                else:
                    logits_PV.copy_(low_PD @ low_VD.T)
                if bias is not None:
                    logits_PV += bias
                total += _softmax_less_target(logits_PV, targets[part], weights[part])
                low_PV = logits_PV.to(dtype)
                grad_features_ND[part] = low_PV @ low_VD
                grad_weight_VD += low_PV.T @ low_PD
                if grad_bias is not None:
                    grad_bias += logits_PV.sum(0)
        context.save_for_backward(grad_features_ND, grad_weight_VD, grad_bias)
        return total

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *(None if part is None else part * grad for part in context.saved_tensors), None, None


def _softmax_less_target(logits_PV: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Turn logits into the gradient of the weighted loss, in place, and return the loss."""
    targets_P1 = targets.unsqueeze(1)
    target_logits = logits_PV.gather(1, targets_P1).squeeze(1)
    highest = logits_PV.amax(1)
    logits_PV.sub_(highest.unsqueeze(1)).exp_()
    sums = logits_PV.sum(1)
    losses = sums.log() + highest - target_logits
    logits_PV.mul_((weights / sums).unsqueeze(1))
    logits_PV.scatter_add_(1, targets_P1, -weights.unsqueeze(1))
    return (losses * weights).sum()
