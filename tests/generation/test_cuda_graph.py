"""Steps that can be recorded, done without a record; and the way back where there is none."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from tests.generation.building import assert_alike, go_on_alike
from tests.models.test_models import CONTEXT, VOCABULARY, any_settings, lively

from lilliput.generation import CudaGraphBackend, SamplingSettings, TorchBackend, can_record_steps, generate
from lilliput.generation.backends import cuda_graph
from lilliput.models import GPTSettings, RecurrentSettings


@settings(max_examples=40, deadline=None)
@given(any_settings)
def test_every_option_comes_to_the_same_logits(model_settings):
    model = lively(model_settings)
    backends, generator = (TorchBackend(model, 2), CudaGraphBackend(model, 2)), np.random.default_rng(0)
    assert_alike(backends, (2, 5), VOCABULARY, CONTEXT, generator)
    # The same number of rows, then more, then fewer, and some of those that were left over again.
    for rows in ([1, 0], [1, 1, 0], [2], [0, 0]):
        for backend in backends:
            backend.reorder(rows)
        go_on_alike(backends, VOCABULARY, CONTEXT // 2, generator)


@pytest.mark.parametrize("model_settings", [GPTSettings(width=32, ngrams=3), RecurrentSettings(width=16)])
def test_a_step_reads_and_writes_in_the_same_places(model_settings):
    model = lively(model_settings)
    backend = CudaGraphBackend(model, 2)
    places = []
    for row in (0, 1):
        backend.prefill(row, [1, 2, 3])
    for _ in range(CONTEXT + 3):
        backend.decode([4, 5])
        cache = backend._cache
        held = cache.state if cache.capacity is None else (*cache._keys, *cache._values, cache.latest_BP)
        places.append([part.data_ptr() for part in (*held, backend._tokens_B1)])
    assert places == [places[0]] * len(places)


@pytest.fixture
def records(monkeypatch):
    """The rows of each record that is made; as on a GPU, what a record returns is always in the same place."""
    made, plain = [], CudaGraphBackend._recorded

    def recorded(self):
        made.append(len(self._tokens_B1))
        step = plain(self)
        outputs = [output.clone() for output in step()]
        self._cache.make_static()

        def replay():
            for output, new in zip(outputs, step(), strict=True):
                output.copy_(new)
            return outputs[0], outputs[1]

        return replay

    monkeypatch.setattr(CudaGraphBackend, "_recorded", recorded)
    return made


@pytest.mark.parametrize("model_settings", [GPTSettings(width=32, ngrams=3), RecurrentSettings(width=16)])
def test_texts_that_end_at_different_steps_are_written_with_one_record(model_settings, records):
    model = lively(model_settings)
    lengths = np.random.default_rng(0).permutation(32) + 1
    texts = []
    for backend in (TorchBackend(model, 32), CudaGraphBackend(model, 32)):
        going = dict(enumerate(generate(backend, [[1, 2]] * 32, SamplingSettings(max_tokens=40), range(32))))
        written = [[] for _ in going]
        while going:
            for row, tokens in list(going.items()):
                written[row].append(next(tokens).id)
                if len(written[row]) == lengths[row]:
                    going.pop(row).close()
        texts.append(written)
    assert texts[0] == texts[1]
    assert records == [32]


def test_a_search_makes_no_record_for_fewer_hypotheses_and_one_for_more(records):
    backend = CudaGraphBackend(lively(GPTSettings(width=32)), 1)
    backend.prefill(0, [1, 2])
    for rows in ([0, 0, 0], [2, 0], [0, 1, 1], [1, 0, 0, 2]):
        backend.reorder(rows)
        assert backend.decode([3] * len(rows)).shape == (len(rows), VOCABULARY)
    assert records == [1, 3, 4]


def test_weights_that_change_meanwhile_are_used():
    model = lively(GPTSettings(width=32))
    backends = TorchBackend(model, 1), CudaGraphBackend(model, 1)
    for backend in backends:
        backend.prefill(0, [1])
    with torch.no_grad():
        model.output.weight.mul_(2)
    go_on_alike(backends, VOCABULARY, 3, np.random.default_rng(0))


def test_on_a_processor_nothing_is_replayed():
    notes = []
    assert not can_record_steps(lively(GPTSettings(width=32)), notes.append)
    assert notes == []


class OnGPU:
    """What `can_record_steps` looks at of a model on a GPU."""

    def parameters(self):
        return iter([SimpleNamespace(device=SimpleNamespace(type="cuda"))])


def test_what_cannot_be_recorded_is_told_in_a_line():
    notes = []
    assert not can_record_steps(OnGPU(), notes.append)
    assert len(notes) == 1
    assert notes[0].startswith("steps cannot be recorded on this GPU; using torch without recordings: ")
    assert "\n" not in notes[0]


@pytest.mark.parametrize(("off", "usable"), [(1e-4, True), (0.5, False), (float("nan"), False)])
def test_other_logits_are_told_in_a_line(monkeypatch, off, usable):
    monkeypatch.setattr(cuda_graph, "CudaGraphBackend", lambda model, rows: None)
    monkeypatch.setattr(cuda_graph, "largest_difference", lambda backend: off)
    notes = []
    assert can_record_steps(OnGPU(), notes.append) is usable
    assert [note.partition(" are ")[0] for note in notes] == ([] if usable else ["replayed steps"])
