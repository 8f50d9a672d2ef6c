"""Build networks from their settings, and count their parameters."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lilliput.errors import RecipeError
from lilliput.models.ensemble import Ensemble
from lilliput.models.gpt import GPT
from lilliput.models.mixing.mixture import Mixture
from lilliput.models.mixing.ngrams import NgramEmbedding
from lilliput.models.protocol import Model
from lilliput.models.recurrent import Recurrent
from lilliput.models.settings import ArchitectureSettings, GPTSettings, ModelSettings, RecurrentSettings

_NETWORKS: dict[type[ArchitectureSettings], Callable[[Any, int, int], Model]] = {
    GPTSettings: GPT,
    RecurrentSettings: Recurrent,
}
"""The network of each architecture, called with its settings, the vocabulary size and the context."""


class _WithoutInitialization(TorchFunctionMode):
    """Skip the random initial weights: for a large network, drawing them takes longer than reading saved ones."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        return function(*args, **(kwargs or {}))


def build_empty(settings: ModelSettings, vocab_size: int, context: int) -> Model:
    """Return a network with arbitrary weights, to be overwritten. Raises the errors of `build`."""
    with _WithoutInitialization():
        return build(settings, vocab_size, context)


def build(settings: ModelSettings, vocab_size: int, context: int) -> Model:
    """Return a new network with initial weights.

    Raises RecipeError if `vocab_size` or `context` is below 1.
    """
    for name, value in (("vocabulary", vocab_size), ("context", context)):
        if value < 1:
            raise RecipeError(f"a model with {name} {value} is impossible: it must be at least 1")
    make = _NETWORKS[type(settings)]
    networks = [make(settings, vocab_size, context) for _ in range(settings.ensemble)]
    network = networks[0] if len(networks) == 1 else Ensemble(networks)
    return Mixture(network) if settings.counts else network


def count_multiplied(model: nn.Module) -> int:
    """Return the number of parameters that every prediction uses: all but the n-gram embeddings."""
    tables = sum(module.table.weight.numel() for module in model.modules() if isinstance(module, NgramEmbedding))
    return count_parameters(model) - tables


def count_parameters(model: nn.Module) -> int:
    """Return the number of parameters; a shared matrix counts once."""
    return sum(parameter.numel() for parameter in model.parameters())
