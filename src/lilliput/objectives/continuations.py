"""Continuations of prompts, many at once: drawn from a network, and their log-probabilities.

A continuation ends with the first of the `ends`, which belongs to it, or after a maximum number of tokens.

Axes: P prompts, K continuations of each, B = P x K, L tokens of a prompt, T of a continuation, V vocabulary.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from lilliput.models import Cache, Model


class Continuations(NamedTuple):
    """Continuations of one number for each prompt; what follows a continuation's end is padding."""

    ids_PKT: Tensor
    lengths_PK: Tensor
    """Tokens of each, with the end."""

    def lists(self) -> list[list[list[int]]]:
        """Return the tokens of each continuation, by prompt."""
        ids, lengths = self.ids_PKT.tolist(), self.lengths_PK.tolist()
        return [
            [row[:length] for row, length in zip(*of_prompt, strict=True)]
            for of_prompt in zip(ids, lengths, strict=True)
        ]


def continuations_of(ids: Sequence[Sequence[Sequence[int]]]) -> Continuations:
    """Return continuations given as lists: for each prompt equally many, none empty."""
    longest = max(len(row) for of_prompt in ids for row in of_prompt)
    padded = [[[*row, *[0] * (longest - len(row))] for row in of_prompt] for of_prompt in ids]
    return Continuations(torch.tensor(padded), torch.tensor([[len(row) for row in of_prompt] for of_prompt in ids]))


@torch.no_grad()
def draw(
    model: Model,
    prompts_PL: Tensor,
    temperatures_PK: Tensor,
    most_tokens: int,
    ends: Sequence[int],
    generator: torch.Generator | None = None,
) -> Continuations:
    """Draw a continuation at each of the temperatures, of the network alone.

    All continuations take each step together, so those that have ended cost time until the last one has.
    """
    count = temperatures_PK.shape[1]
    network, branches = model.network_alone(), model.network_alone().new_branches(len(prompts_PL))
    cache = cast(Cache, branches)
    features_BD = network.features(prompts_PL, cache)[:, -1].repeat_interleave(count, 0)
    branches.branch(count)
    temperatures_B1 = temperatures_PK.reshape(-1, 1).to(features_BD.device)
    ends_E = torch.tensor(list(ends), device=features_BD.device)
    drawn: list[Tensor] = []
    ended_B = torch.zeros(len(features_BD), dtype=torch.bool, device=features_BD.device)
    while True:
        logits_BV = network.head(features_BD[:, None])[:, 0].float()
        shares_BV = F.softmax(logits_BV / temperatures_B1, -1)
        drawn.append(torch.multinomial(shares_BV, 1, generator=generator)[:, 0])
        ended_B |= torch.isin(drawn[-1], ends_E)
        if len(drawn) == most_tokens or bool(ended_B.all()):
            break
        features_BD = network.features(drawn[-1][:, None], cache)[:, -1]
    ids_PKT = torch.stack(drawn, 1).view(len(prompts_PL), count, -1)
    is_end = torch.isin(ids_PKT, ends_E)
    first = torch.where(is_end.any(-1), is_end.int().argmax(-1) + 1, ids_PKT.shape[-1])
    return Continuations(ids_PKT[..., : int(first.max())], first)


class Scored(NamedTuple):
    """What one pass over prompts and their continuations gives."""

    log_probabilities_PK: Tensor
    """Of each continuation, in nats."""
    features_PLD: Tensor
    """Of the prompts."""


def log_probabilities(model: Model, prompts_PL: Tensor, continuations: Continuations) -> Tensor:
    """Return the log-probability of each continuation after its prompt, in nats, shape (P, K), of the network alone."""
    return score(model, prompts_PL, continuations).log_probabilities_PK


def score(model: Model, prompts_PL: Tensor, continuations: Continuations) -> Scored:
    """Pass over prompts and their continuations, with the network alone."""
    ids_BT = continuations.ids_PKT.flatten(0, 1).to(prompts_PL.device)
    lengths_B = continuations.lengths_PK.flatten().to(prompts_PL.device)
    count = continuations.ids_PKT.shape[1]
    network, branches = model.network_alone(), model.network_alone().new_branches(len(prompts_PL))
    cache = cast(Cache, branches)
    prompts_PLD = network.features(prompts_PL, cache)
    first_BTD = prompts_PLD[:, -1:].repeat_interleave(count, 0)
    branches.branch(count)
    features_BTD = first_BTD
    if ids_BT.shape[1] > 1:
        features_BTD = torch.cat((first_BTD, network.features(ids_BT[:, :-1], cache)), 1)
    logits_BTV = network.head(features_BTD).float()
    of_tokens_BT = -F.cross_entropy(logits_BTV.transpose(1, 2), ids_BT, reduction="none")
    counted_BT = torch.arange(ids_BT.shape[1], device=ids_BT.device) < lengths_B[:, None]
    return Scored((of_tokens_BT * counted_BT).sum(1).view(continuations.lengths_PK.shape), prompts_PLD)


def divergence(prior: Model, prior_ND: Tensor, model: Model, model_ND: Tensor) -> Tensor:
    """Return the sum of the KL divergences of a network's next tokens from those of a prior, in nats.

    Both get features of the same N positions; gradients flow through those of `model`.
    """
    with torch.no_grad():
        prior_NV = F.log_softmax(prior.network_alone().head(prior_ND[None])[0].float(), -1)
    model_NV = F.log_softmax(model.network_alone().head(model_ND[None])[0].float(), -1)
    return F.kl_div(model_NV, prior_NV, reduction="sum", log_target=True)
