"""Weights of 8 bits: unsigned bytes in blocks along the inputs, each block with a scale, as onnxruntime stores them.

Axes: O outputs, I inputs, K blocks of `BLOCK` inputs.
"""

import numpy as np
from numpy.typing import NDArray

BLOCK = 32
"""Number of weights that share a scale."""
_ZERO = 128
"""The byte that stands for zero."""


def quantize(weight_OI: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return bytes_OKI and scales_OK of a matrix; zeros fill the last block."""
    outputs, inputs = weight_OI.shape
    padded_OI = np.zeros((outputs, -(-inputs // BLOCK) * BLOCK), np.float32)
    padded_OI[:, :inputs] = weight_OI
    blocks_OKI = padded_OI.reshape(outputs, -1, BLOCK)
    scales_OK = np.maximum(np.abs(blocks_OKI).max(-1) / (_ZERO - 1), 1e-9).astype(np.float32)
    return (np.rint(blocks_OKI / scales_OK[..., None]) + _ZERO).astype(np.uint8), scales_OK


def dequantize(bytes_OKI: NDArray[np.uint8], scales_OK: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the matrix of these bytes and scales, with its inputs padded to whole blocks."""
    rounded_OI: NDArray[np.float32] = (bytes_OKI.astype(np.float32) - _ZERO) * scales_OK[..., None]
    return rounded_OI.reshape(len(bytes_OKI), -1)
