"""Continuations of many prompts at once equal those of each alone: in log-probability, gradient and distribution."""

import math
from collections import Counter
from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lilliput.models import GPTSettings, Model, RecurrentSettings, build
from lilliput.objectives.continuations import continuations_of, divergence, draw, log_probabilities

END = 0
MODELS: dict[str, Any] = {
    "gpt2": GPTSettings(layers=2, width=16, heads=2, shape="gpt2"),
    "llama": GPTSettings(layers=2, width=16, heads=4, key_value_heads=2, shape="llama"),
    "modern": GPTSettings(layers=2, width=16, heads=2, shape="modern", ngrams=3, ngram_rows=64),
    "ensemble": GPTSettings(layers=1, width=16, heads=2, shape="modern", ensemble=2),
    "lstm": RecurrentSettings(kind="lstm", layers=2, width=16, embedding=8),
    "gru": RecurrentSettings(kind="gru", layers=1, width=16, embedding=8),
}


def small(kind: str, vocabulary: int = 7) -> Model:
    torch.manual_seed(3)
    model = build(MODELS[kind], vocabulary, 16)
    with torch.no_grad():
        for parameter in model.parameters():
            # The output matrix of some shapes is zero at first, and all tokens would be alike.
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def one_by_one(model: Model, prompts_PL: Tensor, ids: list[list[list[int]]]) -> Tensor:
    """The log-probabilities by a whole pass over each prompt with its continuation."""
    rows = []
    for prompt, of_prompt in zip(prompts_PL.tolist(), ids, strict=True):
        for row in of_prompt:
            logits_TV = model(torch.tensor([prompt + row[:-1]]))[0, len(prompt) - 1 :]
            rows.append(-F.cross_entropy(logits_TV, torch.tensor(row), reduction="sum"))
    return torch.stack(rows).view(len(ids), -1)


@pytest.mark.parametrize("kind", MODELS)
def test_log_probabilities_and_gradients_are_those_of_whole_passes(kind: str) -> None:
    model = small(kind)
    prompts_PL = torch.randint(1, 7, (3, 5))
    ids = [[[1, 2, END], [3, END]], [[END], [4, 4, 4, 5]], [[5, 6, END], [2, END]]]
    results = []
    for branched in (True, False):
        model.zero_grad()
        if branched:
            values_PK = log_probabilities(model, prompts_PL, continuations_of(ids))
        else:
            values_PK = one_by_one(model, prompts_PL, ids)
        (values_PK * torch.tensor([[1.0, -2.0], [0.5, 1.0], [3.0, 1.0]])).sum().backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        results.append((values_PK.detach(), torch.cat([gradient.flatten() for gradient in gradients])))
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["modern", "lstm"])
def test_draws_follow_the_network_at_each_temperature(kind: str) -> None:
    model, temperatures = small(kind, vocabulary=3), (1.0, 0.6)
    prompt = [1, 2, 1]
    count = 4000
    drawn = draw(
        model,
        torch.tensor([prompt]),
        torch.tensor([[temperature] * count for temperature in temperatures]).reshape(1, -1),
        2,
        [END],
        torch.Generator().manual_seed(5),
    )
    (rows,) = drawn.lists()
    possible = [[END], *([first, second] for first, second in product((1, 2), (0, 1, 2)))]
    for part, temperature in enumerate(temperatures):
        counts = Counter(map(tuple, rows[part * count : (part + 1) * count]))
        assert counts.keys() <= {tuple(row) for row in possible}
        for row in possible:
            with torch.no_grad():
                logits_TV = model(torch.tensor([prompt + row[:-1]]))[0, len(prompt) - 1 :] / temperature
            share = math.exp(-float(F.cross_entropy(logits_TV, torch.tensor(row), reduction="sum")))
            deviation = math.sqrt(share * (1 - share) / count)
            assert abs(counts[tuple(row)] / count - share) < 5 * deviation + 1e-9


def test_equal_generators_draw_equal_continuations() -> None:
    model, prompts_PL = small("modern"), torch.randint(1, 7, (2, 4))
    first, second = (
        draw(model, prompts_PL, torch.ones(2, 3), 6, [END], torch.Generator().manual_seed(1)) for _ in range(2)
    )
    assert first.lists() == second.lists()
    assert all(END not in row[:-1] for of_prompt in first.lists() for row in of_prompt)
    assert int(first.lengths_PK.max()) == first.ids_PKT.shape[-1] <= 6


def test_lists_and_tensors_hold_the_same() -> None:
    ids = [[[1, END], [2, 3, END]], [[4], [END]]]
    assert continuations_of(ids).lists() == ids


def test_the_divergence_is_that_of_the_next_tokens() -> None:
    prior, model = small("modern"), small("modern")
    with torch.no_grad():
        model.output.weight.mul_(1.5)
    features_ND = prior.features(torch.randint(1, 7, (1, 5)))[0].detach()
    value = divergence(prior, features_ND, model, features_ND)
    shares_NV, others_NV = (one.head(features_ND[None])[0].softmax(-1) for one in (prior, model))
    assert value.item() == pytest.approx((shares_NV * (shares_NV / others_NV).log()).sum().item(), rel=1e-4)
    assert divergence(prior, features_ND, prior, features_ND).item() == pytest.approx(0, abs=1e-6)
    value.backward()
    assert prior.output.weight.grad is None
    assert model.output.weight.grad is not None
