"""The loss scaler of float16, the clipping of gradients, and the seeds of dropout."""

import math

import pytest
import torch
from torch import Tensor, nn

from lilliput.optimization.optimizers import Optimizers, build_optimizers
from lilliput.optimization.settings import OptimizerSettings
from lilliput.runtime import Runtime
from lilliput.training.gradient import Scaler

HALF = Runtime(torch.device("cpu"), "float16", "a test")
SINGLE = Runtime(torch.device("cpu"), "float32", "a test")


class Two(nn.Module):
    """A matrix for Muon, and a table and a vector for AdamW."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.block = nn.Linear(4, 4)


def build(**settings: object) -> tuple[Two, Optimizers]:
    torch.manual_seed(0)
    model = Two()
    return model, build_optimizers(model, OptimizerSettings.model_validate(settings))


def give_gradients(model: nn.Module, scaler: Scaler) -> None:
    """Give every parameter a gradient of ones, times the scale."""
    scaler.backward(sum((parameter.sum() for parameter in model.parameters()), torch.zeros(())))


def weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


@pytest.mark.parametrize("value", [math.inf, math.nan])
@pytest.mark.parametrize("name", ["block.weight", "embedding.weight"], ids=["Muon's", "AdamW's"])
def test_an_overflow_that_one_optimizer_sees_stops_all(name: str, value: float) -> None:
    model, optimizers = build(optimizer="muon", weight_decay=0.1)
    assert len(optimizers.parts) == 2
    scaler = Scaler(HALF, {})
    before, parameters = weights(model), list(model.parameters())
    give_gradients(model, scaler)
    scale = scaler.state()["scale"]
    overflown = model.get_parameter(name).grad
    assert overflown is not None
    overflown[0, 0] = value
    assert not scaler.step(optimizers, parameters, 1.0).isfinite()
    assert all(torch.equal(now, old) for now, old in zip(parameters, before, strict=True))
    assert not optimizers.state()
    assert scaler.state()["scale"] == scale / 2

    optimizers.clear_gradients()
    give_gradients(model, scaler)
    norm = scaler.step(optimizers, parameters, 1.0)
    assert norm.item() == pytest.approx(math.sqrt(sum(parameter.numel() for parameter in parameters)))
    assert all(now.isfinite().all() and not torch.equal(now, old) for now, old in zip(parameters, before, strict=True))


@pytest.mark.parametrize("runtime", [SINGLE, HALF], ids=lambda runtime: runtime.precision)
@pytest.mark.parametrize(("clip", "share"), [(0.5, None), (100.0, 1.0), (0.0, 1.0)])
def test_a_step_moves_by_no_more_than_clip_times_the_rate(runtime: Runtime, clip: float, share: float | None) -> None:
    model, optimizers = build(optimizer="sgd", momentum=0.0, learning_rate=0.1)
    scaler = Scaler(runtime, {})
    before, parameters = weights(model), list(model.parameters())
    give_gradients(model, scaler)
    norm = scaler.step(optimizers, parameters, clip)
    moved = torch.cat([(now - old).flatten() for now, old in zip(parameters, before, strict=True)]).norm()
    assert moved.item() == pytest.approx(0.1 * (clip if share is None else share * norm.item()), rel=1e-4)
