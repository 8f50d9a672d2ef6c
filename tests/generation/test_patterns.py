"""Texts that have to match do, whatever the model would rather write."""

import re

import numpy as np
import pytest

from lilliput import tokenizers
from lilliput.errors import GenerationError
from lilliput.generation import SamplingSettings
from lilliput.generation.patterns import Pattern, patterns

TEXT = "Roses are red, violets are blue 1234567890 () \n" * 30 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz"
KINDS = {"char": ("char", None), "bpe": ("bpe", None), "byte": ("byte", None)}


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def tokenizer(request):
    return tokenizers.train(request.param[0], TEXT, request.param[1])


def written(tokenizer, seed, length=60, prompt="x ", **options):
    """A text drawn evenly of what is allowed, up to where it is complete."""
    pattern = Pattern(tokenizer, patterns(SamplingSettings(**options)))
    start = len(tokenizer.encode(prompt))
    keep, ids = pattern.filter(start), tokenizer.encode(prompt).tolist()
    generator = np.random.default_rng(seed)
    for _ in range(length):
        if pattern.complete(tokenizer.decode(ids[start:])):
            break
        allowed = np.flatnonzero(np.isfinite(keep(np.zeros(tokenizer.vocab_size), ids)))
        ids.append(int(generator.choice(allowed)))
    text = tokenizer.decode(ids[start:])
    return text, pattern.matches(text)


@pytest.mark.parametrize(
    "expression", [r"\d{3} \d{2}", r"(red|blue|violets)( (red|blue))*\n", r"[A-Z][a-z]{2,5}, \(\d+\)", r"(ab){3}"]
)
def test_a_regular_expression_is_kept_to(tokenizer, expression):
    for seed in range(5):
        text, matches = written(tokenizer, seed, length=200, match=expression)
        assert matches
        assert re.fullmatch(expression, text)


def test_tokens_that_lead_nowhere_are_forbidden_and_all_others_allowed(tokenizer):
    pattern = Pattern(tokenizer, ["(red|roses)+ "])
    keep = pattern.filter(0)
    for before in ("", "r", "re", "red", "redro"):
        ids = tokenizer.encode(before).tolist()
        allowed = np.isfinite(keep(np.zeros(tokenizer.vocab_size), ids))
        for token in range(tokenizer.vocab_size):
            longer = before + tokenizer.decode([token])
            possible = any((word * 9).startswith(longer) for word in ("red", "roses")) or bool(
                re.fullmatch(r"(red|roses)*(r|re|red|ro|ros|rose|roses)?|(red|roses)+ ", longer)
            )
            assert allowed[token] == possible, (before, tokenizer.decode([token]))


def test_characters_lines_and_first_letters(tokenizer):
    for seed in range(3):
        text, _ = written(tokenizer, seed, allow="abc de-]^")
        assert set(text) <= set("abc de-]^")
        text, _ = written(tokenizer, seed, forbid="aeiou]^ -")
        assert not set(text) & set("aeiou]^ -")
        text, _ = written(tokenizer, seed, line_length=7)
        assert max(map(len, text.split("\n"))) <= 7
        text, matches = written(tokenizer, seed, length=4000, acrostic="Rob", forbid="()", line_length=20)
        assert matches
        letters = [re.sub(r"\W+", "", line)[0].lower() for line in text.split("\n")[:-1]]
        assert letters == ["r", "o", "b"]


def test_quotes_do_not_keep_a_line_from_its_first_letter():
    tokenizer = tokenizers.train("char", 'Rr "\n')
    pattern = Pattern(tokenizer, patterns(SamplingSettings(acrostic="r")))
    allowed = [
        "".join(sorted(map(tokenizer.decode, ([id] for id in pattern._allowed(text))))) for text in ("", ' "', '" "')
    ]
    assert allowed == [' "Rr', ' "Rr', " Rr"]


def test_the_text_is_complete_where_nothing_can_follow(tokenizer):
    pattern = Pattern(tokenizer, ["a+b"])
    assert [pattern.complete(text) for text in ("", "a", "aa", "aab")] == [False, False, False, True]
    assert [pattern.matches(text) for text in ("", "a", "aa", "aab")] == [False, False, False, True]
    assert not Pattern(tokenizer, ["[ab]*"]).complete("ab")


def test_what_cannot_be_met_says_so():
    tokenizer = tokenizers.train("char", TEXT)
    with pytest.raises(GenerationError, match="no token of the vocabulary leads to a match"):
        Pattern(tokenizer, ["日本"]).filter(0)(np.zeros(tokenizer.vocab_size), [])
    with pytest.raises(GenerationError, match=r"match: .* write a regular expression"):
        Pattern(tokenizer, ["(ab"])
