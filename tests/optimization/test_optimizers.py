import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from lilliput.errors import CheckpointError
from lilliput.optimization.optimizers import Optimizers, build_optimizers
from lilliput.optimization.settings import OptimizerSettings

KINDS = ["adamw", "adam", "sgd", "rmsprop", "muon"]


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.block = nn.Linear(4, 4)
        self.output = nn.Linear(4, 7, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        return self.output(torch.tanh(self.block(self.embedding(ids))))


def small(seed: int = 0) -> Small:
    torch.manual_seed(seed)
    return Small()


def settings(kind: str, **values: object) -> OptimizerSettings:
    return OptimizerSettings.model_validate({"optimizer": kind, "learning_rate": 0.01} | values)


def take_steps(model: nn.Module, optimizers, count: int, factor: float = 1.0) -> float:
    generator = torch.Generator().manual_seed(5)
    for _ in range(count):
        ids = torch.randint(7, (16,), generator=generator)
        loss = nn.functional.cross_entropy(model(ids), (ids + 1) % 7)
        loss.backward()
        optimizers.set_rate(factor)
        for part in optimizers.parts:
            part.step()
        optimizers.clear_gradients()
    return loss.item()


@pytest.mark.parametrize("kind", KINDS)
def test_every_optimizer_learns(kind: str) -> None:
    model = small()
    optimizers = build_optimizers(model, settings(kind, learning_rate=0.1 if kind == "sgd" else 0.01))
    first = take_steps(model, optimizers, 1)
    assert take_steps(model, optimizers, 150) < 0.5 * first


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_was_stored_goes_on_to_the_bit(kind: str) -> None:
    whole, halves, resumed = small(), small(), small()
    take_steps(whole, build_optimizers(whole, settings(kind)), 10)
    before = build_optimizers(halves, settings(kind))
    take_steps(halves, before, 5)
    state = {name: tensor.clone() for name, tensor in before.state().items()}
    resumed.load_state_dict(halves.state_dict())
    after = build_optimizers(resumed, settings(kind))
    after.load_state(state)
    reference = build_optimizers(halves, settings(kind))
    reference.load_state(state)
    generator_steps = [take_steps(model, optimizers, 5) for model, optimizers in ((halves, before), (resumed, after))]
    assert generator_steps[0] == generator_steps[1]
    for one, other in zip(halves.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def places(optimizers: Optimizers) -> dict[str, tuple[torch.device, torch.dtype]]:
    return {name: (value.device, value.dtype) for name, value in optimizers.state().items()}


def on_a_gpu(model: Small) -> Small:
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(torch.empty(parameter.shape, device="cuda")))
    return model


# Torch without CUDA cannot begin SGD's fused step on its devices, and its buffers are like Muon's.
@pytest.mark.parametrize("kind", ["adamw", "adam", "rmsprop", "muon"])
def test_a_state_that_was_stored_lies_on_a_gpu_where_a_step_would_have_put_it(kind: str) -> None:
    model = small()
    stored = build_optimizers(model, settings(kind))
    take_steps(model, stored, 1)
    models = small(), small()
    # Tensors without values, which know the device that they would lie on.
    with FakeTensorMode(allow_non_fake_inputs=True):
        stepped, resumed = (build_optimizers(on_a_gpu(model), settings(kind)) for model in models)
        for part in stepped.parts:
            for group in part.param_groups:
                for parameter in group["params"]:
                    parameter.grad = torch.zeros_like(parameter)
            part.step()
        resumed.load_state(stored.state())
        assert places(resumed) == places(stepped)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rate_of_zero_moves_nothing(kind: str) -> None:
    model = small()
    before = [parameter.clone() for parameter in model.parameters()]
    take_steps(model, build_optimizers(model, settings(kind)), 3, factor=0.0)
    for old, new in zip(before, model.parameters(), strict=True):
        assert torch.equal(old, new)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_only_matrices_decay(kind: str) -> None:
    model = small()
    with torch.no_grad():
        model.block.bias.fill_(1.0)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizers = build_optimizers(model, settings(kind, weight_decay=0.5))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for part in optimizers.parts:
        part.step()
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            assert torch.equal(parameter, before[name])
        else:
            assert parameter.norm() < before[name].norm()


def test_a_foreign_state_is_refused() -> None:
    optimizers = build_optimizers(small(), settings("adamw"))
    with pytest.raises(CheckpointError, match="which is not in this model"):
        optimizers.load_state({"other.weight/exp_avg": torch.zeros(2)})
