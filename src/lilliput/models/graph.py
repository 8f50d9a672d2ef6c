"""The ONNX graph of a network, in onnxruntime's dialect.

Every architecture has one `emit`: the same operations as its `forward`, for B rows that each continue their own keys
and values, or their own state. A layer calls the operations of `Graph` (`embedding`, `attention`, `lstm`, ...)
and names no operator. So another dialect, such as plain ONNX operators for export, is a subclass of `Graph`.

This dialect uses ONNX's operator set 17 and, for speed, onnxruntime's own operators (its document ContribOperators):
`GroupQueryAttention`, `SimplifiedLayerNormalization`, `SkipLayerNormalization`, `SkipSimplifiedLayerNormalization`,
`FastGelu`, `QuickGelu` and `MatMulNBits`. The weights are kept outside the graph: the caller who runs or saves it
supplies them.

Inputs of every graph: `windows_BTL`, the last L tokens up to each new token, including it (L is 1 unless the network
embeds n-grams). A transformer also has `lengths_B`, the number of positions of each row less one, including the new
ones, and `total`, the number of positions of the longest row. With learned positions it also has `positions_BT`.

Axes: B rows, T new positions, P positions held, L tokens, D width, K head width, I inputs and O outputs of a matrix,
W width of a recurrent state, V vocabulary.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from lilliput.models.quantization import BLOCK, dequantize, quantize

_CONTRIB = "com.microsoft"
_SMALL = 1024
"""Maximum bytes of a constant that is stored in the graph itself."""
_HEAD_MULTIPLE = 16
"""onnxruntime needs head widths that are multiples of this; narrower heads are padded with zeros."""


class Cached(NamedTuple):
    """An array that is carried from pass to pass: its name, the shape of a row, and the axes before the rows."""

    name: str
    shape: tuple[int | str, ...]
    before: tuple[int, ...]

    def row(self, positions: int) -> tuple[int, ...]:
        """Return the shape of a row with room for this number of positions."""
        return tuple(positions if isinstance(size, str) else size for size in self.shape)


class Graph:
    """Nodes, inputs and outputs by name, and the weights: in single precision, or 8 bits in blocks of 32.

    `arithmetic` is the precision of the products with weights of 8 bits. In 8 bits, the other factor is rounded too; in
    32 bits (single precision), the same rounded weights are multiplied exactly. By default it equals `bits`.

    Operations take and return names of values.
    """

    def __init__(self, bits: int = 32, arithmetic: int | None = None) -> None:
        self.bits = bits
        self.arithmetic = bits if arithmetic is None else arithmetic
        self.weights: dict[str, NDArray[Any]] = {}
        self.caches: list[Cached] = []
        """The arrays that are carried from pass to pass."""
        self._nodes: list[Any] = []
        self._small: list[Any] = []
        self._inputs: dict[str, Any] = {}
        self._outputs: list[Any] = []
        self._count = 0

    # Constants, inputs, outputs.

    def constant(self, value: Any) -> str:
        """Add an array or a tensor and return its name; small ones are stored in the graph itself."""
        array = np.asarray(value.detach().cpu().numpy() if isinstance(value, Tensor) else value, order="C")
        self._count += 1
        name = f"constant_{self._count}"
        if array.nbytes <= _SMALL:
            self._small.append(numpy_helper.from_array(array, name))
        else:
            self.weights[name] = array
        return name

    def windows(self, longest: int) -> str:
        """Return the input windows_BTL; all networks of a graph share one length."""
        return self._input("windows", TensorProto.INT64, ["B", "T", longest])

    def positions(self) -> str:
        """Return the input positions_BT of the new tokens."""
        return self._input("positions", TensorProto.INT64, ["B", "T"])

    def output(self, name: str, value: str, shape: list[Any]) -> None:
        """Make a value an output of the graph under this name, in single precision."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    # Arithmetic and shapes.

    def add(self, a: str, b: str) -> str:
        """Return `a + b`, broadcast."""
        return self._node("Add", a, b)

    def multiply(self, a: str, b: str) -> str:
        """Return `a * b`, broadcast."""
        return self._node("Mul", a, b)

    def remainder(self, a: str, b: str) -> str:
        """Return `a` modulo `b`, with the sign of `b`, broadcast."""
        return self._node("Mod", a, b)

    def log(self, x: str) -> str:
        """Return the natural logarithm of every element."""
        return self._node("Log", x)

    def softmax(self, x: str) -> str:
        """Return the softmax over the last axis."""
        return self._node("Softmax", x, axis=-1)

    def mean(self, values: Sequence[str]) -> str:
        """Return the mean of several values of one shape, element by element."""
        return self._node("Mean", *values)

    def sum(self, x: str, axis: int) -> str:
        """Return the sum over an axis, which is removed."""
        return self._node("ReduceSum", x, self.constant(np.array([axis])), keepdims=0)

    def concatenate(self, values: Sequence[str]) -> str:
        """Join values along the last axis."""
        return self._node("Concat", *values, axis=-1)

    def select(self, x: str, axis: int, index: int) -> str:
        """Return the slice of `x` at `index` of an axis, which is removed."""
        return self._node("Gather", x, self.constant(np.int64(index)), axis=axis)

    def squeeze(self, x: str, axis: int) -> str:
        """Remove an axis of length 1."""
        return self._node("Squeeze", x, self.constant(np.array([axis])))

    def transpose(self, x: str) -> str:
        """Swap the two axes of a matrix."""
        return self._node("Transpose", x, perm=(1, 0))

    def reshape(self, x: str, *shape: int) -> str:
        """Return `x` in another shape; 0 keeps an axis, -1 takes the rest."""
        return self._node("Reshape", x, self.constant(np.array(shape, dtype=np.int64)))

    def split(self, x: str, sizes: Sequence[int]) -> list[str]:
        """Split the last axis into parts of these sizes."""
        others = [f"{x}_{number}" for number in range(1, len(sizes))]
        return [self._node("Split", x, self.constant(np.array(sizes)), also=others, axis=-1), *others]

    # Layers.

    def token_ids(self, longest: int) -> str:
        """Return ids_BT of the new tokens, from `windows(longest)`."""
        windows_BTL = self.windows(longest)
        return self.reshape(windows_BTL, 0, -1) if longest == 1 else self.select(windows_BTL, 2, longest - 1)

    def embedding(self, ids: str, table: str) -> str:
        """Return the rows of a table, a constant, that belong to the ids."""
        return self._node("Gather", table, ids)

    def linear(self, x: str, layer: nn.Linear) -> str:
        """Apply a linear layer to the last axis."""
        return self.affine(x, layer.weight, layer.bias)

    def affine(self, x: str, weight_OI: Tensor, bias_O: Tensor | None) -> str:
        """Multiply the last axis by a matrix and add a bias."""
        result = self._times(x, weight_OI)
        return result if bias_O is None else self.add(result, self.constant(bias_O))

    def head(self, x_BI: str, layer: nn.Linear, embedding: nn.Embedding, table: str) -> str:
        """Apply the output matrix; one that is tied to the embedding shares its constant, `table`."""
        if self.bits != 32:
            return self.linear(x_BI, layer)
        name = table if layer.weight is embedding.weight else self.constant(layer.weight)
        bias = () if layer.bias is None else (self.constant(layer.bias),)
        return self._node("Gemm", x_BI, name, *bias, transB=1)

    def norm(self, x: str, module: nn.Module) -> str:
        """Apply a LayerNorm or RMSNorm over the last axis."""
        kind, scale, epsilon = self._norm(module)
        return self._node(kind, x, *scale, axis=-1, epsilon=epsilon)

    def norm_of_sum(self, x: str, added: str, module: nn.Module) -> tuple[str, str]:
        """Return the norm of `x + added`, and that sum."""
        kind, scale, epsilon = self._norm(module)
        total = f"sum_{self._count}"
        also = ("", "", total)
        return self._node(f"Skip{kind}", x, added, *scale, also=also, domain=_CONTRIB, epsilon=epsilon), total

    def rms_norm(self, x: str, gain: Any, epsilon: float) -> str:
        """Return `x` divided by its root mean square over the last axis, times `gain`."""
        return self._node("SimplifiedLayerNormalization", x, self.constant(gain), axis=-1, epsilon=epsilon)

    def relu(self, x: str) -> str:
        """Return max(x, 0)."""
        return self._node("Relu", x)

    def squared_relu(self, x: str) -> str:
        """Return the square of max(x, 0)."""
        positive = self.relu(x)
        return self.multiply(positive, positive)

    def gelu(self, x: str) -> str:
        """Return the GELU of `x`, in its approximation by tanh."""
        return self._node("FastGelu", x, domain=_CONTRIB)

    def swiglu(self, x: str, gate: nn.Linear, up: nn.Linear) -> str:
        """Return SiLU(gate(x)) * up(x)."""
        # One product instead of two: a call takes as long as a small product.
        bias = None if gate.bias is None else torch.cat((gate.bias, up.bias))
        together = self.affine(x, torch.cat((gate.weight, up.weight)), bias)
        gates, hidden = self.split(together, [gate.out_features, up.out_features])
        return self.multiply(self._node("QuickGelu", gates, domain=_CONTRIB, alpha=1.0), hidden)

    def rotary(self, cosines_TK: Tensor, sines_TK: Tensor) -> tuple[str, str]:
        """Add the tables of rotary positions (`layers.rotary_tables`) for `attention`; return their names."""
        # onnxruntime takes one half, without the sign, as wide as half of a widened head.
        half = cosines_TK.shape[1] // 2
        halves = (cosines_TK[:, :half], sines_TK[:, half:])
        cosines, sines = (self.constant(F.pad(table, (0, -half % (_HEAD_MULTIPLE // 2)))) for table in halves)
        return cosines, sines

    def attention(
        self,
        x_BTD: str,
        projections: tuple[nn.Linear, nn.Linear, nn.Linear, nn.Linear],
        heads: int,
        key_value_heads: int,
        query_key_epsilon: float | None,
        rotary: tuple[str, str] | None,
    ) -> str:
        """Apply causal self-attention with grouped key/value heads, which declares a cache of keys and of values.

        `projections` are those of queries, keys, values and output. Queries and keys pass an RMSNorm without gain if
        `query_key_epsilon` is given, and are rotated if `rotary` is (the names that the method `rotary` returns).
        """
        *inner, output = projections
        head_width = output.in_features // heads
        width = -(-head_width // _HEAD_MULTIPLE) * _HEAD_MULTIPLE
        counts = (heads, key_value_heads, key_value_heads)
        wider = [
            _widen(layer, count, width, halves=halves)
            for layer, count, halves in zip(inner, counts, (True, True, False), strict=True)
        ]
        biases = [bias for _, bias in wider if bias is not None]
        # One product where training has three: a call takes as long as a small product.
        together = self.affine(x_BTD, torch.cat([weight for weight, _ in wider]), torch.cat(biases) if biases else None)
        parts = (together, "", "")
        if query_key_epsilon is not None:
            queries, keys, values = self.split(together, [count * width for count in counts])
            queries = self._head_norm(queries, heads, head_width, width, query_key_epsilon)
            keys = self._head_norm(keys, key_value_heads, head_width, width, query_key_epsilon)
            parts = (queries, keys, values)
        (keys_in, keys_out), (values_in, values_out) = (self._cache((key_value_heads, "P", width)) for _ in range(2))
        mixed = self._node(
            "GroupQueryAttention",
            *(*parts, keys_in, values_in, *self._lengths(), *(rotary or ())),
            also=(keys_out, values_out),
            domain=_CONTRIB,
            num_heads=heads,
            kv_num_heads=key_value_heads,
            do_rotary=int(rotary is not None),
            scale=head_width**-0.5,
        )
        columns = output.weight.reshape(len(output.weight), heads, -1)
        return self.affine(mixed, F.pad(columns, (0, width - head_width)).flatten(1), output.bias)

    def lstm(self, x_TBI: str, module: nn.RNNBase) -> str:
        """Apply all layers of an LSTM, each with a cache of its state; return features_BW of the latest position."""
        # ONNX orders the gates input, output, forget, cell; torch input, forget, cell, output.
        return self._recurrent("LSTM", x_TBI, module, gates=(0, 3, 1, 2), states=2)

    def gru(self, x_TBI: str, module: nn.RNNBase) -> str:
        """Apply all layers of a GRU, each with a cache of its state; return features_BW of the latest position."""
        # ONNX orders the gates update, reset, new; torch reset, update, new.
        return self._recurrent("GRU", x_TBI, module, gates=(1, 0, 2), states=1, linear_before_reset=1)

    # Internals of this dialect.

    def _node(
        self, kind: str, *inputs: str, result: str = "", also: Sequence[str] = (), domain: str = "", **attributes: Any
    ) -> str:
        """Add a node and return the name of its first output, `result` if that is given; `also` names the others.

        An empty name stands for an input that is left out.
        """
        self._count += 1
        name = result or f"{kind}_{self._count}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name, *also], domain=domain, **attributes))
        return name

    def _input(self, name: str, kind: Any, shape: list[Any]) -> str:
        """Declare an input, once; returns its name."""
        if name not in self._inputs:
            self._inputs[name] = helper.make_tensor_value_info(name, kind, shape)
        return name

    def _lengths(self) -> tuple[str, str]:
        """Return the inputs lengths_B and total of a transformer."""
        return self._input("lengths", TensorProto.INT32, ["B"]), self._input("total", TensorProto.INT32, [1])

    def _cache(self, shape: tuple[int | str, ...], before: tuple[int, ...] = ()) -> tuple[str, str]:
        """Declare an array that is carried from pass to pass; return the names of its input and its output.

        `shape` is that of a row, where "P" stands for the capacity of the caller's memory; `before` are axes of length
        1 before the rows. Input and output may share memory: the graph reads a cache before it writes it.
        """
        name = f"cache_{len(self.caches)}"
        self.caches.append(Cached(name, shape, before))
        axes: list[str | int | None] = [*before, "B", *shape]
        self._input(f"{name}_in", TensorProto.FLOAT, axes)
        self._outputs.append(helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, axes))
        return f"{name}_in", f"{name}_out"

    def _times(self, x: str, weight_OI: Tensor) -> str:
        if self.bits == 8:
            bytes_OKI, scales_OK = quantize(weight_OI.detach().cpu().numpy())
            if self.arithmetic != 8:
                rounded_OI = dequantize(bytes_OKI, scales_OK)[:, : weight_OI.shape[1]]
                return self._node("MatMul", x, self.constant(rounded_OI.T))
            sizes: dict[str, Any] = {"K": weight_OI.shape[1], "N": weight_OI.shape[0], "bits": 8, "block_size": BLOCK}
            inputs = (x, self.constant(bytes_OKI), self.constant(scales_OK))
            return self._node("MatMulNBits", *inputs, domain=_CONTRIB, accuracy_level=4, **sizes)
        return self._node("MatMul", x, self.constant(weight_OI.T))

    def _norm(self, module: nn.Module) -> tuple[str, list[str], float]:
        """Return the operator of a norm, the names of gain and bias, and the epsilon."""
        assert isinstance(module, nn.LayerNorm | nn.RMSNorm)
        gain_D = np.ones(module.normalized_shape, np.float32) if module.weight is None else module.weight
        scale = [self.constant(gain_D)]
        if isinstance(module, nn.LayerNorm):
            scale += [] if module.bias is None else [self.constant(module.bias)]
            return "LayerNormalization", scale, module.eps
        return "SimplifiedLayerNormalization", scale, float(module.eps or 0)

    def _head_norm(self, x: str, heads: int, head_width: int, width: int, epsilon: float) -> str:
        """Apply an RMSNorm without gain to each head, widened from `head_width` to `width`."""
        # The zeros that widen a head count in its mean square.
        share = head_width / width
        gain = np.full(width, share**0.5, np.float32)
        return self.reshape(self.rms_norm(self.reshape(x, 0, 0, heads, width), gain, epsilon * share), 0, 0, -1)

    def _recurrent(
        self, kind: str, x_TBI: str, module: nn.RNNBase, gates: Sequence[int], states: int, **attributes: Any
    ) -> str:
        """Add a node for each layer; ONNX has an axis for directions, of length 1 here."""
        for layer in range(module.num_layers):
            weights = [
                torch.cat([getattr(module, f"{name}_l{layer}").detach().chunk(len(gates))[gate] for gate in gates])
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
            arrays = map(self.constant, (weights[0][None], weights[1][None], torch.cat(weights[2:])[None]))
            first, last = zip(*(self._cache((module.hidden_size,), before=(1,)) for _ in range(states)), strict=True)
            sizes = {"hidden_size": module.hidden_size, **attributes}
            y_T1BW = self._node(kind, x_TBI, *arrays, "", *first, also=last, **sizes)
            if layer + 1 < module.num_layers:
                x_TBI = self.squeeze(y_T1BW, 1)
        return self.squeeze(last[0], 0)

    def model(self) -> Any:
        """Return the ONNX model; it refers to the weights by name as external data."""
        large = []
        for name, array in self.weights.items():
            tensor = TensorProto(name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype))
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", "memory"), ("offset", "0"), ("length", str(array.nbytes))):
                tensor.external_data.add(key=key, value=value)
            large.append(tensor)
        graph = helper.make_graph(
            self._nodes, "lilliput", list(self._inputs.values()), self._outputs, [*self._small, *large]
        )
        versions = [helper.make_opsetid("", 17), helper.make_opsetid(_CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=9)


def _widen(layer: nn.Linear, heads: int, width: int, *, halves: bool) -> tuple[Tensor, Tensor | None]:
    """Return weight and bias of a layer for heads of this width, with zeros after each head or each half of it."""
    missing = width - layer.out_features // heads

    def widen(value: Tensor) -> Tensor:
        parts = value.reshape(heads * (2 if halves else 1), -1, *value.shape[1:]).movedim(1, -1)
        return F.pad(parts, (0, missing // (2 if halves else 1))).movedim(-1, 1).flatten(0, 1)

    return widen(layer.weight), None if layer.bias is None else widen(layer.bias)
