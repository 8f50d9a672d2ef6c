"""What every model is: `forward(ids, cache) -> logits`, and a cache that remembers the positions seen.

The position in the text is owned by the cache and by nothing else. For any split of the input, passes with a cache give
the same logits as one whole pass, in every model and at every option.

What a token costs is the model's to say, since not every model needs all of its logits for that. Left out on purpose:
what is minimised, optimiser, sampling.

Axes: B batch, T time, P positions before them, N positions, D width, V vocabulary.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lilliput.models.output_loss import output_loss
from lilliput.models.settings import ModelSettings
from lilliput.segments import WHOLE, Starts

if TYPE_CHECKING:
    from lilliput.models.graph import Graph
    from lilliput.models.mixing.steps import Steps


class Cache(Protocol):
    """What a model remembers of the rows so far; it is written in place by the model that made it."""

    @property
    def lengths(self) -> list[int]:
        """Return the number of positions that each row has seen; if they differ, a pass may add one to each."""

    @property
    def length(self) -> int:
        """Return the number of positions that the longest row has seen."""

    @property
    def capacity(self) -> int | None:
        """Return the number of positions that fit, None if there is no limit."""

    def reset_row(self, row: int) -> None:
        """Empty one row."""

    def copy_row(self, row: int, other: Any) -> None:
        """Copy the only row of `other`, a cache of the same model, into one row."""

    def reorder(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be named several times."""


class TrainingText(NamedTuple):
    """The text that a model is trained on, for a model that counts it."""

    ids: NDArray[np.generic]
    """The tokens of the text."""
    texts: Sequence[str]
    """What each token of the vocabulary decodes to, by id."""
    starts: Starts = WHOLE
    """Where the segments of the text begin."""
    capitals: bool = True
    """Whether contexts of words record whether the latest letter is a capital (`models.mixing.words`)."""


class CalibrationBatch(NamedTuple):
    """A part of the training text that is set aside for `Model.calibrate`."""

    before_BP: Tensor
    """The tokens before each row."""
    inputs_BT: Tensor
    targets_BT: Tensor
    """The tokens that follow the inputs."""


class PartLosses(NamedTuple):
    """The negative log-likelihood of each of N targets in nats; None for a part that a model does not have."""

    whole_N: Tensor
    network_N: Tensor | None = None
    """Of the network alone, where something is beside it."""
    counts_N: Tensor | None = None
    """Of what is beside it, without the network."""


class StaticCache(Cache, Protocol):
    """A cache that can be made static: every pass is then the same operations, so it can be recorded."""

    def make_static(self) -> None:
        """Empty every row; from now on a pass adds one token to each, and `lengths` are not kept."""

    def copy_from(self, other: Any, rows: Sequence[int]) -> None:
        """Copy these rows of `other`, which is static too and may be this very cache, into the rows."""


class Model(nn.Module, ABC):
    """Base of all networks; the first weights come from torch's global generator, which the caller seeds.

    `context` is the training window. A model whose cache has a capacity can see no further than that.
    """

    settings: ModelSettings
    vocab_size: int
    context: int
    memory: int = 0
    """Tokens before a pass that the model makes use of; a cache holds them from then on."""
    output: nn.Linear

    def forward(self, ids_BT: Tensor, cache: Cache | None = None) -> Tensor:
        """Return logits_BTV for the token after each position.

        `ids_BT` continues what `cache` holds, and is added to it. Raises GenerationError past the cache's capacity.
        """
        return self.head(self.features(ids_BT, cache))

    @abstractmethod
    def features(self, ids_BT: Tensor, cache: Cache | None = None, before_BP: Tensor | None = None) -> Tensor:
        """Return features_BTD: everything but the output matrix, for callers that need few of the logits.

        `before_BP` may tell what stood before, of which a model looks at its `memory`; a cache that holds tokens knows
        it already.
        """

    @abstractmethod
    def head(self, features_BTD: Tensor) -> Tensor:
        """Return logits_BTV of features_BTD."""

    def losses(self, features_ND: Tensor, targets_N: Tensor) -> Tensor:
        """Return the negative log-likelihood of each target in nats, in single precision."""
        logits_NV = self.head(features_ND.unsqueeze(0)).squeeze(0)
        return F.cross_entropy(logits_NV.float(), targets_N, reduction="none")

    def part_losses(self, features_ND: Tensor, targets_N: Tensor) -> PartLosses:
        """Return what `losses` does, and the same of the parts, where there are several."""
        return PartLosses(self.losses(features_ND, targets_N))

    def network_alone(self) -> "Model":
        """Return the network without what is beside it."""
        return self

    def learn(self, read: Callable[[], TrainingText]) -> None:
        """Count the training text, which `read` returns. A network without counts does not read it."""

    def calibrate(self, batches: Sequence[CalibrationBatch], *, counts_alone: bool = False) -> None:
        """Fit what decides how much the counts weigh beside the network; without batches it stays as it is.

        With `counts_alone`, fit what the counts need to be measured without the network, in `part_losses`. A network
        without counts does nothing.
        """

    def steps(self) -> "Steps | None":
        """Return what mixes counts into the network's predictions token by token; None if there are no counts."""
        return None

    def loss(self, features_ND: Tensor, targets_N: Tensor, weights_N: Tensor) -> Tensor:
        """Return the sum of weight x negative log-likelihood in nats, to be minimised."""
        return output_loss(features_ND, self.output, targets_N, weights_N)

    def outputs(self) -> list[nn.Linear]:
        """Return the output matrices, of which there may be several."""
        return [self.output]

    def emit(self, graph: "Graph") -> tuple[str, str]:
        """Write the network into a graph; return the names of features_BD and logits_BV of the latest position.

        Dropout is left out, as in generation. Architectures without a graph generate with torch.
        """
        raise TypeError(f"{type(self).__name__} has no graph")

    @abstractmethod
    def new_cache(self, batch: int) -> Cache:
        """Return an empty cache for `batch` rows, on the model's device and in its dtype; it is meant for inference."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch to evaluation mode, and restore the mode of every module: some may have been frozen on purpose."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
