"""An ONNX graph while a network writes itself into it.

Every architecture has one `emit`: the same operations as its `forward`, for B rows of which each continues what its
keys and values, or its state, hold. The weights stand beside the graph, so that whoever runs or saves it decides how
they are handed over. `GroupQueryAttention`, `SimplifiedLayerNormalization` and `MatMulNBits` are onnxruntime's own
operators (its document ContribOperators); the rest is ONNX's, operator set 17.

The inputs every graph has: `windows_BTL`, for each new token the last L tokens up to and with it (L is 1 unless a
network looks at several at once), for transformers `lengths_B`, the positions of each row with the new ones less one,
`total`, those of the longest row, and for learned positions `positions_BT`.

Axes: B rows, T new positions, L tokens, I inputs and O outputs of a matrix.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

CONTRIB = "com.microsoft"
_BLOCK, _HALF = 32, 128
"""Weights that share a scale, and the zero of unsigned bytes."""
_SMALL = 1024
"""Bytes up to which a constant stands in the graph itself."""


class Cached(NamedTuple):
    """An array that is carried from pass to pass: its name, the shape of a row, and the axes before the rows."""

    name: str
    shape: tuple[int | str, ...]
    before: tuple[int, ...]

    def row(self, positions: int) -> tuple[int, ...]:
        """Return the shape of a row with room for so many positions."""
        return tuple(positions if isinstance(size, str) else size for size in self.shape)


class Graph:
    """Nodes, inputs and outputs by name, and the weights: in single precision, or 8 bits in blocks of 32.

    The `arithmetic` of weights of 8 bits may be that of 8 bits too, for which what they are multiplied by is rounded as
    well, or single precision, which takes the same rounded weights.
    """

    def __init__(self, bits: int = 32, arithmetic: int | None = None) -> None:
        self.bits = bits
        self.arithmetic = bits if arithmetic is None else arithmetic
        self.weights: dict[str, NDArray[Any]] = {}
        self.caches: list[Cached] = []
        """What is carried from one pass to the next."""
        self._nodes: list[Any] = []
        self._small: list[Any] = []
        self._inputs: dict[str, Any] = {}
        self._outputs: list[Any] = []
        self._count = 0

    def put(
        self, kind: str, *inputs: str, result: str = "", also: Sequence[str] = (), domain: str = "", **attributes: Any
    ) -> str:
        """Add a node and return the name of its first output, `result` if that is given; `also` names the others.

        An empty name stands for an input that is left out.
        """
        self._count += 1
        name = result or f"{kind}_{self._count}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name, *also], domain=domain, **attributes))
        return name

    def constant(self, value: Any) -> str:
        """Add an array, small ones in the graph itself, and return its name."""
        array = np.asarray(value.detach().cpu().numpy() if isinstance(value, Tensor) else value, order="C")
        self._count += 1
        name = f"constant_{self._count}"
        if array.nbytes <= _SMALL:
            self._small.append(numpy_helper.from_array(array, name))
        else:
            self.weights[name] = array
        return name

    def input(self, name: str, kind: Any, shape: list[Any]) -> str:
        """Declare an input, once; returns its name."""
        if name not in self._inputs:
            self._inputs[name] = helper.make_tensor_value_info(name, kind, shape)
        return name

    def output(self, name: str, value: str, shape: list[Any]) -> None:
        """Make a value an output of that name, in single precision."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def keys(self, heads: int, width: int) -> tuple[str, str]:
        """Declare keys or values, for as many positions as whoever runs the graph has room for (`cache`)."""
        return self.cache((heads, "P", width))

    def cache(self, shape: tuple[int | str, ...], before: tuple[int, ...] = ()) -> tuple[str, str]:
        """Declare what is carried from pass to pass, of `shape` for each row; return the names of input and output.

        `before` are axes of length 1 before the rows. Whoever runs the graph may give both the same memory: what is
        read is read before it is written.
        """
        name = f"cache_{len(self.caches)}"
        self.caches.append(Cached(name, shape, before))
        axes: list[str | int | None] = [*before, "B", *shape]
        self.input(f"{name}_in", TensorProto.FLOAT, axes)
        self._outputs.append(helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, axes))
        return f"{name}_in", f"{name}_out"

    def windows(self, longest: int) -> str:
        """Return the input windows_BTL; a graph has one length for all of its networks."""
        return self.input("windows", TensorProto.INT64, ["B", "T", longest])

    def shaped(self, value: str, *shape: int) -> str:
        """Return the value in another shape; 0 keeps an axis, -1 takes what is left."""
        return self.put("Reshape", value, self.constant(np.array(shape, dtype=np.int64)))

    def split(self, value: str, sizes: Sequence[int]) -> list[str]:
        """Return the parts of the last axis."""
        others = [f"{value}_{number}" for number in range(1, len(sizes))]
        return [self.put("Split", value, self.constant(np.array(sizes)), also=others, axis=-1), *others]

    def positions(self) -> str:
        """Return the input positions_BT of the new tokens."""
        return self.input("positions", TensorProto.INT64, ["B", "T"])

    def lengths(self) -> tuple[str, str]:
        """Return the inputs lengths_B and total of a transformer."""
        return self.input("lengths", TensorProto.INT32, ["B"]), self.input("total", TensorProto.INT32, [1])

    def linear(self, x: str, layer: nn.Linear) -> str:
        """Return what a linear layer makes of the last axis of `x`."""
        return self.affine(x, layer.weight, layer.bias)

    def affine(self, x: str, weight_OI: Tensor, bias_O: Tensor | None) -> str:
        """Return `x` times a matrix, and a bias added."""
        result = self._times(x, weight_OI)
        return result if bias_O is None else self.put("Add", result, self.constant(bias_O))

    def head(self, x_BI: str, layer: nn.Linear, embedding: nn.Embedding, table: str) -> str:
        """Return what the output matrix makes of x_BI; one that is tied to the embedding is its `table`."""
        if self.bits != 32:
            return self.linear(x_BI, layer)
        name = table if layer.weight is embedding.weight else self.constant(layer.weight)
        bias = () if layer.bias is None else (self.constant(layer.bias),)
        return self.put("Gemm", x_BI, name, *bias, transB=1)

    def _times(self, x: str, weight_OI: Tensor) -> str:
        if self.bits == 8:
            bytes_OKI, scales_OK = blocks(weight_OI.detach().cpu().numpy())
            if self.arithmetic != 8:
                rounded_OI = from_blocks(bytes_OKI, scales_OK)[:, : weight_OI.shape[1]]
                return self.put("MatMul", x, self.constant(rounded_OI.T))
            sizes: dict[str, Any] = {"K": weight_OI.shape[1], "N": weight_OI.shape[0], "bits": 8, "block_size": _BLOCK}
            inputs = (x, self.constant(bytes_OKI), self.constant(scales_OK))
            return self.put("MatMulNBits", *inputs, domain=CONTRIB, accuracy_level=4, **sizes)
        return self.put("MatMul", x, self.constant(weight_OI.T))

    def norm(self, x: str, module: nn.Module) -> str:
        """Return what a norm over the last axis makes of `x`."""
        kind, scale, epsilon = self._norm(module)
        return self.put(kind, x, *scale, axis=-1, epsilon=epsilon)

    def norm_of_sum(self, x: str, added: str, module: nn.Module) -> tuple[str, str]:
        """Return what a norm over the last axis makes of `x + added`, and that sum, in one node."""
        kind, scale, epsilon = self._norm(module)
        total = f"sum_{self._count}"
        also = ("", "", total)
        return self.put(f"Skip{kind}", x, added, *scale, also=also, domain=CONTRIB, epsilon=epsilon), total

    def _norm(self, module: nn.Module) -> tuple[str, list[str], float]:
        """Return the operator of a norm, the names of gain and bias, and what is added to the mean square."""
        assert isinstance(module, nn.LayerNorm | nn.RMSNorm)
        gain_D = np.ones(module.normalized_shape, np.float32) if module.weight is None else module.weight
        scale = [self.constant(gain_D)]
        if isinstance(module, nn.LayerNorm):
            scale += [] if module.bias is None else [self.constant(module.bias)]
            return "LayerNormalization", scale, module.eps
        return "SimplifiedLayerNormalization", scale, float(module.eps or 0)

    def rms_norm(self, x: str, gain: Any, epsilon: float) -> str:
        """Return `x` divided by the root of its mean square over the last axis, times `gain`."""
        return self.put("SimplifiedLayerNormalization", x, self.constant(gain), axis=-1, epsilon=epsilon)

    def model(self) -> Any:
        """Return the ONNX model; the weights are named in it as external data."""
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
        versions = [helper.make_opsetid("", 17), helper.make_opsetid(CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=9)


def blocks(weight_OI: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return a matrix as unsigned bytes, of blocks of 32 along the inputs, and the scale of each block."""
    outputs, inputs = weight_OI.shape
    padded_OI = np.zeros((outputs, -(-inputs // _BLOCK) * _BLOCK), np.float32)
    padded_OI[:, :inputs] = weight_OI
    blocks_OKI = padded_OI.reshape(outputs, -1, _BLOCK)
    scales_OK = np.maximum(np.abs(blocks_OKI).max(-1) / (_HALF - 1), 1e-9).astype(np.float32)
    return (np.rint(blocks_OKI / scales_OK[..., None]) + _HALF).astype(np.uint8), scales_OK


def from_blocks(bytes_OKI: NDArray[np.uint8], scales_OK: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the matrix that bytes and scales of `blocks` stand for, its inputs filled up to whole blocks."""
    rounded_OI: NDArray[np.float32] = (bytes_OKI.astype(np.float32) - _HALF) * scales_OK[..., None]
    return rounded_OI.reshape(len(bytes_OKI), -1)
