"""One token after the other: prefill the prompt, then draw, step, draw, step; slide when the context is full.

The stages are the functions `prefill`, `step` and `slide`. A network whose cache has a capacity (a GPT) slides by half:
when the next token does not fit, the latest context / 2 tokens, that one included, are read anew into an empty cache,
by one rule for learned and rotary positions. A network without a capacity (LSTM, GRU) reads all and never slides.

A text follows from (weights, prompt, settings, seed) alone: texts are made one by one, because matrix products over a
batch round differently from those over one row. Left out: beams, constraints, speculative steps.

Axes: B batch (always 1 here), T time, D width; vectors of one axis: V vocabulary.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lilliput.errors import GenerationError
from lilliput.generation.filters import Filter
from lilliput.generation.sampling import Sampler, Token
from lilliput.generation.settings import SamplingSettings
from lilliput.models.protocol import Cache, Model


def generate(
    model: Model, prompt_ids: Sequence[int], settings: SamplingSettings, seed: int, own: Sequence[Filter] = ()
) -> Iterator[Token]:
    """Yield `settings.length` new tokens that continue the prompt; `own` are filters of the caller (`Sampler`).

    Of a prompt longer than a GPT's context the latest `context` tokens count. The model stays in the mode (training or
    not) in which it is between two tokens, and torch's global generator is not touched. Raises GenerationError, at the
    call, for an empty prompt or an id outside the vocabulary, and while drawing if the logits are not finite or nothing
    is allowed any more.
    """
    ids = [int(id_) for id_ in prompt_ids]
    if not ids:
        raise GenerationError("the prompt is empty: give at least one token to start from")
    low, high = min(ids), max(ids)
    if low < 0 or high >= model.vocab_size:
        wrong = low if low < 0 else high
        raise GenerationError(
            f"the prompt holds the id {wrong}, the vocabulary ends at {model.vocab_size - 1}: "
            "encode the prompt with the tokenizer of this model"
        )
    return _tokens(model, ids, settings.length, Sampler(settings, seed, len(ids), own))


def _tokens(model: Model, ids: list[int], length: int, sampler: Sampler) -> Iterator[Token]:
    cache = model.new_cache(1)
    logits_V = prefill(model, ids, len(ids) if cache.capacity is None else cache.capacity, cache)
    for remaining in range(length - 1, -1, -1):
        token = sampler.choose(logits_V, ids)
        yield token
        ids.append(token.id)
        if not remaining:
            return
        if cache.length == cache.capacity:
            cache, logits_V = slide(model, ids)
        else:
            logits_V = step(model, token.id, cache)


def prefill(model: Model, ids: Sequence[int], latest: int, cache: Cache) -> NDArray[np.float32]:
    """Read the `latest` ids into an empty cache and return logits_V for the token after the last.

    They are read in pieces of a context, so that a long prompt takes no more memory than a window. Of those before them
    a model may have some use without reading them (`Model.memory`).
    """
    first = max(0, len(ids) - latest)
    before = ids[max(0, first - model.memory) : first]
    for start in range(first, len(ids), model.context):
        logits_V = _read(model, ids[start : start + model.context], cache, before)
    return logits_V


def step(model: Model, token: int, cache: Cache) -> NDArray[np.float32]:
    """Read one more token and return logits_V for the next."""
    return _read(model, [token], cache)


def slide(model: Model, ids: Sequence[int]) -> tuple[Cache, NDArray[np.float32]]:
    """Read the latest half context of `ids` into a new cache; return it with logits_V for the next token."""
    cache = model.new_cache(1)
    return cache, prefill(model, ids, max(1, model.context // 2), cache)


def _read(model: Model, ids: Sequence[int], cache: Cache, before: Sequence[int] = ()) -> NDArray[np.float32]:
    training = model.training
    # The mode is set for one pass only: between two tokens the caller may train.
    if training:
        model.eval()
    try:
        with torch.inference_mode():
            device = next(model.parameters()).device
            ids_BT, before_BP = (torch.tensor([part], device=device, dtype=torch.long) for part in (ids, before))
            features_BTD = model.features(ids_BT, cache, before_BP)
            logits_V: NDArray[np.float32] = model.head(features_BTD[:, -1:])[0, 0].float().cpu().numpy()
    finally:
        if training:
            model.train()
    return logits_V
