"""Properties of every network: cached = uncached, causal, independent rows, dropout only during training."""

import copy
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lilliput.errors import GenerationError, RecipeError
from lilliput.models import GPTSettings, RecurrentSettings, build, building, count_parameters
from lilliput.models.settings import ARCHITECTURES, KINDS

VOCABULARY, CONTEXT = 11, 12


@st.composite
def gpt_settings(draw):
    heads, head_width = draw(st.sampled_from([1, 2, 4])), draw(st.sampled_from([4, 6]))
    return GPTSettings(
        shape=draw(st.sampled_from(["gpt2", "llama", "modern"])),
        layers=draw(st.integers(1, 3)),
        width=heads * draw(st.sampled_from([3, head_width])),
        heads=heads,
        head_width=head_width,
        key_value_heads=draw(st.sampled_from([n for n in (1, 2, 4) if heads % n == 0])),
        positions=draw(st.sampled_from(["learned", "rotary"])),
        norm=draw(st.sampled_from(["layer", "rms", "plain_rms"])),
        activation=draw(st.sampled_from(["gelu", "relu", "relu2", "swiglu"])),
        query_key_norm=draw(st.booleans()),
        biases=draw(st.booleans()),
        tied=draw(st.booleans()),
        embedding_norm=draw(st.booleans()),
        ngrams=draw(st.integers(1, 4)),
        ngram_rows=draw(st.sampled_from([5, 64])),
        ngram_dropout=draw(st.sampled_from([0.0, 0.5])),
        dropout=draw(st.sampled_from([0.0, 0.5])),
        attention_dropout=draw(st.sampled_from([0.0, 0.5])),
        ensemble=draw(st.integers(1, 2)),
    )


@st.composite
def recurrent_settings(draw):
    tied, width = draw(st.booleans()), draw(st.integers(4, 8))
    return RecurrentSettings(
        kind=draw(st.sampled_from(["lstm", "gru"])),
        layers=draw(st.integers(1, 3)),
        width=width,
        embedding=width if tied else draw(st.integers(4, 8)),
        tied=tied,
        dropout=draw(st.sampled_from([0.0, 0.5])),
        ensemble=draw(st.integers(1, 2)),
    )


any_settings = st.one_of(gpt_settings(), recurrent_settings())


def lively(model_settings, seed=0, context=CONTEXT):
    """Return a network in evaluation mode without weights of zero or one."""
    torch.manual_seed(seed)
    model = build(model_settings, VOCABULARY, context)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model.eval()


def some_ids(rows=2, length=CONTEXT, seed=1):
    return torch.randint(VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


def test_every_architecture_has_its_network():
    assert set(building._NETWORKS) == set(ARCHITECTURES)
    assert {GPTSettings, RecurrentSettings} <= set(ARCHITECTURES)
    assert {"gpt", "lstm", "gru"} <= KINDS


@settings(max_examples=30, deadline=None)
@given(any_settings)
def test_the_settings_give_the_number_of_weights(model_settings):
    model = build(model_settings, VOCABULARY, CONTEXT)
    # Norms and biases have one axis.
    counted = sum(parameter.numel() for parameter in model.parameters() if parameter.dim() > 1)
    assert model_settings.ensemble * model_settings.weights(VOCABULARY, CONTEXT) == counted


@settings(max_examples=60, deadline=None)
@given(any_settings, st.lists(st.integers(1, 5), min_size=1, max_size=CONTEXT))
def test_cached_passes_equal_one_whole_pass(model_settings, pieces):
    model, ids_BT = lively(model_settings), some_ids()
    cuts = [0, *(cut for cut in torch.tensor(pieces).cumsum(0).tolist() if cut < CONTEXT), CONTEXT]
    cache = model.new_cache(2)
    with torch.no_grad():
        whole_BTV = model(ids_BT)
        parts = []
        for start, end in pairwise(cuts):
            assert cache.length == start
            parts.append(model(ids_BT[:, start:end], cache))
    assert cache.length == CONTEXT
    torch.testing.assert_close(torch.cat(parts, dim=1), whole_BTV, atol=1e-5, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(any_settings, st.integers(1, CONTEXT - 1))
def test_a_later_token_never_changes_earlier_logits(model_settings, changed):
    model, ids_BT = lively(model_settings), some_ids()
    other_BT = ids_BT.clone()
    other_BT[:, changed] = (other_BT[:, changed] + 1) % VOCABULARY
    with torch.no_grad():
        first_BTV, second_BTV = model(ids_BT), model(other_BT)
    torch.testing.assert_close(first_BTV[:, :changed], second_BTV[:, :changed], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(first_BTV[:, changed], second_BTV[:, changed], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(any_settings)
def test_rows_do_not_see_each_other(model_settings):
    model, ids_BT = lively(model_settings), some_ids(rows=3)
    with torch.no_grad():
        together_BTV = model(ids_BT)
        alone_BTV = torch.cat([model(row_T[None]) for row_T in ids_BT])
    torch.testing.assert_close(together_BTV, alone_BTV, atol=1e-5, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(any_settings)
def test_logits_are_the_head_of_the_features_and_every_parameter_learns(model_settings):
    model, ids_BT = lively(model_settings), some_ids()
    logits_BTV = model(ids_BT)
    assert logits_BTV.shape == (2, CONTEXT, VOCABULARY)
    torch.testing.assert_close(logits_BTV, model.head(model.features(ids_BT)))
    torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), ids_BT.flatten()).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize(
    "model_settings",
    [
        GPTSettings(dropout=0.5),
        GPTSettings(attention_dropout=0.5),
        GPTSettings(ngrams=3, ngram_dropout=0.5),
        RecurrentSettings(dropout=0.5, layers=2),
    ],
)
def test_dropout_acts_in_training_only(model_settings):
    model, ids_BT = lively(model_settings), some_ids()
    with torch.no_grad():
        assert torch.equal(model(ids_BT), model(ids_BT))
        model.train()
        assert not torch.equal(model(ids_BT), model(ids_BT))


@pytest.mark.parametrize("shape", ["gpt2", "llama", "modern"])
def test_initial_weights_follow_from_the_global_seed_and_start_near_chance(shape):
    def fresh(seed):
        torch.manual_seed(seed)
        return build(GPTSettings(shape=shape, dropout=0.0), VOCABULARY, CONTEXT)

    ids_BT = some_ids()
    assert all(torch.equal(a, b) for a, b in zip(fresh(1).parameters(), fresh(1).parameters(), strict=True))
    assert not torch.equal(fresh(1).embedding.weight, fresh(2).embedding.weight)
    loss = torch.nn.functional.cross_entropy(fresh(1)(ids_BT).flatten(0, 1), some_ids(seed=2).flatten())
    assert abs(loss.item() - torch.tensor(float(VOCABULARY)).log().item()) < 0.2


def test_gpt2_residual_matrices_start_smaller():
    torch.manual_seed(0)
    model = build(GPTSettings(shape="gpt2", layers=8), VOCABULARY, CONTEXT)
    assert model.blocks[0].attention.query.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.blocks[0].attention.output.weight.std().item() == pytest.approx(0.005, rel=0.05)
    assert model.blocks[0].feed_forward.down.weight.std().item() == pytest.approx(0.005, rel=0.05)


def test_modern_blocks_start_as_the_identity_with_even_logits():
    torch.manual_seed(0)
    model = build(GPTSettings(), VOCABULARY, CONTEXT)
    assert model(some_ids()).abs().max() == 0
    assert model.blocks[0].attention.output.weight.abs().max() == 0
    assert model.blocks[0].attention.query.weight.std().item() == pytest.approx(128**-0.5, rel=0.05)


def test_gpt2_has_the_published_number_of_parameters():
    settings_51m = GPTSettings(shape="gpt2", layers=8, width=512, heads=8)
    with torch.device("meta"):
        assert count_parameters(build(settings_51m, 50257, 512)) == 51_213_824


def test_lstm_is_embedding_lstm_linear():
    model = build(RecurrentSettings(embedding=64, width=128), 65, 64)
    plain = [torch.nn.Embedding(65, 64), torch.nn.LSTM(64, 128, batch_first=True), torch.nn.Linear(128, 65)]
    assert count_parameters(model) == sum(p.numel() for module in plain for p in module.parameters())
    for part, module in zip((model.embedding, model.recurrence, model.output), plain, strict=True):
        module.load_state_dict(part.state_dict())
    ids_BT = some_ids()
    torch.testing.assert_close(model(ids_BT), plain[2](plain[1](plain[0](ids_BT))[0]))


def test_a_gpt_refuses_more_positions_than_its_context():
    model = lively(GPTSettings())
    with pytest.raises(GenerationError, match="0 positions and 13 more do not fit the context of 12"):
        model(some_ids(length=CONTEXT + 1))
    cache = model.new_cache(2)
    with torch.no_grad():
        model(some_ids(length=10), cache)
        with pytest.raises(GenerationError, match="10 positions and 3 more"):
            model(some_ids(length=3), cache)
    assert (cache.length, cache.capacity) == (10, CONTEXT)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_recurrent_cache_runs_past_the_context(kind):
    model, ids_BT = lively(RecurrentSettings(kind=kind)), some_ids(length=3 * CONTEXT)
    cache = model.new_cache(2)
    with torch.no_grad():
        parts_BTV = torch.cat([model(part_BT, cache) for part_BT in ids_BT.split(CONTEXT, dim=1)], dim=1)
        torch.testing.assert_close(parts_BTV, model(ids_BT), atol=1e-5, rtol=1e-5)
    assert (cache.length, cache.capacity) == (3 * CONTEXT, None)


@pytest.mark.parametrize("model_settings", [GPTSettings(), GPTSettings(shape="llama", key_value_heads=2)])
def test_half_precision_passes_agree_at_every_position(model_settings):
    model, ids_BT = lively(model_settings), some_ids()
    with torch.no_grad():
        exact_BTV = model(ids_BT)
        model = model.to(torch.bfloat16)
        whole_BTV = model(ids_BT)
        cache = model.new_cache(2)
        parts = [model(part_BT, cache) for part_BT in ids_BT.split([5, 1, 6], dim=1)]
    assert parts[0].dtype == torch.bfloat16

    def distance_BT(one_BTV, other_BTV):
        return (one_BTV.float() - other_BTV.float()).norm(dim=-1) / exact_BTV.norm(dim=-1)

    rounding = distance_BT(whole_BTV, exact_BTV).max()
    assert rounding < 0.08  # bfloat16 has 8 bits
    assert distance_BT(torch.cat(parts, dim=1), whole_BTV).max() < rounding


@pytest.mark.parametrize(("vocabulary", "context"), [(0, 8), (8, 0)])
def test_impossible_sizes_are_refused(vocabulary, context):
    with pytest.raises(RecipeError, match="at least 1"):
        build(GPTSettings(), vocabulary, context)


@settings(max_examples=60, deadline=None)
@given(any_settings, st.lists(st.integers(1, CONTEXT - 4), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_rows_of_different_lengths_advance_together(model_settings, lengths, random):
    model, ids_BT = lively(model_settings), some_ids(rows=len(lengths))
    caches, cache = [model.new_cache(1) for _ in lengths], model.new_cache(len(lengths))
    with torch.no_grad():
        for row, (alone, length) in enumerate(zip(caches, lengths, strict=True)):
            model(ids_BT[row : row + 1, :length], alone)
            cache.copy_row(row, alone)
        assert cache.lengths == lengths
        for step in range(4):
            if step == 2:
                # Some texts end, and others continue in several ways.
                rows = [random.randrange(len(lengths)) for _ in range(3)]
                cache.reorder(rows)
                caches, ids_BT = [copy.deepcopy(caches[row]) for row in rows], ids_BT[rows].clone()
            new_B1 = torch.tensor([[random.randrange(VOCABULARY)] for _ in caches])
            together_B1V = model(new_B1, cache)
            for row, alone in enumerate(caches):
                torch.testing.assert_close(
                    together_B1V[row], model(new_B1[row : row + 1], alone)[0], atol=1e-5, rtol=1e-5
                )
    assert cache.lengths == [alone.length for alone in caches]


def test_rows_of_different_lengths_take_one_token_at_a_time():
    model = lively(GPTSettings(width=8, heads=2))
    cache, alone = model.new_cache(2), model.new_cache(1)
    with torch.no_grad():
        model(some_ids(rows=1, length=3), alone)
        cache.copy_row(1, alone)
        with pytest.raises(ValueError, match="one token at a time"):
            model(some_ids(length=2), cache)
