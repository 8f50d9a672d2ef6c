"""The fast way to write on a GPU: a step is recorded once, and replayed for every token (CUDA graphs).

A step of a tiny network is hundreds of small operations, and starting them takes longer than doing them. So that it can
be recorded, a step does the same whatever the texts are: its tokens stand in one place, positions are counted on the
device, and every step looks at the room for a whole context, of which the positions to come are masked. A record has a
number of rows; where fewer texts go on, the rows left over are read too, and what comes of them is dropped. On a
processor the same step is done without a record, which is how it is tested.

Torch's manual: "CUDA semantics", section "CUDA Graphs".

Axes: B rows, D features, V vocabulary.
"""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lilliput.generation.backends.backend import Backend, LogitsV, evaluating, farthest
from lilliput.generation.backends.mixing import Mixing
from lilliput.models import Model
from lilliput.models.protocol import StaticCache

_WARMING = 3
"""Passes before one is recorded, in which libraries make their choices and take their memory."""
_NEAR = 1e-2
"""How near the logits of a replayed step have to be to the model's: a GPU may round products to ten bits."""

Outputs = tuple[Tensor, Tensor]


class CudaGraphBackend(Backend):
    """Runs the torch module; each step replays one recorded CUDA graph.

    The weights may change meanwhile, but not where they are; what decides about counts has the values of the start.
    """

    def __init__(self, model: Model, rows: int) -> None:
        super().__init__(model, rows)
        self._network = model.network_alone()
        self._device = next(model.parameters()).device
        self._mixing = Mixing(model.steps(), rows)
        self._open(rows)
        self._lengths = [0] * rows
        """Of all rows of the record, the texts first."""

    @property
    def lengths(self) -> list[int]:
        """Return the number of cached positions of each row."""
        return self._lengths[: len(self.texts)]

    @property
    def capacity(self) -> int | None:
        """Return the number of positions that fit; None if there is no limit."""
        return self._cache.capacity

    def reorder(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; one may be named several times."""
        held = self._cache
        self.texts = [list(self.texts[row]) for row in rows]
        self._mixing.reorder(rows)
        if len(rows) > len(self._lengths):
            self._open(len(rows))
        # Recording takes longer than reading rows that nobody asks for; they hold what the first one held.
        left_over = [0] * (len(self._tokens_B1) - len(rows))
        taken = [*rows, *left_over]
        self._lengths = [self._lengths[row] for row in taken]
        with torch.inference_mode():
            self._cache.copy_from(held, taken)

    def _open(self, rows: int) -> None:
        """Make room for this number of rows, and record a step for them; their contents follow."""
        self._tokens_B1 = torch.zeros((rows, 1), dtype=torch.long, device=self._device)
        self._cache = cast(StaticCache, self._network.new_cache(rows))
        with evaluating(self._network):
            # A state takes its shape from the first pass.
            self._pass(self._tokens_B1, self._cache)
            self._cache.make_static()
            self._replay = self._recorded()

    def _recorded(self) -> Callable[[], Outputs]:
        """Return what does a step; what a record returns is always in the same place."""
        if self._device.type != "cuda":
            return lambda: self._pass(self._tokens_B1, self._cache)
        aside, now = torch.cuda.Stream(), torch.cuda.current_stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(now)
        with torch.cuda.stream(aside):
            for _ in range(_WARMING):
                self._cache.make_static()
                self._pass(self._tokens_B1, self._cache)
        now.wait_stream(aside)
        self._cache.make_static()
        record = torch.cuda.CUDAGraph()
        with torch.cuda.graph(record):
            outputs = self._pass(self._tokens_B1, self._cache)

        def replay() -> Outputs:
            record.replay()
            return outputs

        return replay

    def _pass(self, ids_BT: Tensor, cache: StaticCache) -> Outputs:
        latest_B1D = self._network.features(ids_BT, cache)[:, -1:]
        return latest_B1D[:, 0].float(), self._network.head(latest_B1D)[:, 0].float()

    def _read(self, row: int, ids: Sequence[int], before: Sequence[int], begins: bool) -> LogitsV:
        cache = cast(StaticCache, self._network.new_cache(1))
        with evaluating(self._network):
            for start in range(0, len(ids), self.model.context):
                piece = torch.tensor([list(ids[start : start + self.model.context])], device=self._device)
                features_1D, logits_1V = self._pass(piece, cache)
            self._cache.copy_row(row, cache)
        self._lengths[row] = len(ids)
        return self._mixing.prefill(row, [*before, *ids], _array(features_1D)[0], _array(logits_1V)[0])

    def _step(self, tokens: Sequence[int]) -> LogitsV:
        with evaluating(self._network):
            for row, length in enumerate(self._lengths):
                if length == self.capacity:
                    self._cache.reset_row(row)
                    self._lengths[row] = 0
            self._tokens_B1[: len(tokens)] = torch.tensor(tokens, device=self._device)[:, None]
            features_BD, logits_BV = (outputs[: len(tokens)] for outputs in self._replay())
        self._lengths = [length + 1 for length in self._lengths]
        return self._mixing.decode(tokens, _array(features_BD), _array(logits_BV))


def can_record_steps(model: Model, note: Callable[[str], None]) -> bool:
    """Tell whether steps of a model can be replayed where it is; after a line to `note` if they could not.

    A few tokens are read in both ways first: what comes out has to be the same but for rounding.
    """
    if next(model.parameters()).device.type != "cuda":
        return False
    try:
        off = farthest(CudaGraphBackend(model, 1))
    except Exception as error:  # whatever the driver and its libraries say
        note(f"steps cannot be recorded on this GPU, writing goes on without: {' '.join(str(error).split())}")
        return False
    if not off < _NEAR:
        note(f"replayed steps are off by {off:.2g} on this GPU, writing goes on without")
        return False
    return True


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.cpu().numpy()
    return array
