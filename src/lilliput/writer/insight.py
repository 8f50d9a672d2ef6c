"""Look inside a model: what its parts predict, what its tokens attend to, the states of its units.

Axes: T tokens, D features, V vocabulary, H heads, U units.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from lilliput.errors import GenerationError
from lilliput.generation.backends.backend import inference
from lilliput.generation.filters import Logits
from lilliput.generation.sampling import NOT_FINITE
from lilliput.models import Model
from lilliput.models.ensemble import Ensemble
from lilliput.models.gpt import GPT
from lilliput.models.mixing.steps import Voices
from lilliput.models.recurrent import Recurrent

_MOST_READ = 4096
"""Most tokens that a recurrent network reads for one prediction."""


def tokens_read(model: Model, length: int, written: int = 0) -> int:
    """Return how many of the latest tokens of a text the network reads for the next one.

    The last `written` of its `length` tokens were written after a prompt: a transformer whose context is full then
    reads the latest half of it again, and goes on from there.
    """
    if not has_attention(model):
        return min(length, _MOST_READ)
    context, half = model.context, max(1, model.context // 2)
    past = min(length - written, context) + written - context
    return past + context if past <= 0 else half + (past - 1) % (context - half + 1)


def voices(model: Model, ids: Sequence[int], read: int) -> Voices | None:
    """Return what each part of a mixture predicts after these tokens; None for a network without counts.

    The network reads the latest `read` tokens.
    """
    steps = model.steps()
    if steps is None:
        return None
    network = model.network_alone()
    with inference(model):
        features_BTD = network.features(_tensor(network, ids[-read:]))[:, -1:]
        logits_BTV = network.head(features_BTD)
    features_D, logits_V = (part[0, 0].float().cpu().numpy() for part in (features_BTD, logits_BTV))
    return steps.voices(features_D, logits_V, steps.begin(ids[:-1]), ids[-1])


def next_logits(model: Model, ids: Sequence[int], read: int) -> Logits:
    """Return logits_V of the token after these, before all filters; the network reads the latest `read` tokens.

    Raises GenerationError for logits that are not finite.
    """
    first = len(ids) - read
    before_1P = _tensor(model, ids[max(0, first - model.memory) : first])
    with inference(model):
        features_1TD = model.features(_tensor(model, ids[first:]), before_BP=before_1P)
        logits_V: Logits = model.head(features_1TD[:, -1:])[0, 0].float().cpu().numpy()
    if not np.isfinite(logits_V).all():
        raise GenerationError(NOT_FINITE)
    return logits_V


def has_attention(model: Model) -> bool:
    """Return whether a model has attention, not a recurrent state. Of an ensemble, the first member is looked at."""
    return isinstance(_first_network(model), GPT)


def attention_weights(model: Model, ids: Sequence[int], layer: int, head: int) -> Tensor:
    """Return weights_TT of one head: row i has the shares of the tokens that token i attends to.

    The latest `context` tokens are read. Raises GenerationError for a layer or head that the model does not have.
    """
    network = cast(GPT, _first_network(model))
    _require("layer", layer, network.settings.layers)
    _require("head", head, network.settings.heads)
    with inference(network):
        return network.attention_weights(_tensor(network, ids[-network.context :]), layer)[0, head].float().cpu()


def states(model: Model, ids: Sequence[int], layer: int) -> Tensor:
    """Return states_TU of a layer of a recurrent network after each token.

    Raises GenerationError for a layer that it does not have.
    """
    network = cast(Recurrent, _first_network(model))
    _require("layer", layer, network.settings.layers)
    cache, found = network.new_cache(1), []
    with inference(network):
        for id_ in ids:
            network.features(_tensor(network, [id_]), cache)
            assert cache.state is not None, "a pass leaves a state"
            found.append(cache.state[0][layer, 0].float().cpu())
    return torch.stack(found)


def _first_network(model: Model) -> Model:
    network = model.network_alone()
    return cast(Model, network.members[0]) if isinstance(network, Ensemble) else network


def _tensor(network: Model, ids: Sequence[int]) -> Tensor:
    return torch.tensor([list(ids)], dtype=torch.long, device=next(network.parameters()).device)


def _require(name: str, number: int, count: int) -> None:
    if not 0 <= number < count:
        raise GenerationError(f"{name} {number}: this model has {count}, numbered from 0")
