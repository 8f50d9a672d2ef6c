"""Tuning a trained network towards the posterior of a reward, with samples of its own (`balance` has the losses).

Each step draws samples for a few prompts. Half of them come from the network itself. For `vargrad`, which learns from
samples of any origin, a quarter is drawn at other temperatures, and a quarter are good samples of earlier steps, or
lines with another last word; every second of these rhymes. The true continuation is one more. The network as it was at
first is the prior. It stays as it is, so counts and guesses take no part.

If the first tokens of a line decide its reward, the samples have these only. That is exact, since the rest of a line
has the same distribution before and after the tuning. What keeps it the same is a second loss: the KL divergence of the
next tokens from the prior's, at all positions of the prompts where a reward is decided.

Axes: P prompts, K samples of each, L tokens of a prompt, T of a continuation.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from lilliput.data.batch import Batch
from lilliput.models import Model
from lilliput.models.protocol import evaluating
from lilliput.objectives.balance import group_relative, reinforce_kl, reward_ranked, vargrad
from lilliput.objectives.continuations import continuations_of, divergence, draw, score
from lilliput.objectives.protocol import Network, Objective
from lilliput.objectives.replay import Replay
from lilliput.objectives.rewards import Reward
from lilliput.objectives.settings import ObjectiveSettings

COLDEST, HOTTEST = 0.7, 1.5
"""Range of the other temperatures."""
FIRST_TOKENS = 12
"""Maximum tokens that decide a reward early."""


class Prompts(Protocol):
    """What this objective needs to know of the training data."""

    prior: Model
    """The network before the tuning."""
    reward: Reward
    ends: Sequence[int]
    """The tokens that end a continuation."""


class Posterior(Objective):
    """A loss of (P, K) samples; the rows of a batch are prompts, its targets the true continuations."""

    needs_whole_step = True
    is_likelihood = False

    def __init__(self, settings: ObjectiveSettings) -> None:
        super().__init__(settings)
        self._replay = Replay()
        self._drawn: tuple[list[list[int]], list[list[list[int]]], list[list[float]]] = ([], [], [])

    def attach(self, training_data: Prompts) -> None:
        """Get to know the prior and the reward."""
        self._prompts = training_data

    def __call__(self, model: Network, batch: Batch) -> Tensor:
        """Return the sum of the losses of all prompts. `model` is a `Model`."""
        assert isinstance(model, Model)
        prompts, reward, prior = batch.inputs_BT.tolist(), self._prompts.reward, self._prompts.prior
        ids = self._samples(model, batch)
        rewards = [[reward(prompt, row) for row in rows] for prompt, rows in zip(prompts, ids, strict=True)]
        self._drawn = (prompts, ids, rewards)
        samples, rewards_PK = continuations_of(ids), torch.tensor(rewards).to(batch.inputs_BT.device)
        # In bfloat16 a log-probability is off by 0.05 nats (measured); differences in reward are whole nats.
        log_q, features_PLD = score(model, batch.inputs_BT, samples)
        if self.settings.kind == "grpo":
            return group_relative(log_q, rewards_PK, samples.lengths_PK.to(log_q.device)).sum()
        with torch.no_grad():
            log_prior, prior_PLD = score(prior, batch.inputs_BT, samples)
        target = log_prior + self.settings.beta * rewards_PK
        match self.settings.kind:
            case "vargrad":
                losses = vargrad(log_q, target).sum()
            case "reinforce_kl":
                losses = reinforce_kl(log_q, target).sum()
            case _:
                losses = reward_ranked(log_q, rewards_PK).sum()
        if not reward.is_early:
            return losses
        follows_PL = torch.tensor([reward.follows(prompt) for prompt in prompts], device=log_q.device)
        return losses + divergence(prior, prior_PLD[follows_PL], model, features_PLD[follows_PL])

    def _samples(self, model: Model, batch: Batch) -> list[list[list[int]]]:
        """Return the samples of each prompt as lists of tokens."""
        prompts_PL, settings = batch.inputs_BT, self.settings
        reward = self._prompts.reward
        most = min(FIRST_TOKENS, settings.most_tokens) if reward.is_early else settings.most_tokens
        temperatures_PK = torch.ones(len(prompts_PL), settings.samples)
        off_policy = settings.kind == "vargrad"
        quarter = settings.samples // 4
        if off_policy:
            temperatures_PK[:, :quarter] = torch.empty(len(prompts_PL), quarter).uniform_(COLDEST, HOTTEST)
        with evaluating(model):
            ids = draw(model, prompts_PL, temperatures_PK, most, self._prompts.ends).lists()
        if off_policy:
            self._add_others(batch, ids)
        return [[row[: min(most, reward.decided(row))] for row in rows] for rows in ids]

    def _add_others(self, batch: Batch, ids: list[list[list[int]]]) -> None:
        """Replace some samples by changed and earlier ones, and add the true continuations."""
        settings, reward = self.settings, self._prompts.reward
        quarter = settings.samples // 4
        for prompt, rows, target in zip(batch.inputs_BT.tolist(), ids, batch.targets_BT.tolist(), strict=True):
            length = next(number for number, id_ in enumerate(target) if id_ in self._prompts.ends) + 1
            for number in range(quarter, 2 * quarter):
                # A sample of the first tokens only has no line to change.
                line = target[:length] if reward.is_early else rows[number]
                changed = reward.changed(prompt, line, rewarded=number % 2 == 0)
                if changed is not None and len(changed) <= settings.most_tokens:
                    rows[number] = changed
            for number, row in enumerate(self._replay.draw(prompt, quarter // 2)):
                rows[quarter + number] = row
            rows.append(target[:length])

    def finish_step(self) -> None:
        """Keep good samples of the step for later ones."""
        if self.settings.kind == "vargrad":
            for prompt, rows, rewards in zip(*self._drawn, strict=True):
                # The last one is the true continuation, which takes part anyway.
                self._replay.add(prompt, rows[:-1], rewards[:-1])

    def state(self) -> dict[str, Tensor]:
        """Return the samples that are kept."""
        return self._replay.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue from kept samples."""
        self._replay = Replay.from_state(state)
