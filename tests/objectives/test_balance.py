"""Balance losses on a toy whose posterior can be written down: four answers to one prompt."""

import pytest
import torch
from torch import Tensor

from lilliput.objectives.balance import group_relative, reinforce_kl, reward_ranked, vargrad

LOG_P0 = torch.tensor([0.7, 0.2, 0.08, 0.02]).log()
REWARDS = torch.tensor([0.0, 0.0, 0.7, 1.0])
BETA = 3.0
TARGET = LOG_P0 + BETA * REWARDS
POSTERIOR = TARGET.softmax(0)
ALL = torch.arange(4)[None]


def losses_of(log_q_V: Tensor, drawn_PK: Tensor) -> dict[str, Tensor]:
    log_q, target = log_q_V[drawn_PK], TARGET[drawn_PK]
    return {
        "vargrad": vargrad(log_q, target),
        "reinforce_kl": reinforce_kl(log_q, target),
    }


def test_the_variance_is_zero_at_the_posterior() -> None:
    assert vargrad(POSTERIOR.log()[ALL], TARGET[ALL]).item() == pytest.approx(0, abs=1e-10)
    assert vargrad(LOG_P0[ALL], TARGET[ALL]).item() > 0.1


# The samples of a policy gradient must come from the policy.
@pytest.mark.parametrize(("name", "off_policy"), [("vargrad", False), ("vargrad", True), ("reinforce_kl", False)])
def test_each_balance_loss_leads_to_the_posterior(name: str, off_policy: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    logits_V = LOG_P0.clone().requires_grad_()
    optimizer = torch.optim.Adam([logits_V], lr=0.05)
    for step in range(600):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * (1 - step / 600)
        log_q_V = logits_V.log_softmax(0)
        shares = torch.full((4,), 0.25) if off_policy else log_q_V.detach().exp()
        drawn = torch.multinomial(shares, 64, replacement=True, generator=generator)[None]
        loss = losses_of(log_q_V, drawn)[name].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(logits_V.softmax(0).detach(), POSTERIOR, atol=0.02, rtol=0)


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


def test_raft_learns_from_rewarded_samples_only() -> None:
    log_q = torch.tensor([[-1.0, -2.0, -4.0], [-1.0, -1.0, -1.0]], requires_grad=True)
    losses = reward_ranked(log_q, torch.tensor([[0.0, 0.7, 1.0], [0.0, 0.0, 0.0]]))
    assert losses.tolist() == [3.0, 0.0]
    losses.sum().backward()
    assert log_q.grad is not None
    assert log_q.grad.tolist() == [[0.0, -0.5, -0.5], [0.0, 0.0, 0.0]]
