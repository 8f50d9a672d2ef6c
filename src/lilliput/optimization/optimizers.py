"""Optimisers with one interface: steps at a share of the peak rate, and a state of plain tensors.

Muon updates the matrices of the blocks; AdamW updates embeddings, the head, gains and biases, as Muon's authors advise.
All optimisers but Muon are from `torch.optim`. The state is a flat dictionary of tensors, so that a checkpoint needs
no pickle.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from lilliput.errors import CheckpointError
from lilliput.models.mixing.ngrams import NgramEmbedding
from lilliput.models.protocol import Model
from lilliput.optimization.muon import Muon
from lilliput.optimization.settings import OptimizerSettings


class Optimizers:
    """One or two optimisers that step together.

    A step uses few rows of the `tables`. On a CPU, their gradients are kept from step to step, which is faster than to
    allocate them again.
    """

    def __init__(
        self, parts: list[torch.optim.Optimizer], names: dict[Tensor, str], tables: Sequence[Tensor] = ()
    ) -> None:
        self.parts = parts
        self._names = names
        self._tables = tables
        for table in tables:
            if table.device.type == "cpu":
                table.grad = torch.zeros_like(table)
        self._peaks = [[float(group["lr"]) for group in part.param_groups] for part in parts]

    def set_rate(self, factor: float) -> None:
        """Set every learning rate to its peak times `factor`."""
        for part, peaks in zip(self.parts, self._peaks, strict=True):
            for group, peak in zip(part.param_groups, peaks, strict=True):
                group["lr"] = peak * factor

    def clear_gradients(self) -> None:
        """Clear all gradients; those of tables are kept, as zeros."""
        kept = [(table, table.grad.zero_()) for table in self._tables if table.grad is not None]
        for part in self.parts:
            part.zero_grad(set_to_none=True)
        for table, gradient in kept:
            table.grad = gradient

    def state(self) -> dict[str, Tensor]:
        """Return the state as tensors named `parameter/entry`."""
        state: dict[str, Tensor] = {}
        for part in self.parts:
            for parameter, entries in part.state.items():
                for entry, value in entries.items():
                    if isinstance(value, Tensor):
                        state[f"{self._names[parameter]}/{entry}"] = value
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Replace the state by one that `state()` returned.

        Raises CheckpointError if it belongs to other parameters.
        """
        entries: dict[str, dict[str, Tensor]] = {}
        for name, value in state.items():
            parameter_name, _, entry = name.rpartition("/")
            entries.setdefault(parameter_name, {})[entry] = value
        for name in entries.keys() - self._names.values():
            raise CheckpointError(f"the optimiser state has {name!r}, which is not in this model")
        for part in self.parts:
            parameters = [parameter for group in part.param_groups for parameter in group["params"]]
            numbered = {number: entries.get(self._names[parameter]) for number, parameter in enumerate(parameters)}
            # Torch puts each entry on the device and into the format that the optimiser expects.
            part.load_state_dict(
                {
                    "state": {number: values for number, values in numbered.items() if values is not None},
                    "param_groups": part.state_dict()["param_groups"],
                }
            )


def build_optimizers(model: nn.Module, settings: OptimizerSettings) -> Optimizers:
    """Build the optimiser of `settings` for the parameters of the model that have gradients.

    Weight decay acts on matrices only.
    """
    names: dict[Tensor, str] = {part: name for name, part in model.named_parameters() if part.requires_grad}
    matrices = [parameter for parameter in names if parameter.ndim >= 2]
    vectors = [parameter for parameter in names if parameter.ndim < 2]
    parts: list[torch.optim.Optimizer] = []
    if settings.optimizer == "muon":
        blocks = _block_matrices(model)
        parts.append(Muon(blocks, settings.matrix_learning_rate, settings.momentum, settings.weight_decay))
        taken = set(blocks)
        matrices = [parameter for parameter in matrices if parameter not in taken]
    tables = tables_of(model)
    groups = [
        {"params": [matrix for matrix in matrices if matrix not in set(tables)], "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
        {"params": tables, "weight_decay": 0.0, "lr": settings.table_learning_rate},
    ]
    parts.append(_elementwise([group for group in groups if group["params"]], settings))
    return Optimizers(parts, names, tables)


def tables_of(model: nn.Module) -> list[Tensor]:
    """Return the tables of n-gram embeddings."""
    return [module.table.weight for module in model.modules() if isinstance(module, NgramEmbedding)]


def _block_matrices(model: nn.Module) -> list[Tensor]:
    """Return the matrices of the blocks: all but the embeddings and the output matrices."""
    excluded = {module.weight for module in model.modules() if isinstance(module, nn.Embedding)}
    if isinstance(model, Model):
        excluded |= {output.weight for output in model.outputs()}
    learned = (parameter for parameter in model.parameters() if parameter.requires_grad and parameter.ndim == 2)
    return [parameter for parameter in learned if parameter not in excluded]


def _elementwise(groups: list[dict[str, object]], settings: OptimizerSettings) -> torch.optim.Optimizer:
    rate = settings.learning_rate
    match settings.optimizer:
        case "adam":
            return torch.optim.Adam(groups, lr=rate, betas=settings.betas, fused=True)
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=settings.momentum, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=rate, momentum=settings.momentum)
        case _:
            return torch.optim.AdamW(groups, lr=rate, betas=settings.betas, fused=True)
