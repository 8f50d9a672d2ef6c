"""Texts that begin like earlier ones: the same logits, from fewer positions read."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.generation.building import assert_alike, go_on_alike, lively
from tests.models.test_models import any_settings

from lilliput.generation import Engine, OnnxBackend, TorchBackend
from lilliput.generation.backends.engine import _Inputs
from lilliput.generation.backends.prompt_cache import MOST, PromptCache
from lilliput.models import GPTSettings, RecurrentSettings

VOCABULARY, CONTEXT = 7, 24
ID = st.integers(0, VOCABULARY - 1)


def counted(monkeypatch):
    """Return a list to which every pass adds the tokens that it reads."""
    read, fill_row = [], _Inputs.fill_row

    def told(self, engine, row, ids, held):
        read.append(self.windows_BTL.shape[1])
        fill_row(self, engine, row, ids, held)

    monkeypatch.setattr(_Inputs, "fill_row", told)
    return read


@settings(max_examples=40, deadline=None)
@given(
    any_settings,
    st.lists(ID, min_size=1, max_size=CONTEXT + 8),
    st.lists(st.tuples(st.integers(1, CONTEXT + 8), st.lists(ID, max_size=6)), min_size=2, max_size=5),
    st.integers(1, 3),
)
def test_what_begins_alike_comes_to_the_same(model_settings, text, changes, rows):
    model = lively(model_settings, VOCABULARY, CONTEXT)
    engine, generator = Engine(model), np.random.default_rng(0)
    backends = OnnxBackend(engine, rows), TorchBackend(model, rows)
    for keep, more in changes:
        for row in range(rows):
            ids = [*text[:keep], *more]
            np.testing.assert_allclose(*(backend.prefill(row, ids) for backend in backends), atol=1e-4)
        go_on_alike(backends, VOCABULARY, 3, generator)


def test_a_prompt_that_is_known_is_not_read_again(monkeypatch):
    read = counted(monkeypatch)
    prompt = [number % VOCABULARY for number in range(20)]
    for model_settings in (GPTSettings(), GPTSettings(counts=True, ngrams=3), RecurrentSettings()):
        engine = Engine(lively(model_settings, VOCABULARY, CONTEXT))
        backend = OnnxBackend(engine, 3)
        del read[:]
        first = [backend.prefill(row, prompt).copy() for row in range(3)]
        assert read == [20]
        assert np.array_equal(first[0], first[1])
        assert np.array_equal(first[0], first[2])
        again = OnnxBackend(engine, 1)
        again.prefill(0, [*prompt, 1, 2])
        assert read == [20, 2]


def test_a_transformer_takes_up_part_of_a_text_and_a_state_does_not(monkeypatch):
    read = counted(monkeypatch)
    prompt = [number % VOCABULARY for number in range(20)]
    other = [*prompt[:15], 6, 6, 6, 6, 6]
    for model_settings, expected in ((GPTSettings(), [20, 5, 1]), (RecurrentSettings(), [20, 20, 12])):
        backend = OnnxBackend(Engine(lively(model_settings, VOCABULARY, CONTEXT)), 1)
        del read[:]
        for ids in (prompt, other, prompt[:12]):
            backend.prefill(0, ids)
        assert read == expected


def test_rows_with_long_prompts_that_begin_alike_slide_as_others_do():
    model = lively(GPTSettings(ngrams=3), VOCABULARY, CONTEXT)
    backends = OnnxBackend(Engine(model), 2), TorchBackend(model, 2)
    for backend in backends:
        backend.prefill(0, [1] * 20)
    assert_alike(backends, (20, 21), VOCABULARY, CONTEXT, np.random.default_rng(3))


def test_only_the_latest_are_held():
    prompt_cache, caches = PromptCache(positions=False), [np.ones((1, 2), np.float32)]
    for first in range(MOST + 1):
        prompt_cache.store([first] * 3, caches, caches)
    assert prompt_cache.restore([0] * 3, caches) == (0, ())
    assert prompt_cache.restore([MOST] * 3, caches)[0] == 3


def test_they_take_no_more_than_their_room(monkeypatch):
    monkeypatch.setattr("lilliput.generation.backends.prompt_cache.ROOM", 100)
    prompt_cache, caches = PromptCache(positions=False), [np.ones((1, 10), np.float32)]
    for first in range(3):
        prompt_cache.store([first] * 3, caches, ())
    assert [prompt_cache.restore([first] * 3, caches)[0] for first in range(3)] == [0, 3, 3]
    prompt_cache.store([4] * 3, [np.ones((1, 1000), np.float32)], ())
    assert prompt_cache.restore([4] * 3, [np.ones((1, 1000), np.float32)])[0] == 3
