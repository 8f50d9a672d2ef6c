"""The fast backend on a CPU: onnxruntime runs the graph that a network emits.

Keys, values and states are NumPy arrays that onnxruntime reads and writes in place, so a row can be prefilled alone,
copied and moved. The weights are passed in memory. The counts of a mixture are not part of the graph.

Before it is used, an engine is compared with its model on a few tokens. If the logits differ, or an operator is
missing, `load_engine` notes it and the model is used. Weights of 8 bits are multiplied in 8 bits or single precision,
whichever is faster for the number of texts: one text is limited by memory bandwidth, many by arithmetic.

Axes: B rows, T time, L tokens in a window, V vocabulary.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from lilliput.generation.backends.backend import Backend, LogitsV, largest_difference
from lilliput.generation.backends.mixing import Mixing
from lilliput.generation.backends.prompt_cache import PromptCache
from lilliput.models import Model, count_multiplied
from lilliput.models.graph import Graph

_ONE_THREAD = 2_000_000
"""Parameters of a network below which a second thread costs more time than it saves."""
_ROOM = 64
"""Positions allocated at first."""
_NEAR = 1e-3
"""Largest difference allowed between an engine's logits and the model's, in single precision."""
_TIMED = 5
"""Steps timed for each engine; the fastest counts, since other programs may slow some of them."""
_FASTER = 1.25
"""How many times as fast single precision must be to replace arithmetic in 8 bits.

The two round differently, so the texts must not depend on which of two nearly equal times is shorter.
"""


class Engine:
    """A model as a graph that onnxruntime has loaded. Raises onnxruntime's errors for a graph that it cannot run."""

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
        # The inputs of the graph show which properties of a text the network needs (`models.graph`).
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
        # The session uses these arrays without a copy, so they must live as long.
        self._values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in self._weights.values()]
        options.add_external_initializers(list(self._weights), self._values)
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
        """Keep these rows, in this order; a row may be repeated."""
        self.texts = [list(self.texts[row]) for row in rows]
        self._lengths = [self._lengths[row] for row in rows]
        self._mixing.reorder(rows)
        self._caches = [array[list(rows)] for array in self._caches]
        self._bind()

    def _make_room(self, positions: int) -> None:
        """Make sure that each row has room for this many positions.

        The room doubles each time it is too small: allocating a whole context may take longer than writing a text.
        """
        if self._caches and positions <= self._room:
            return
        self._room = min(max(positions, 2 * self._room), self._engine.capacity or 0)
        rows = len(self.texts)
        wider = [np.zeros((rows, *cached.row(self._room)), np.float32) for cached in self._engine.caches]
        for array, old in zip(wider, self._caches, strict=False):
            array[:, :, : old.shape[2]] = old
        self._caches = wider
        self._bind()

    def _bind(self) -> None:
        """Allocate the inputs and outputs of a step, and bind them to onnxruntime."""
        self._inputs = _Inputs(self._engine, len(self.texts), 1)
        self._bound = self._inputs.bind(self._engine, self._caches)

    def _read(self, row: int, ids: Sequence[int], before: Sequence[int], begins: bool) -> LogitsV:
        outputs = self._network(row, ids, begins)
        self._lengths[row] = len(ids)
        return self._mixing.prefill(row, [*before, *ids], outputs[-1][0], outputs[0][0])

    def _network(self, row: int, ids: Sequence[int], begins: bool) -> tuple[NDArray[np.float32], ...]:
        """Let the network read ids into an empty row; return logits_1V and, for a mixture, features_1D."""
        engine = self._engine
        if engine.capacity is not None:
            self._make_room(len(ids))
        caches = [array[row : row + 1] for array in self._caches]
        if engine.capacity is None:
            for array in caches:
                array[...] = 0
        cached, outputs = engine.prompt_cache.restore(ids, caches)
        if outputs:
            return outputs
        # A transformer never gets more ids than a context; a recurrent state is carried from part to part.
        for start in range(cached, len(ids), self.model.context):
            part = ids[start : start + self.model.context]
            inputs = _Inputs(engine, 1, len(part))
            positions = start if engine.capacity is not None else 0
            inputs.fill_row(engine, 0, [*ids[max(0, start - engine.longest + 1) : start], *part], positions)
            inputs.run(engine, inputs.bind(engine, caches))
        outputs = inputs.outputs(engine)
        if begins:
            engine.prompt_cache.store(ids, caches, outputs)
        return outputs

    def _step(self, tokens: Sequence[int]) -> LogitsV:
        engine, lengths = self._engine, self._lengths
        if engine.capacity is not None:
            # `decode` reads a full row again, so the result of this step is not used: the row restarts.
            lengths = [0 if length == engine.capacity else length for length in lengths]
            self._make_room(max(lengths) + 1)
        inputs = self._inputs
        inputs.fill_step(engine, self.texts, tokens, lengths)
        self._lengths = [length + 1 for length in lengths]
        inputs.run(engine, self._bound)
        return self._mixing.decode(tokens, inputs.features_BD, inputs.logits_BV)


def load_engine(
    model: Model,
    note: Callable[[str], None],
    bits: int = 32,
    texts: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Engine | None:
    """Return an engine for a model on a CPU; if it cannot be used, `note` gets one line and None is returned.

    The engine and the model read a few tokens first: the logits must agree, except with 8 bits. For 8 bits, steps with
    this number of `texts` are timed by the `clock` in both kinds of arithmetic; `note` gets a line about the choice.
    """
    if next(model.parameters()).device.type != "cpu":
        return None
    try:
        engine = Engine(model) if bits == 32 else _fastest(model, texts, note, clock)
        difference = largest_difference(OnnxBackend(engine, 1))
    except Exception as error:  # onnxruntime does not document its errors
        note(f"onnxruntime cannot run this model; using torch: {' '.join(str(error).split())}")
        return None
    if not difference < (_NEAR if bits == 32 else math.inf):
        note(f"onnxruntime is off by {difference:.2g} for this model; using torch")
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
        for number, backend in enumerate(backends):
            began = clock()
            backend.decode([0] * texts)
            seconds[number] = min(seconds[number], clock() - began)
    best = int(seconds[0] > _FASTER * seconds[1])
    speeds = [f"{texts / took:,.0f} tokens/s" for took in seconds]
    note(
        f"8 bits: {'one text' if texts == 1 else f'{texts} texts at once'}: {engines[best].arithmetic}-bit arithmetic, "
        f"{speeds[best]} on this machine ({engines[1 - best].arithmetic}-bit: {speeds[1 - best]})"
    )
    return engines[best]


class _Inputs:
    """The input and output arrays of a pass with this number of rows and positions."""

    def __init__(self, engine: Engine, rows: int, new: int) -> None:
        width = sum(output.in_features for output in engine.model.outputs())
        self.windows_BTL = np.zeros((rows, new, engine.longest), np.int64)
        self.lengths_B = np.zeros(rows, np.int32)
        self.total = np.zeros(1, np.int32)
        self.positions_BT = np.zeros((rows, new), np.int64)
        self.logits_BV = np.zeros((rows, engine.model.vocab_size), np.float32)
        self.features_BD = np.zeros((rows, width), np.float32)

    def fill_row(self, engine: Engine, row: int, ids: Sequence[int], cached: int) -> None:
        """Fill in the new tokens of a row after `cached` positions; `ids` may begin before the new tokens."""
        new, longest = self.windows_BTL.shape[1:]
        # A special token marks the start of the text.
        missing = new + longest - 1 - len(ids)
        padded = np.array([*[engine.model.vocab_size] * missing, *ids], np.int64)
        self.windows_BTL[row] = np.lib.stride_tricks.sliding_window_view(padded, longest)
        self._fill_positions(engine, row, cached)

    def fill_step(
        self, engine: Engine, texts: Sequence[Sequence[int]], tokens: Sequence[int], lengths: Sequence[int]
    ) -> None:
        """Fill in one new token of each row, the last of its text, after `lengths` cached positions."""
        longest = engine.longest
        if longest == 1:
            self.windows_BTL[:, 0, 0] = tokens
            if engine.capacity is None:
                return
        for row, length in enumerate(lengths):
            if longest > 1:
                window = texts[row][-min(longest, length + 1) :]
                self.windows_BTL[row, 0] = [*[engine.model.vocab_size] * (longest - len(window)), *window]
            if engine.capacity is not None:
                self._fill_positions(engine, row, length)

    def _fill_positions(self, engine: Engine, row: int, cached: int) -> None:
        new = self.windows_BTL.shape[1]
        self.lengths_B[row] = cached + new - 1
        if engine.learned:
            self.positions_BT[row] = np.arange(cached, cached + new)

    def bind(self, engine: Engine, caches: Sequence[NDArray[np.float32]]) -> Any:
        """Return onnxruntime's binding of these arrays, which must not move while it is used."""
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
            shaped: NDArray[Any] = array.reshape(cached.before + array.shape)
            inputs[f"{cached.name}_in"] = outputs[f"{cached.name}_out"] = shaped
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
