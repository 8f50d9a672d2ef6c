"""Balance losses on a toy whose posterior can be written down: four answers to one prompt."""

import pytest
import torch
from torch import Tensor

from lilliput.objectives.balance import (
    group_relative,
    reinforce_kl,
    relative_trajectory_balance,
    target_reward,
    vargrad,
)

LOG_P0 = torch.tensor([0.7, 0.2, 0.08, 0.02]).log()
REWARDS = torch.tensor([0.0, 0.0, 0.7, 1.0])
BETA = 3.0
TARGET = LOG_P0 + BETA * REWARDS
POSTERIOR = TARGET.softmax(0)
ALL = torch.arange(4)[None]


def losses_of(log_q_V: Tensor, drawn_PK: Tensor, log_z: Tensor) -> dict[str, Tensor]:
    log_q, target = log_q_V[drawn_PK], TARGET[drawn_PK]
    return {
        "vargrad": vargrad(log_q, target),
        "rtb": relative_trajectory_balance(log_q, target, log_z),
        "reinforce_kl": reinforce_kl(log_q, target),
    }


def test_the_losses_are_zero_at_the_posterior() -> None:
    log_z = TARGET.logsumexp(0)[None]
    losses = losses_of(POSTERIOR.log(), ALL, log_z)
    assert losses["vargrad"].item() == pytest.approx(0, abs=1e-10)
    assert losses["rtb"].item() == pytest.approx(0, abs=1e-10)
    assert vargrad(LOG_P0[ALL], TARGET[ALL]).item() > 0.1


@pytest.mark.parametrize("name", ["vargrad", "rtb", "reinforce_kl"])
@pytest.mark.parametrize("off_policy", [False, True])
def test_each_balance_loss_leads_to_the_posterior(name: str, off_policy: bool) -> None:
    if off_policy and name == "reinforce_kl":
        return  # its samples must come from the policy
    generator = torch.Generator().manual_seed(1)
    logits_V = LOG_P0.clone().requires_grad_()
    log_z = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([logits_V, log_z], lr=0.05)
    for step in range(600):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * (1 - step / 600)
        log_q_V = logits_V.log_softmax(0)
        shares = torch.full((4,), 0.25) if off_policy else log_q_V.detach().exp()
        drawn = torch.multinomial(shares, 64, replacement=True, generator=generator)[None]
        loss = losses_of(log_q_V, drawn, log_z)[name].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(logits_V.softmax(0).detach(), POSTERIOR, atol=0.02, rtol=0)
    if name == "rtb":
        assert log_z.item() == pytest.approx(TARGET.logsumexp(0).item(), abs=0.05)


def test_gradients_of_vargrad_and_policy_gradient_agree() -> None:
    drawn = torch.tensor([[0, 0, 1, 2, 3], [1, 1, 0, 3, 2]])
    gradients = []
    for loss in (vargrad, reinforce_kl):
        logits_V = torch.tensor([0.5, -0.3, 0.2, 0.0], requires_grad=True)
        loss(logits_V.log_softmax(0)[drawn], TARGET[drawn]).sum().backward()
        gradients.append(logits_V.grad)
    torch.testing.assert_close(*gradients)


def test_group_relative_policy_gradient_prefers_the_reward_alone() -> None:
    logits_V = LOG_P0.clone().requires_grad_()
    group_relative(logits_V.log_softmax(0)[ALL], REWARDS[ALL], torch.ones(1, 4)).sum().backward()
    assert logits_V.grad is not None
    assert logits_V.grad[3] < logits_V.grad[2] < 0 < logits_V.grad[0]


def test_the_reward_of_the_posterior_is_estimated_from_the_prior() -> None:
    drawn = torch.multinomial(LOG_P0.exp(), 20_000, replacement=True, generator=torch.Generator().manual_seed(2))[None]
    estimate = target_reward(LOG_P0[drawn], REWARDS[drawn], BETA, 1.0)
    assert estimate.item() == pytest.approx((POSTERIOR * REWARDS).sum().item(), abs=0.02)
