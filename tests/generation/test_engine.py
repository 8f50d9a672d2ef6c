"""What an engine does that the model itself does not: every option as a graph, 8 bits, and the way back."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from tests.generation.building import assert_alike
from tests.models.test_models import CONTEXT, VOCABULARY, any_settings, lively

from lilliput.generation import Engine, OnnxBackend, TorchBackend, load_engine
from lilliput.models import GPTSettings, RecurrentSettings
from lilliput.models.graph import Graph
from lilliput.models.quantization import dequantize, quantize


@settings(max_examples=40, deadline=None)
@given(any_settings)
def test_every_option_comes_to_the_same_logits(model_settings):
    model = lively(model_settings)
    with pytest.MonkeyPatch.context() as patch:
        # So that room has to be made for longer texts.
        patch.setattr("lilliput.generation.backends.engine._ROOM", 3)
        backends = TorchBackend(model, 2), OnnxBackend(Engine(model), 2)
        assert_alike(backends, (2, 5), VOCABULARY, CONTEXT, np.random.default_rng(0))


@pytest.mark.parametrize("shape", [(5, 32), (7, 40), (3, 1)])
def test_blocks_are_the_matrix_to_half_a_step(shape):
    weight_OI = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    bytes_OKI, scales_OK = quantize(weight_OI)
    again = dequantize(bytes_OKI, scales_OK)
    step = np.repeat(scales_OK, 32, 1)
    assert (np.abs(again[:, : shape[1]] - weight_OI) <= step[:, : shape[1]] * 0.5001).all()
    assert np.array_equal(again[:, shape[1] :], np.zeros_like(again[:, shape[1] :]))


@pytest.mark.parametrize("shape", ["gpt2", "llama", "modern"])
def test_eight_bits_are_near_and_half_the_size_is_enough(shape):
    model = lively(GPTSettings(shape=shape, width=64, heads=2))
    exact, rounded = Engine(model), Engine(model, bits=8)
    found = [OnnxBackend(engine, 1).prefill(0, [1, 2, 3]) for engine in (exact, rounded)]
    assert 0 < np.linalg.norm(found[0] - found[1]) < 0.1 * np.linalg.norm(found[0])
    sizes = [sum(array.nbytes for array in engine._weights.values()) for engine in (exact, rounded)]
    assert sizes[1] < 0.5 * sizes[0]


def clock_of(*seconds):
    """A clock by which the steps that are timed take these seconds in turn."""
    turn, now = itertools.cycle(seconds), itertools.count()
    total = 0.0

    def read():
        nonlocal total
        if next(now) % 2:
            total += next(turn)
        return total

    return read


@pytest.mark.parametrize(
    ("in_8", "in_32", "texts", "used", "said"),
    [
        (1, 2, 1, 8, "one text: 8-bit arithmetic, 1 tokens/s on this machine (32-bit: 0 tokens/s)"),
        (0.02, 0.01, 4, 32, "4 texts at once: 32-bit arithmetic, 400 tokens/s on this machine (8-bit: 200 tokens/s)"),
        # Nearly equal times do not decide what is written.
        (0.011, 0.010, 2, 8, "2 texts at once: 8-bit arithmetic, 182 tokens/s on this machine (32-bit: 200 tokens/s)"),
    ],
)
def test_eight_bits_are_multiplied_in_the_faster_arithmetic(in_8, in_32, texts, used, said):
    notes = []
    engine = load_engine(lively(GPTSettings(width=32)), notes.append, 8, texts, clock_of(in_8, in_32))
    assert engine.arithmetic == used
    assert notes == [f"8 bits: {said}"]


def test_single_precision_multiplies_the_rounded_weights():
    # A head is as wide as a block, so that blocks end where heads do.
    model = lively(GPTSettings(shape="llama", width=64, heads=2, tied=False))
    logits_V = OnnxBackend(Engine(model, bits=8, arithmetic=32), 1).prefill(0, [1, 2, 3])
    exact_V = OnnxBackend(Engine(model), 1).prefill(0, [1, 2, 3])
    with torch.no_grad():
        for name, matrix_OI in model.named_parameters():
            if matrix_OI.ndim == 2 and name != "embedding.weight":
                rounded_OI = dequantize(*quantize(matrix_OI.numpy()))[:, : matrix_OI.shape[1]]
                matrix_OI.copy_(torch.from_numpy(rounded_OI))
    rounded_V = OnnxBackend(Engine(model), 1).prefill(0, [1, 2, 3])
    np.testing.assert_allclose(logits_V, rounded_V, atol=1e-5)
    assert np.abs(exact_V - rounded_V).max() > 1e-3


def test_a_working_engine_is_loaded_without_a_word():
    notes = []
    assert isinstance(load_engine(lively(RecurrentSettings(width=8)), notes.append), Engine)
    assert notes == []


def test_what_onnxruntime_lacks_is_told_in_a_line(monkeypatch):
    monkeypatch.setattr(Graph, "squared_relu", lambda self, x: self._node("Unheard", x))
    notes = []
    assert load_engine(lively(GPTSettings(width=8, heads=2)), notes.append) is None
    assert len(notes) == 1
    assert notes[0].startswith("onnxruntime cannot run this model; using torch: ")
    assert "Unheard" in notes[0]
    assert "\n" not in notes[0]


def test_other_logits_are_told_in_a_line(monkeypatch):
    monkeypatch.setattr(
        Graph, "affine", lambda self, x, weight, bias: self._node("MatMul", x, self.constant(weight.T * 1.01))
    )
    notes = []
    assert load_engine(lively(GPTSettings(shape="gpt2", width=32, heads=2)), notes.append) is None
    assert len(notes) == 1
    assert "; using torch" in notes[0]
