"""Beam search against a search through everything."""

import itertools

import pytest
import torch
from tests.generation import building

from lilliput.errors import GenerationError
from lilliput.generation import Engine, OnnxBackend, SamplingSettings, TorchBackend, generate, log_probabilities
from lilliput.generation.beam import BeamPrompt, search
from lilliput.generation.filters import ban
from lilliput.models import GPTSettings, RecurrentSettings

VOCABULARY = 5
KINDS = {
    "gpt": GPTSettings(shape="llama", width=32, heads=2),
    "lstm": RecurrentSettings(kind="lstm", width=16),
    "planned": GPTSettings(width=24, heads=2, ngrams=3, ngram_rows=64, ensemble=2, counts=True),
}
EVERY = pytest.mark.parametrize("model_settings", KINDS.values(), ids=KINDS)


def lively(model_settings, context=6):
    return building.lively(model_settings, VOCABULARY, context)


def never(ids):
    return False


def log_probability(model, prompt, ids):
    """Of new tokens that fit the context."""
    with torch.no_grad():
        logs_TV = model(torch.tensor([[*prompt, *ids]]))[0].log_softmax(-1)
    places = range(len(prompt) - 1, len(prompt) + len(ids) - 1)
    return sum(float(logs_TV[place, token]) for place, token in zip(places, ids, strict=True))


@EVERY
@pytest.mark.parametrize("backend", [TorchBackend, lambda model, rows: OnnxBackend(Engine(model), rows)])
def test_enough_beams_find_the_likeliest_of_all(model_settings, backend):
    model, prompt = lively(model_settings), [1, 4]
    every = {ids: log_probability(model, prompt, ids) for ids in itertools.product(range(VOCABULARY), repeat=3)}
    best = sorted(every, key=lambda ids: -every[ids])
    found = search(backend(model, 1), [BeamPrompt(prompt, never)], SamplingSettings(beams=25, max_tokens=3))
    assert [one.ids for one in found] == best[:25]
    assert [one.log_probability for one in found] == pytest.approx([every[ids] for ids in best[:25]], abs=1e-4)


@EVERY
def test_one_beam_takes_the_likeliest_token_every_time_past_the_window(model_settings):
    model = lively(model_settings)
    (found,) = search(TorchBackend(model, 1), [BeamPrompt([1, 4], never)], SamplingSettings(beams=1, max_tokens=20))
    tokens = generate(TorchBackend(model, 1), [[1, 4]], SamplingSettings(temperature=0, max_tokens=20), [1])[0]
    assert list(found.ids) == [token.id for token in tokens]


@EVERY
def test_more_beams_never_find_less_likely_texts_here(model_settings):
    model = lively(model_settings)
    settings = [SamplingSettings(beams=beams, max_tokens=5) for beams in (1, 4, 16, 64)]
    found = [search(TorchBackend(model, 1), [BeamPrompt([2], never)], one)[0] for one in settings]
    best = [round(one.log_probability, 4) for one in found]
    assert best == sorted(best)


def test_texts_that_end_are_ranked_by_length_too():
    model, prompt = lively(KINDS["gpt"]), [1]
    every = [
        ids
        for length in range(1, 5)
        for ids in itertools.product(range(VOCABULARY), repeat=length)
        if 0 not in ids[:-1] and (ids[-1] == 0 or length == 4)
    ]
    for penalty in (0.0, 1.0, 2.5):
        settings = SamplingSettings(beams=125, max_tokens=4, length_penalty=penalty)
        found = search(TorchBackend(model, 1), [BeamPrompt(prompt, lambda ids: ids[-1] == 0)], settings)
        scores = {ids: log_probability(model, prompt, ids) / len(ids) ** penalty for ids in every}
        assert [one.ids for one in found[:20]] == sorted(scores, key=lambda ids: -scores[ids])[:20]
        assert found[0].score == pytest.approx(scores[found[0].ids], abs=1e-4)


def test_groups_differ_where_beams_are_alike():
    model = lively(KINDS["gpt"])
    beam_prompt = BeamPrompt([2], never)
    plain = search(TorchBackend(model, 1), [beam_prompt], SamplingSettings(beams=4, max_tokens=5))
    grouped = SamplingSettings(beams=4, beam_groups=4, diversity=100, max_tokens=5)
    groups = search(TorchBackend(model, 1), [beam_prompt], grouped)
    # With so much diversity each group begins with another token.
    assert len({one.ids[0] for one in groups}) == 4
    assert len({one.ids[0] for one in plain}) < 4
    assert len({one.ids for one in groups}) == 4


def test_filters_act_and_nothing_left_is_an_error():
    model = lively(KINDS["gpt"])
    settings = SamplingSettings(beams=3, max_tokens=4)
    found = search(TorchBackend(model, 1), [BeamPrompt([2], never, [ban([0, 1, 2])])], settings)
    assert all(set(one.ids) <= {3, 4} for one in found)
    with pytest.raises(GenerationError, match="no token to continue with"):
        search(TorchBackend(model, 1), [BeamPrompt([2], never, [ban(range(VOCABULARY))])], settings)


@EVERY
@pytest.mark.parametrize("backend", [TorchBackend, lambda model, rows: OnnxBackend(Engine(model), rows)])
def test_log_probabilities_behind_prompts_of_different_lengths(model_settings, backend):
    model, prompts, ids = lively(model_settings), [[1], [2, 3, 0], [4, 4]], [1, 0, 3]
    found = log_probabilities(backend(model, 3), prompts, [ids] * 3)
    assert found == pytest.approx([log_probability(model, prompt, ids) for prompt in prompts], abs=1e-4)


def test_groups_have_to_divide_the_beams():
    with pytest.raises(ValueError, match="does not divide"):
        SamplingSettings(beams=4, beam_groups=3)
