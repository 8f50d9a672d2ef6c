"""Texts that begin like earlier ones: the same logits, from fewer positions read."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.generation.building import assert_alike, go_on_alike, lively
from tests.models.test_models import any_settings

from lilliput.generation import Engine, EngineReading, TorchReading
from lilliput.generation.engine import _Inputs
from lilliput.generation.prefixes import MOST, Prefixes
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
    readings = EngineReading(engine, rows), TorchReading(model, rows)
    for keep, more in changes:
        for row in range(rows):
            ids = [*text[:keep], *more]
            np.testing.assert_allclose(*(reading.begin(row, ids) for reading in readings), atol=1e-4)
        go_on_alike(readings, VOCABULARY, 3, generator)


def test_a_prompt_that_is_known_is_not_read_again(monkeypatch):
    read = counted(monkeypatch)
    prompt = [number % VOCABULARY for number in range(20)]
    for model_settings in (GPTSettings(), GPTSettings(counts=True, ngrams=3), RecurrentSettings()):
        engine = Engine(lively(model_settings, VOCABULARY, CONTEXT))
        reading = EngineReading(engine, 3)
        del read[:]
        first = [reading.begin(row, prompt).copy() for row in range(3)]
        assert read == [20]
        assert np.array_equal(first[0], first[1])
        assert np.array_equal(first[0], first[2])
        again = EngineReading(engine, 1)
        again.begin(0, [*prompt, 1, 2])
        assert read == [20, 2]


def test_a_transformer_takes_up_part_of_a_text_and_a_state_does_not(monkeypatch):
    read = counted(monkeypatch)
    prompt = [number % VOCABULARY for number in range(20)]
    other = [*prompt[:15], 6, 6, 6, 6, 6]
    for model_settings, expected in ((GPTSettings(), [20, 5, 1]), (RecurrentSettings(), [20, 20, 12])):
        reading = EngineReading(Engine(lively(model_settings, VOCABULARY, CONTEXT)), 1)
        del read[:]
        for ids in (prompt, other, prompt[:12]):
            reading.begin(0, ids)
        assert read == expected


def test_rows_with_long_prompts_that_begin_alike_slide_as_others_do():
    model = lively(GPTSettings(ngrams=3), VOCABULARY, CONTEXT)
    readings = EngineReading(Engine(model), 2), TorchReading(model, 2)
    for reading in readings:
        reading.begin(0, [1] * 20)
    assert_alike(readings, (20, 21), VOCABULARY, CONTEXT, np.random.default_rng(3))


def test_only_the_latest_are_held():
    prefixes, caches = Prefixes(positions=False), [np.ones((1, 2), np.float32)]
    for first in range(MOST + 1):
        prefixes.put([first] * 3, caches, caches)
    assert prefixes.take([0] * 3, caches) == (0, ())
    assert prefixes.take([MOST] * 3, caches)[0] == 3


def test_they_take_no_more_than_their_room(monkeypatch):
    monkeypatch.setattr("lilliput.generation.prefixes.ROOM", 100)
    prefixes, caches = Prefixes(positions=False), [np.ones((1, 10), np.float32)]
    for first in range(3):
        prefixes.put([first] * 3, caches, ())
    assert [prefixes.take([first] * 3, caches)[0] for first in range(3)] == [0, 3, 3]
    prefixes.put([4] * 3, [np.ones((1, 1000), np.float32)], ())
    assert prefixes.take([4] * 3, [np.ones((1, 1000), np.float32)])[0] == 3
