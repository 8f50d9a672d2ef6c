"""Texts that must not be written are not, by whatever tokens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.generation.building import KINDS, LETTERS

from lilliput import tokenizers
from lilliput.errors import GenerationError
from lilliput.generation.bans import ban_text, named_bias
from lilliput.tokenizers import Tokenizer

TEXT = "the then other é lathe heath 日本 " * 8 + LETTERS


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    kind, vocabulary = request.param
    return tokenizers.train(kind, TEXT, vocabulary)


def written(tokenizer: Tokenizer, start: str, banned: str, seed: int, length: int = 60) -> tuple[list[int], int]:
    """Tokens drawn evenly of what is allowed, and how many choices were forbidden."""
    forbid, generator = ban_text(tokenizer, banned), np.random.default_rng(seed)
    ids, forbidden = [int(id) for id in tokenizer.encode(start)], 0
    for _ in range(length):
        logits_V = forbid(np.zeros(tokenizer.vocab_size), ids)
        allowed = np.flatnonzero(np.isfinite(logits_V))
        forbidden += tokenizer.vocab_size - len(allowed)
        ids.append(int(generator.choice(allowed)))
    return ids, forbidden


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 9999), banned=st.sampled_from(["e", "the", "é", "日本", "he ", "\U0001f600"]))
def test_a_banned_text_is_never_written(tokenizer: Tokenizer, seed: int, banned: str) -> None:
    ids, forbidden = written(tokenizer, "b", banned, seed)
    assert banned not in tokenizer.decode(ids)
    assert forbidden > 0 or banned != "e"


def test_only_what_would_complete_it_is_forbidden(tokenizer: Tokenizer) -> None:
    for banned in ("e", "the", "é", "日本", "v"):
        forbid = ban_text(tokenizer, banned)
        for before in ("", "th", "t", "日", "gag", "é", "w"):
            ids = [int(id) for id in tokenizer.encode(before)]
            allowed = np.isfinite(forbid(np.zeros(tokenizer.vocab_size), ids))
            for token in range(tokenizer.vocab_size):
                text = tokenizer.decode([*ids, token])
                found = text.count(banned) > tokenizer.decode(ids).count(banned)
                assert allowed[token] == (not found), (banned, before, token)


def test_what_the_prompt_holds_does_no_harm(tokenizer: Tokenizer) -> None:
    ids, _ = written(tokenizer, "the the", "the", 3)
    assert tokenizer.decode(ids).count("the") == 2


def test_a_bias_is_for_one_token() -> None:
    tokenizer = tokenizers.train("char", TEXT)
    logits_V = named_bias(tokenizer, {"e": 2.5, "日": -1.0})(np.zeros(tokenizer.vocab_size), [])
    changed = {tokenizer.decode([int(id)]): logits_V[id] for id in np.flatnonzero(logits_V)}
    assert changed == {"e": 2.5, "日": -1.0}
    with pytest.raises(GenerationError, match="'the' is 3 tokens"):
        named_bias(tokenizer, {"the": 1.0})
