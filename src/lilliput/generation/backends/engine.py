"""The fast way to write on a processor: onnxruntime runs the graph that a network emits.

Keys, values and states are our own arrays; onnxruntime reads and writes them in place, so a row can be read alone into
its part of them, copied and put in another order. The weights are handed over from memory. The counts of a mixture stay
what they are, beside the graph.

Before it is used, an engine reads a few tokens beside the model itself; where the logits differ, or an operator is
missing, `load_engine` says so and the model is used. Weights of 8 bits are multiplied in 8 bits or in single precision,
whichever is faster for the number of texts: one text waits for the weights to come from memory, many for the products.

Axes: B rows, T time, L tokens looked at together, V vocabulary.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from lilliput.generation.backends.backend import Backend, LogitsV, farthest
from lilliput.generation.backends.mixing import Mixing
from lilliput.generation.backends.prompt_cache import PromptCache
from lilliput.models import Model, count_multiplied
from lilliput.models.graph import Graph

_ONE_THREAD = 2_000_000
"""Parameters of a network up to which handing work to a second thread takes longer than doing it."""
_ROOM = 64
"""Positions for which there is room at first."""
_NEAR = 1e-3
"""How near the logits have to be to the model's, in single precision."""
_TIMED = 5
"""Steps whose least time is that of an engine; others may be busy during some of them."""
_FASTER = 1.25
"""How many times as fast single precision has to be where weights have 8 bits.

The two ways round differently, so texts must not depend on which of two nearly equal times is the lesser one today.
"""


class Engine:
    """A model as a graph that onnxruntime has loaded. Raises onnxruntime's errors for what it cannot run."""

    def __init__(self, model: Model, bits: int = 32, arithmetic: int | None = None) -> None:
        self.model = model
        graph = Graph(bits, arithmetic)
        self.arithmetic = graph.arithmetic
        features, logits = model.emit(graph)
        graph.output("logits", logits, ["B", model.vocab_size])
        self.steps = model.steps()
        if self.steps is not None:
            width = sum(output.in_features for output in model.outputs())
            graph.output("features", features, ["B", width])
        self.caches = graph.caches
        self._weights = graph.weights
        self.session = self._load(graph)
        # The graph's inputs tell what the network needs of a text (`models.graph`).
        inputs = {value.name: value.shape for value in self.session.get_inputs()}
        self.longest = inputs["windows"][-1]
        self.learned = "positions" in inputs
        transformer = "lengths" in inputs
        self.capacity = model.context if transformer else None
        self.prompt_cache = PromptCache(transformer)

    def _load(self, graph: Graph) -> Any:
        options = onnxruntime.SessionOptions()
        small = count_multiplied(self.model) < _ONE_THREAD
        options.intra_op_num_threads = 1 if small else torch.get_num_threads()
        options.log_severity_level = 4
        # Not to be freed before the session is: it works with these very bytes.
        self._held = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in self._weights.values()]
        options.add_external_initializers(list(self._weights), self._held)
        return onnxruntime.InferenceSession(
            graph.model().SerializeToString(), options, providers=["CPUExecutionProvider"]
        )


class OnnxBackend(Backend):
    """Runs an `Engine`."""

    def __init__(self, engine: Engine, rows: int) -> None:
        super().__init__(engine.model, rows)
        self._engine = engine
        self._lengths = [0] * rows
        self._mixing = Mixing(engine.steps, rows)
        self._caches: list[NDArray[np.float32]] = []
        self._room = 0
        self._make_room(min(_ROOM, engine.capacity or 0))

    @property
    def lengths(self) -> list[int]:
        """Return the number of cached positions of each row."""
        return self._lengths

    @property
    def capacity(self) -> int | None:
        """Return the number of positions that fit; None if there is no limit."""
        return self._engine.capacity

    def reorder(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; one may be named several times."""
        self.texts = [list(self.texts[row]) for row in rows]
        self._lengths = [self._lengths[row] for row in rows]
        self._mixing.reorder(rows)
        self._caches = [array[list(rows)] for array in self._caches]
        self._bind()

    def _make_room(self, positions: int) -> None:
        """Give each row room for this many positions.

        There is room for twice as many each time: that for a whole context may take longer to get than a text to write.
        """
        if self._caches and positions <= self._room:
            return
        self._room = min(max(positions, 2 * self._room), self._engine.capacity or 0)
        rows = len(self.texts)
        wider = [np.zeros((rows, *cached.row(self._room)), np.float32) for cached in self._engine.caches]
        for array, held in zip(wider, self._caches, strict=False):
            array[:, :, : held.shape[2]] = held
        self._caches = wider
        self._bind()

    def _bind(self) -> None:
        """Make the inputs of a step, and tell onnxruntime where they and its outputs are."""
        self._inputs = _Inputs(self._engine, len(self.texts), 1)
        self._bound = self._inputs.bind(self._engine, self._caches)

    def _read(self, row: int, ids: Sequence[int], before: Sequence[int], begins: bool) -> LogitsV:
        outputs = self._network(row, ids, begins)
        self._lengths[row] = len(ids)
        return self._mixing.prefill(row, [*before, *ids], outputs[-1][0], outputs[0][0])

    def _network(self, row: int, ids: Sequence[int], begins: bool) -> tuple[NDArray[np.float32], ...]:
        """Let the network read into an emptied row; return logits_1V and, for a mixture, features_1D."""
        engine = self._engine
        if engine.capacity is not None:
            self._make_room(len(ids))
        caches = [array[row : row + 1] for array in self._caches]
        if engine.capacity is None:
            for array in caches:
                array[...] = 0
        held, outputs = engine.prompt_cache.restore(ids, caches)
        if outputs:
            return outputs
        # A transformer never has more ids than a context; a state is carried from piece to piece.
        for start in range(held, len(ids), self.model.context):
            piece = ids[start : start + self.model.context]
            inputs = _Inputs(engine, 1, len(piece))
            positions = start if engine.capacity is not None else 0
            inputs.fill_row(engine, 0, [*ids[max(0, start - engine.longest + 1) : start], *piece], positions)
            inputs.run(engine, inputs.bind(engine, caches))
        outputs = inputs.outputs(engine)
        if begins:
            engine.prompt_cache.store(ids, caches, outputs)
        return outputs

    def _step(self, tokens: Sequence[int]) -> LogitsV:
        engine, held = self._engine, self._lengths
        if engine.capacity is not None:
            # The result of a full row is unused: the row starts again.
            held = [0 if length == engine.capacity else length for length in held]
            self._make_room(max(held) + 1)
        inputs = self._inputs
        inputs.fill_step(engine, self.texts, tokens, held)
        self._lengths = [length + 1 for length in held]
        inputs.run(engine, self._bound)
        return self._mixing.decode(tokens, inputs.features_BD, inputs.logits_BV)


def load_engine(
    model: Model,
    note: Callable[[str], None],
    bits: int = 32,
    texts: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Engine | None:
    """Return an engine for a model on a processor; None, after a line to `note`, where it cannot be used.

    A few tokens are read by both first: what comes out has to be the same, or near it in 8 bits. For 8 bits, steps of
    so many `texts` are timed by the `clock` in both kinds of arithmetic; a line to `note` says which one is used.
    """
    if next(model.parameters()).device.type != "cpu":
        return None
    try:
        engine = Engine(model) if bits == 32 else _fastest(model, texts, note, clock)
        off = farthest(OnnxBackend(engine, 1))
    except Exception as error:  # whatever onnxruntime says, of which nothing is documented
        note(f"onnxruntime cannot run this model, writing goes on without: {' '.join(str(error).split())}")
        return None
    if not off < (_NEAR if bits == 32 else math.inf):
        note(f"onnxruntime is off by {off:.2g} for this model, writing goes on without")
        return None
    return engine


def _fastest(model: Model, texts: int, note: Callable[[str], None], clock: Callable[[], float]) -> Engine:
    """Return an engine with weights of 8 bits, in the arithmetic that is faster for this number of texts."""
    engines = [Engine(model, 8, arithmetic) for arithmetic in (8, 32)]
    backends, seconds = [OnnxBackend(engine, texts) for engine in engines], [math.inf] * 2
    for backend in backends:
        for row in range(texts):
            backend.prefill(row, [0])
        backend.decode([0] * texts)
    for _ in range(_TIMED):
        for place, backend in enumerate(backends):
            began = clock()
            backend.decode([0] * texts)
            seconds[place] = min(seconds[place], clock() - began)
    best = int(seconds[0] > _FASTER * seconds[1])
    speeds = [f"{texts / took:,.0f} tokens/s" for took in seconds]
    note(
        f"8 bits: {'one text' if texts == 1 else f'{texts} texts at once'}: {engines[best].arithmetic}-bit arithmetic, "
        f"{speeds[best]} on this machine ({engines[1 - best].arithmetic}-bit: {speeds[1 - best]})"
    )
    return engines[best]


class _Inputs:
    """The arrays of a pass with this number of rows and positions; they stay in place while they are bound."""

    def __init__(self, engine: Engine, rows: int, new: int) -> None:
        width = sum(output.in_features for output in engine.model.outputs())
        self.windows_BTL = np.zeros((rows, new, engine.longest), np.int64)
        self.lengths_B = np.zeros(rows, np.int32)
        self.total = np.zeros(1, np.int32)
        self.positions_BT = np.zeros((rows, new), np.int64)
        self.logits_BV = np.zeros((rows, engine.model.vocab_size), np.float32)
        self.features_BD = np.zeros((rows, width), np.float32)

    def fill_row(self, engine: Engine, row: int, ids: Sequence[int], held: int) -> None:
        """Put in what a row adds to the positions it holds; `ids` may begin before the new tokens."""
        new, longest = self.windows_BTL.shape[1:]
        # A special token marks the start of the text.
        missing = new + longest - 1 - len(ids)
        padded = np.array([*[engine.model.vocab_size] * missing, *ids], np.int64)
        self.windows_BTL[row] = np.lib.stride_tricks.sliding_window_view(padded, longest)
        self._place(engine, row, held)

    def fill_step(
        self, engine: Engine, texts: Sequence[Sequence[int]], tokens: Sequence[int], held: Sequence[int]
    ) -> None:
        """Put in one new token for each row, the last one of its text."""
        longest = engine.longest
        if longest == 1:
            self.windows_BTL[:, 0, 0] = tokens
            if engine.capacity is None:
                return
        for row, count in enumerate(held):
            if longest > 1:
                seen = texts[row][-min(longest, count + 1) :]
                self.windows_BTL[row, 0] = [*[engine.model.vocab_size] * (longest - len(seen)), *seen]
            if engine.capacity is not None:
                self._place(engine, row, count)

    def _place(self, engine: Engine, row: int, held: int) -> None:
        new = self.windows_BTL.shape[1]
        self.lengths_B[row] = held + new - 1
        if engine.learned:
            self.positions_BT[row] = np.arange(held, held + new)

    def bind(self, engine: Engine, caches: Sequence[NDArray[np.float32]]) -> Any:
        """Return where onnxruntime finds these arrays."""
        bound = engine.session.io_binding()
        inputs: dict[str, NDArray[Any]] = {"windows": self.windows_BTL}
        outputs = {"logits": self.logits_BV}
        if engine.capacity is not None:
            inputs |= {"lengths": self.lengths_B, "total": self.total}
        if engine.learned:
            inputs["positions"] = self.positions_BT
        if engine.steps is not None:
            outputs["features"] = self.features_BD
        for cached, array in zip(engine.caches, caches, strict=True):
            placed: NDArray[Any] = array.reshape(cached.before + array.shape)
            inputs[f"{cached.name}_in"] = outputs[f"{cached.name}_out"] = placed
        for name, array in inputs.items():
            bound.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        for name, array in outputs.items():
            bound.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        return bound

    def outputs(self, engine: Engine) -> tuple[NDArray[np.float32], ...]:
        """Return logits_BV and, for a mixture, features_BD; the next pass overwrites them."""
        return (self.logits_BV,) if engine.steps is None else (self.logits_BV, self.features_BD)

    def run(self, engine: Engine, bound: Any) -> None:
        """Run the pass."""
        if engine.capacity is not None:
            self.total[0] = max(self.lengths_B.tolist()) + 1
        engine.session.run_with_iobinding(bound)
