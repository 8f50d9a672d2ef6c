"""Losses that fine-tune a policy q towards a posterior, from samples Z of a prompt X.

The posterior is proportional to p0(Z | X) exp(beta r(Z, X)), with a prior p0 and a reward r.

- `vargrad`: the variance, over the samples of a prompt, of s = log q - log p0 - beta r, which is constant if and only
  if q is the posterior (Richter et al. 2020, arXiv 2010.10436). The samples may come from any distribution.
- `reinforce_kl`: policy gradient with the KL divergence from p0 in the reward, and the mean of the other samples as the
  baseline (Kool et al. 2019). Its expected gradient is that of `vargrad` with samples of q.
- `grpo`: policy gradient with rewards normalised within a prompt, and without a KL term (Shao et al. 2024, arXiv
  2402.03300): what happens if nothing holds the policy near p0.
- `raft`: the negative log-likelihood of the samples that have a reward (Dong et al. 2023, arXiv 2304.06767). It is the
  plain alternative: to sample, to keep what is good, and to train on it.

Hu et al. 2023 (arXiv 2310.04363) fine-tune language models to sample from such posteriors.

All functions take (P, K) tensors of P prompts and K samples of each, and return one loss for each prompt.
"""

from torch import Tensor


def vargrad(log_q: Tensor, log_target: Tensor) -> Tensor:
    """Return the variance of s over the samples of each prompt.

    `log_target` is the logarithm of the unnormalised posterior.
    """
    ratio = log_q - log_target
    return (ratio - ratio.mean(1, keepdim=True)).square().mean(1)


def reinforce_kl(log_q: Tensor, log_target: Tensor) -> Tensor:
    """Return the loss whose gradient is the policy gradient of the KL divergence from q to the posterior, doubled.

    It is doubled so that its expectation equals that of `vargrad`. The samples must come from q.
    """
    ratio = (log_q - log_target).detach()
    samples = log_q.shape[1]
    others = (ratio.sum(1, keepdim=True) - ratio) / (samples - 1)
    return 2 * ((ratio - others) * log_q).mean(1) * (samples - 1) / samples


def group_relative(log_q: Tensor, rewards: Tensor, lengths: Tensor) -> Tensor:
    """Return the policy-gradient loss per token, with rewards normalised within each prompt. Samples come from q."""
    spread = rewards.std(1, keepdim=True)
    advantages = (rewards - rewards.mean(1, keepdim=True)) / (spread + 1e-4)
    return -(advantages * log_q / lengths).mean(1)


def reward_ranked(log_q: Tensor, rewards: Tensor) -> Tensor:
    """Return the mean negative log-probability of the samples with a reward; 0 for a prompt without any."""
    kept = rewards > 0
    return -(log_q * kept).sum(1) / kept.sum(1).clamp(min=1)
