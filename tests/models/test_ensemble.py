"""Ensembles: the predictions of the members are averaged, and each member learns as if it were alone."""

from typing import Any

import pytest
import torch

from lilliput.models import GPTSettings, RecurrentSettings, build
from lilliput.models.ensemble import Ensemble
from lilliput.models.protocol import TrainingText
from lilliput.optimization.optimizers import build_optimizers
from lilliput.optimization.settings import OptimizerSettings

VOCABULARY = 11


def ensemble(kind: str = "gpt", members: int = 3, **settings: Any) -> Ensemble:
    torch.manual_seed(1)
    shape = (
        GPTSettings(layers=1, width=8, heads=2, ngrams=3, ngram_dropout=0.0, ensemble=members, **settings)
        if kind == "gpt"
        else RecurrentSettings(kind="lstm" if kind == "lstm" else "gru", width=8, ensemble=members, **settings)
    )
    model = build(shape, VOCABULARY, 24)
    assert isinstance(model, Ensemble)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def drawn(*shape: int) -> torch.Tensor:
    return torch.randint(VOCABULARY, shape, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("kind", ["gpt", "lstm", "gru"])
def test_probabilities_are_averaged(kind: str) -> None:
    model, ids_BT, targets_N = ensemble(kind), drawn(2, 20), drawn(40)
    members = [member(ids_BT).softmax(-1) for member in model.members]
    assert not torch.allclose(members[0], members[1])
    expected_BTV = sum(members) / 3
    torch.testing.assert_close(model(ids_BT).exp(), expected_BTV)
    losses_N = model.losses(model.features(ids_BT).flatten(0, 1), targets_N)
    torch.testing.assert_close(losses_N, -expected_BTV.flatten(0, 1)[range(40), targets_N].log())


def test_every_member_learns_as_if_it_were_alone() -> None:
    model, ids_BT, targets_N, weights_N = ensemble().train(), drawn(1, 20), drawn(20), torch.rand(20)
    loss = model.loss(model.features(ids_BT).flatten(0, 1), targets_N, weights_N)
    torch.autograd.backward(loss)
    losses = []
    for member in model.members:
        gradients = {name: part.grad.clone() for name, part in member.named_parameters() if part.grad is not None}
        member.zero_grad()
        losses.append(member.loss(member.features(ids_BT).flatten(0, 1), targets_N, weights_N))  # type: ignore[operator]
        torch.autograd.backward(losses[-1])
        for name, part in member.named_parameters():
            assert part.grad is not None
            torch.testing.assert_close(gradients[name] * 3, part.grad)
    torch.testing.assert_close(loss, torch.stack(losses).mean())


def test_adamw_updates_the_output_matrices_of_all_members() -> None:
    model = ensemble()
    optimizers = build_optimizers(model, OptimizerSettings(optimizer="muon"))
    moved = {part for group in optimizers.parts[0].param_groups for part in group["params"]}
    assert len(moved) == 3 * 6  # queries, keys, values and output of the attention, up and down
    assert not moved & {output.weight for output in model.outputs()}


def test_a_single_member_is_no_ensemble() -> None:
    assert not isinstance(build(GPTSettings(layers=1, width=8, heads=2), VOCABULARY, 24), Ensemble)


def test_counts_are_mixed_with_the_whole_ensemble() -> None:
    torch.manual_seed(1)
    model = build(GPTSettings(layers=1, width=8, heads=2, ensemble=2, counts=True), 4, 24)
    model.learn(lambda: TrainingText(drawn(200).numpy() % 4, list("abcd")))
    with torch.no_grad():
        logits_BTV = model.eval()(drawn(2, 20) % 4)
    torch.testing.assert_close(logits_BTV.exp().sum(-1), torch.ones(2, 20))
