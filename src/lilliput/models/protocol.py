"""The interface of every model: `forward(ids, cache) -> logits`, and a cache of the positions seen.

Only the cache holds the position in the text. However the input is split, passes with a cache give the same logits as
one pass over the whole input, for every model and all settings.

The model computes the loss of each token, since not every model needs all logits for that. Left out on purpose: the
training objective, the optimiser, sampling.

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
    """The positions of each row that a model has seen; the model that made the cache updates it in place."""

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


class Branches(Protocol):
    """A cache of P prompts of one length, each with several continuations (`models.branches`)."""

    def branch(self, count: int) -> None:
        """Turn each prompt into `count` rows, prompt by prompt; later passes have that many rows."""


class TrainingText(NamedTuple):
    """The text that a model is trained on, for a model that counts it."""

    ids: NDArray[np.generic]
    """The tokens of the text."""
    texts: Sequence[str]
    """The text of each token of the vocabulary, by id."""
    starts: Starts = WHOLE
    """The starts of its segments."""
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
    """Of the network alone, if the model also has counts."""
    counts_N: Tensor | None = None
    """Of counts and matches, without the network."""


class StaticCache(Cache, Protocol):
    """A cache that can be made static: every pass is then the same operations, so it can be recorded."""

    def make_static(self) -> None:
        """Empty every row; from now on a pass adds one token to each, and `lengths` are not kept."""

    def copy_from(self, other: Any, rows: Sequence[int]) -> None:
        """Replace the rows by these rows of `other`, a static cache that may be this one."""


class Model(nn.Module, ABC):
    """Base of all networks; the initial weights come from torch's global generator, which the caller seeds.

    `context` is the training window. A model whose cache has a capacity sees no further than that.
    """

    settings: ModelSettings
    vocab_size: int
    context: int
    memory: int = 0
    """Number of tokens before a pass that the model uses; a cache holds them from then on."""
    output: nn.Linear

    def forward(self, ids_BT: Tensor, cache: Cache | None = None) -> Tensor:
        """Return logits_BTV for the token after each position.

        `ids_BT` continues the rows of `cache`, which is updated. Raises GenerationError past the cache's capacity.
        """
        return self.head(self.features(ids_BT, cache))

    @abstractmethod
    def features(self, ids_BT: Tensor, cache: Cache | None = None, before_BP: Tensor | None = None) -> Tensor:
        """Return features_BTD: the result without the output matrix, for callers that need few of the logits.

        `before_BP` may hold the tokens before `ids_BT`, of which a model uses the last `memory`. It has no effect with
        a cache that already holds tokens.
        """

    @abstractmethod
    def head(self, features_BTD: Tensor) -> Tensor:
        """Return logits_BTV of features_BTD."""

    def losses(self, features_ND: Tensor, targets_N: Tensor) -> Tensor:
        """Return the negative log-likelihood of each target in nats, in single precision."""
        logits_NV = self.head(features_ND.unsqueeze(0)).squeeze(0)
        return F.cross_entropy(logits_NV.float(), targets_N, reduction="none")

    def part_losses(self, features_ND: Tensor, targets_N: Tensor) -> PartLosses:
        """Return the losses of the whole model, and of its parts if it has several."""
        return PartLosses(self.losses(features_ND, targets_N))

    def network_alone(self) -> "Model":
        """Return the network without its counts."""
        return self

    def learn(self, read: Callable[[], TrainingText]) -> None:
        """Count the training text, which `read` returns. A network without counts does not read it."""

    def calibrate(self, batches: Sequence[CalibrationBatch], *, counts_alone: bool = False) -> None:
        """Fit the gate that weighs the counts against the network; without batches, leave it unchanged.

        With `counts_alone`, fit a second gate instead, with which `part_losses` measures the counts without the
        network. A network without counts does nothing.
        """

    def steps(self) -> "Steps | None":
        """Return the `Steps` that mix counts into the network's predictions, token by token; None without counts."""
        return None

    def loss(self, features_ND: Tensor, targets_N: Tensor, weights_N: Tensor) -> Tensor:
        """Return the sum of weight x negative log-likelihood in nats, to be minimised."""
        return output_loss(features_ND, self.output, targets_N, weights_N)

    def outputs(self) -> list[nn.Linear]:
        """Return the output matrices; an ensemble has several."""
        return [self.output]

    def emit(self, graph: "Graph") -> tuple[str, str]:
        """Write the network into a graph; return the names of features_BD and logits_BV of the latest position.

        Dropout is left out, as in generation. Architectures without a graph generate with torch.
        """
        raise TypeError(f"{type(self).__name__} has no graph")

    @abstractmethod
    def new_cache(self, batch: int) -> Cache:
        """Return an empty cache for `batch` rows, on the model's device and in its dtype; it is meant for inference."""

    def new_branches(self, prompts: int) -> Branches:
        """Return an empty cache for continuations of `prompts` prompts of one length, through which gradients flow."""
        raise TypeError(f"{type(self).__name__} has no branches")


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch to evaluation mode, and restore the mode of every module at the end: some may be frozen on purpose."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
