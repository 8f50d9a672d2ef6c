"""The fast backend on a GPU: record a step once, and replay it for every token (CUDA graphs).

A step of a tiny network is hundreds of small operations, and starting them takes longer than running them. A recorded
step must be the same for all texts: its tokens are in a fixed tensor, positions are counted on the device, and
attention covers a whole context, with future positions masked. The number of rows is fixed too: if fewer texts are
left, the other rows are computed and dropped. On a CPU the same step runs without a recording, where tests check it.

Torch's manual: "CUDA semantics", section "CUDA Graphs".

Axes: B rows, D features, V vocabulary.
"""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lilliput.generation.backends.backend import Backend, LogitsV, inference, largest_difference
from lilliput.generation.backends.mixing import Mixing
from lilliput.models import Model
from lilliput.models.protocol import StaticCache

_WARMING = 3
"""Passes before the recording, in which libraries choose their kernels and allocate memory."""
_NEAR = 1e-2
"""Largest difference allowed between replayed logits and the model's: a GPU may round products to ten bits."""

Outputs = tuple[Tensor, Tensor]


class CudaGraphBackend(Backend):
    """Runs the module with torch; each step replays a recorded CUDA graph.

    The values of the weights may change, but not their addresses. The gate of a mixture keeps its first values.
    """

    def __init__(self, model: Model, rows: int) -> None:
        super().__init__(model, rows)
        self._network = model.network_alone()
        self._device = next(model.parameters()).device
        self._mixing = Mixing(model.steps(), rows)
        self._open(rows)
        self._lengths = [0] * rows
        """The lengths of all recorded rows; those of the texts come first."""

    @property
    def lengths(self) -> list[int]:
        """Return the number of cached positions of each row."""
        return self._lengths[: len(self.texts)]

    @property
    def capacity(self) -> int | None:
        """Return the number of positions that fit; None if there is no limit."""
        return self._cache.capacity

    def reorder(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be repeated."""
        old_cache = self._cache
        self.texts = [list(self.texts[row]) for row in rows]
        self._mixing.reorder(rows)
        if len(rows) > len(self._lengths):
            self._open(len(rows))
        # Unused rows hold copies of the first one: computing them takes less time than a new recording.
        unused = [0] * (len(self._tokens_B1) - len(rows))
        sources = [*rows, *unused]
        self._lengths = [self._lengths[row] for row in sources]
        with torch.inference_mode():
            self._cache.copy_from(old_cache, sources)

    def _open(self, rows: int) -> None:
        """Allocate this number of empty rows, and record a step for them."""
        self._tokens_B1 = torch.zeros((rows, 1), dtype=torch.long, device=self._device)
        self._cache = cast(StaticCache, self._network.new_cache(rows))
        with inference(self._network):
            # The first pass gives a state its shape.
            self._pass(self._tokens_B1, self._cache)
            self._cache.make_static()
            self._replay = self._recorded()

    def _recorded(self) -> Callable[[], Outputs]:
        """Return a function that runs a step; a recording writes its outputs into the same tensors each time."""
        if self._device.type != "cuda":
            return lambda: self._pass(self._tokens_B1, self._cache)
        side, current = torch.cuda.Stream(), torch.cuda.current_stream()  # type: ignore[no-untyped-call]
        side.wait_stream(current)
        with torch.cuda.stream(side):
            for _ in range(_WARMING):
                self._cache.make_static()
                self._pass(self._tokens_B1, self._cache)
        current.wait_stream(side)
        self._cache.make_static()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = self._pass(self._tokens_B1, self._cache)

        def replay() -> Outputs:
            graph.replay()
            return outputs

        return replay

    def _pass(self, ids_BT: Tensor, cache: StaticCache) -> Outputs:
        latest_B1D = self._network.features(ids_BT, cache)[:, -1:]
        return latest_B1D[:, 0].float(), self._network.head(latest_B1D)[:, 0].float()

    def _read(self, row: int, ids: Sequence[int], before: Sequence[int], begins: bool) -> LogitsV:
        cache = cast(StaticCache, self._network.new_cache(1))
        with inference(self._network):
            for start in range(0, len(ids), self.model.context):
                ids_1T = torch.tensor([list(ids[start : start + self.model.context])], device=self._device)
                features_1D, logits_1V = self._pass(ids_1T, cache)
            self._cache.copy_row(row, cache)
        self._lengths[row] = len(ids)
        return self._mixing.prefill(row, [*before, *ids], _array(features_1D)[0], _array(logits_1V)[0])

    def _step(self, tokens: Sequence[int]) -> LogitsV:
        with inference(self._network):
            for row, length in enumerate(self._lengths):
                if length == self.capacity:
                    self._cache.reset_row(row)
                    self._lengths[row] = 0
            self._tokens_B1[: len(tokens)] = torch.tensor(tokens, device=self._device)[:, None]
            features_BD, logits_BV = (outputs[: len(tokens)] for outputs in self._replay())
        self._lengths = [length + 1 for length in self._lengths]
        return self._mixing.decode(tokens, _array(features_BD), _array(logits_BV))


def can_record_steps(model: Model, note: Callable[[str], None]) -> bool:
    """Return whether steps of a model can be replayed on its device; if not on a GPU, `note` gets one line.

    A few tokens are read with and without replaying: the logits may differ only by rounding.
    """
    if next(model.parameters()).device.type != "cuda":
        return False
    try:
        difference = largest_difference(CudaGraphBackend(model, 1))
    except Exception as error:  # whatever the driver and its libraries say
        note(f"steps cannot be recorded on this GPU; using torch without recordings: {' '.join(str(error).split())}")
        return False
    if not difference < _NEAR:
        note(f"replayed steps are off by {difference:.2g} on this GPU; using torch without recordings")
        return False
    return True


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.cpu().numpy()
    return array
