"""Texts that join and leave a running batch are those written alone."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.generation.building import lively

from lilliput.errors import GenerationError
from lilliput.generation import (
    CudaGraphBackend,
    Engine,
    OnnxBackend,
    Sampler,
    SamplingSettings,
    Slots,
    Token,
    TorchBackend,
)
from lilliput.generation.filters import only
from lilliput.models import GPTSettings, RecurrentSettings

VOCABULARY, CONTEXT, LONGEST = 11, 12, 20
MODELS = {
    "gpt2": GPTSettings(shape="gpt2", width=32, heads=2),
    "llama": GPTSettings(shape="llama", width=32, heads=2),
    "modern": GPTSettings(width=32, ngrams=3),
    "counts": GPTSettings(width=32, counts=True),
    "planned": GPTSettings(width=24, heads=2, ngrams=4, ngram_rows=64, ensemble=2, counts=True),
    "lstm": RecurrentSettings(width=16),
    "gru": RecurrentSettings(kind="gru", width=16),
}
BACKENDS = ("torch", "onnx", "cuda graph")
SETTINGS = (SamplingSettings(temperature=0), SamplingSettings(temperature=1, top_k=5))


def sampler(number, prompt):
    return Sampler(SETTINGS[number % 2], number, len(prompt))


def alone(backend, number, prompt, length):
    """The tokens of a text that is written by itself."""
    backend, draws = backend(1), sampler(number, prompt)
    tokens = [draws.choose(backend.prefill(0, prompt), prompt)]
    while len(tokens) < length:
        logits_V = backend.decode([tokens[-1].id])[0]
        tokens.append(draws.choose(logits_V, backend.texts[0]))
    return [token.id for token in tokens]


def scheduled(backend, rows, texts):
    """The tokens of texts (prompt, length, steps to wait before it joins), each in the first slot that is free."""
    slots, waiting, holding = Slots(backend(rows)), list(enumerate(texts)), {}
    written, step = [[] for _ in texts], 0
    while waiting or holding:
        while waiting and len(slots.active) < rows and waiting[0][1][2] <= step:
            number, (prompt, _, _) = waiting.pop(0)
            slot, token = slots.add(prompt, sampler(number, prompt))
            assert slot not in holding
            holding[slot] = number
            written[number].append(token.id)
        for slot, number in list(holding.items()):
            if len(written[number]) == texts[number][1]:
                slots.free(slot)
                del holding[slot]
        drawn = slots.step()
        assert sorted(drawn) == sorted(holding) == slots.active
        for slot, token in drawn.items():
            written[holding[slot]].append(token.id)
        step += 1
    return written


@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("name", MODELS)
def test_texts_begun_at_different_steps_are_those_written_alone(name, kind):
    model, generator = lively(MODELS[name], VOCABULARY, CONTEXT), np.random.default_rng(1)
    opened = {
        "torch": partial(TorchBackend, model),
        "onnx": partial(OnnxBackend, Engine(model)),
        "cuda graph": partial(CudaGraphBackend, model),
    }
    backend = opened[kind]
    texts = [
        (generator.integers(0, VOCABULARY, length).tolist(), tokens, start)
        for length, tokens, start in ((3, 17, 0), (15, 4, 0), (1, 20, 2), (7, 9, 3), (2, 1, 5), (12, 15, 6), (5, 8, 6))
    ]
    written = scheduled(backend, 3, texts)
    assert written == [alone(backend, number, prompt, length) for number, (prompt, length, _) in enumerate(texts)]


class Echo(TorchBackend):
    """A backend whose logits follow from the text of a row alone, and from all of it."""

    def __init__(self, rows):
        self.model = lively(GPTSettings(width=8, heads=2), VOCABULARY, CONTEXT)
        self.texts = [[] for _ in range(rows)]

    def prefill(self, row, ids):
        self.texts[row] = list(ids)
        return self._logits(ids)

    def decode(self, tokens):
        for text, token in zip(self.texts, tokens, strict=True):
            text.append(token)
        return np.stack([self._logits(text) for text in self.texts])

    def reorder(self, rows):
        self.texts = [list(self.texts[row]) for row in rows]

    def _logits(self, ids):
        return np.random.default_rng([len(ids), *ids]).normal(size=VOCABULARY).astype(np.float32)


TEXT = st.tuples(
    st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=5), st.integers(1, 8), st.integers(0, 12)
)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.lists(TEXT, max_size=10))
def test_any_schedule_writes_the_texts_written_alone(rows, texts):
    texts = sorted(texts, key=lambda text: text[2])
    written = scheduled(Echo, rows, texts)
    assert written == [alone(Echo, number, prompt, length) for number, (prompt, length, _) in enumerate(texts)]


def test_a_text_that_can_go_no_further_leaves_and_the_others_stay():
    slots = Slots(Echo(2))
    stuck = Sampler(
        SETTINGS[0], 0, 1, [lambda logits_V, ids: logits_V if len(ids) < 2 else only(logits_V, np.array([], int))]
    )
    first, _ = slots.add([1], stuck)
    second, _ = slots.add([2], sampler(0, [2]))
    drawn = slots.step()
    assert isinstance(drawn[first], GenerationError)
    assert isinstance(drawn[second], Token)
    assert slots.active == [second]
    assert list(slots.step()) == [second]


def test_no_more_texts_than_slots():
    slots = Slots(Echo(1))
    slot, _ = slots.add([1], sampler(0, [1]))
    with pytest.raises(GenerationError, match="all 1 slots hold a text: free one"):
        slots.add([1], sampler(0, [1]))
    slots.free(slot)
    slots.free(slot)
    assert slots.step() == {}
    with pytest.raises(GenerationError, match="the prompt holds the id 99"):
        slots.add([99], sampler(0, [99]))
    assert slots.add([1], sampler(0, [1]))[0] == slot
