import numpy as np
import pytest
import torch
from tests.generation import building

from lilliput.errors import GenerationError
from lilliput.generation import CudaGraphBackend, Engine, OnnxBackend, SamplingSettings, TorchBackend
from lilliput.generation import generate as generate_together
from lilliput.generation.filters import softmax
from lilliput.models import GPTSettings, RecurrentSettings

VOCABULARY, CONTEXT = 17, 8
GPT2, LLAMA = GPTSettings(shape="gpt2", width=32), GPTSettings(shape="llama", width=32, key_value_heads=2)
LSTM, GRU = RecurrentSettings(kind="lstm", width=16), RecurrentSettings(kind="gru", width=16, layers=2)
MIXTURE = GPTSettings(shape="llama", width=32, counts=True)
PLANNED = GPTSettings(width=24, heads=2, ngrams=4, ngram_rows=64, ensemble=2, counts=True)
KINDS = {"gpt2": GPT2, "llama": LLAMA, "lstm": LSTM, "gru": GRU, "mixture": MIXTURE, "planned": PLANNED}
EVERY = pytest.mark.parametrize("model_settings", KINDS.values(), ids=KINDS)
BACKENDS = {
    "torch": TorchBackend,
    "onnxruntime": lambda model, rows: OnnxBackend(Engine(model), rows),
    "replayed": CudaGraphBackend,
}
EACH = pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)


def lively(model_settings, context=CONTEXT):
    return building.lively(model_settings, VOCABULARY, context)


def generate(model, prompt, settings, seed, backend=TorchBackend):
    """The tokens of one text."""
    return generate_together(backend(model, 1), [prompt], settings, [seed])[0]


def naive(model, prompt, length, pick):
    """Continue the prompt without any cache; the window that a GPT sees is counted by hand."""
    ids = list(prompt)
    seen = len(ids) if isinstance(model.settings, RecurrentSettings) else min(len(ids), model.context)
    for _ in range(length):
        with torch.no_grad():
            features_BTD = model.features(torch.tensor([ids[-seen:]]), before_BP=torch.tensor([ids[:-seen]]).long())
            logits_V = model.head(features_BTD[:, -1:])[0, 0].numpy()
        token = pick(logits_V)
        yield token, softmax(logits_V)[token]
        ids.append(token)
        seen += 1
        if isinstance(model.settings, GPTSettings) and seen > model.context:
            seen = max(1, model.context // 2)


@EVERY
@EACH
@pytest.mark.parametrize("prompt_length", [1, 5, CONTEXT, 3 * CONTEXT + 1])
def test_temperature_zero_is_the_argmax_of_uncached_passes_past_the_window(model_settings, prompt_length, backend):
    model = lively(model_settings)
    prompt = [id_ % VOCABULARY for id_ in range(3, 3 + prompt_length)]
    tokens = list(generate(model, prompt, SamplingSettings(temperature=0, max_tokens=30), 0, backend))
    expected = list(naive(model, prompt, 30, lambda logits_V: int(np.argmax(logits_V))))
    assert [token.id for token in tokens] == [id_ for id_, _ in expected]
    assert [token.probability for token in tokens] == pytest.approx([probability for _, probability in expected], 1e-4)


@EVERY
def test_a_seed_gives_the_same_text_alone_and_among_others(model_settings):
    model, settings = lively(model_settings), SamplingSettings(max_tokens=25, temperature=1.0)
    alone = list(generate(model, [1, 2], settings, seed=7))
    first, second = generate(model, [1, 2], settings, seed=7), generate(model, [3], settings, seed=8)
    interleaved = [(a, b) for a, b in zip(first, second, strict=True)]
    assert [a for a, _ in interleaved] == alone
    assert [b for _, b in interleaved] == list(generate(model, [3], settings, seed=8))
    assert alone != list(generate(model, [1, 2], settings, seed=9))


@EVERY
@EACH
def test_texts_of_a_batch_are_those_written_alone(model_settings, backend):
    model, settings = lively(model_settings), SamplingSettings(max_tokens=25, temperature=1.0)
    prompts, seeds = [[1, 2], [3], list(range(12)), [5] * 7], [7, 8, 9, 7]
    alone = [list(generate(model, ids, settings, seed)) for ids, seed in zip(prompts, seeds, strict=True)]
    together = generate_together(backend(model, 4), prompts, settings, seeds)
    # Two end early, one of them before it has begun; the others are asked in turn.
    found = [[], [next(together[1]) for _ in range(9)], [], []]
    together[1].close()
    together[2].close()
    for _ in range(25):
        for text in (0, 3):
            found[text].append(next(together[text]))
    for text, length in ((0, 25), (1, 9), (2, 0), (3, 25)):
        assert [token.id for token in found[text]] == [token.id for token in alone[text][:length]]
        expected = [token.probability for token in alone[text][:length]]
        assert [token.probability for token in found[text]] == pytest.approx(expected, 1e-4)
    assert next(together[0], None) is None


@EVERY
def test_an_engine_gives_the_logits_of_its_model(model_settings):
    model = lively(model_settings)
    backends = TorchBackend(model, 3), OnnxBackend(Engine(model), 3)
    generator = np.random.default_rng(4)
    building.assert_alike(backends, (1, 10, 19), VOCABULARY, 10, generator)
    for backend in backends:
        backend.reorder([2, 0, 0, 1])
    building.go_on_alike(backends, VOCABULARY, 2 * CONTEXT, generator)


def test_draws_follow_the_probabilities_of_the_model():
    model, settings = lively(GPT2), SamplingSettings(temperature=1, max_tokens=1)
    with torch.no_grad():
        expected_V = model(torch.tensor([[4, 2]]))[0, -1].softmax(-1).numpy() * 2000
    counts_V = np.bincount([next(generate(model, [4, 2], settings, seed)).id for seed in range(2000)], minlength=17)
    # The 99.9 % point of chi-square for 16 degrees of freedom.
    assert ((counts_V - expected_V) ** 2 / expected_V).sum() < 39.3


def test_top_k_bounds_what_is_drawn():
    model = lively(GPT2)
    with torch.no_grad():
        likeliest = model(torch.tensor([[4, 2]]))[0, -1].topk(2).indices.tolist()
    settings = SamplingSettings(temperature=1, top_k=2, max_tokens=1)
    assert {next(generate(model, [4, 2], settings, seed)).id for seed in range(60)} == set(likeliest)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_and_the_global_generator_are_left_alone(training):
    model = lively(GPTSettings(width=32, dropout=0.5)).train(training)
    next(model.children()).eval()  # a frozen part
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    tokens = []
    for token in generate(model, [1], SamplingSettings(max_tokens=12), 3):
        assert [module.training for module in model.modules()] == modes
        tokens.append(token)
    assert torch.equal(torch.get_rng_state(), state)
    assert tokens == list(generate(model.eval(), [1], SamplingSettings(max_tokens=12), seed=3))


def test_the_model_still_learns_between_two_tokens():
    model = lively(GPT2).train()
    tokens = generate(model, [1], SamplingSettings(max_tokens=3), seed=3)
    next(tokens)
    model(torch.tensor([[1, 2]])).sum().backward()
    assert model.embedding.weight.grad is not None
    assert len(list(tokens)) == 2


def test_only_the_latest_context_of_a_long_prompt_counts_for_a_gpt_and_all_of_it_for_an_lstm():
    settings = SamplingSettings(max_tokens=4, temperature=0)
    tail = [1, 2, 3, 4, 5, 6, 7, 8]
    texts = {}
    for model_settings in (GPT2, LSTM):
        model = lively(model_settings)
        texts[model_settings.kind] = [list(generate(model, [first, *tail], settings, 0)) for first in (0, 9)]
    assert texts["gpt"][0] == texts["gpt"][1]
    assert texts["lstm"][0] != texts["lstm"][1]


def test_a_context_of_one_still_generates():
    assert len(list(generate(lively(GPT2, context=1), [1, 2], SamplingSettings(max_tokens=5), seed=0))) == 5


@pytest.mark.parametrize(
    ("prompt", "message"), [([], "prompt is empty"), ([1, 17], "id 17, the vocabulary ends at 16"), ([-1], "id -1")]
)
def test_an_impossible_prompt_is_refused_at_the_call(prompt, message):
    with pytest.raises(GenerationError, match=message):
        generate(lively(GPT2), prompt, SamplingSettings(), seed=0)


def test_a_network_with_broken_weights_is_an_error():
    model = lively(GPT2)
    with torch.no_grad():
        model.norm.weight.fill_(float("nan"))
    with pytest.raises(GenerationError, match="not finite"):
        list(generate(model, [1], SamplingSettings(), seed=0))


def test_numpy_ids_are_a_prompt():
    model, settings = lively(GPT2), SamplingSettings(max_tokens=3)
    prompt = np.array([1, 2], dtype=np.uint16)
    assert list(generate(model, prompt, settings, 0)) == list(generate(model, [1, 2], settings, 0))
