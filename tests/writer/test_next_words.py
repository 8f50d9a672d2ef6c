"""The most likely next words."""

import itertools
import math
from typing import Any

import pytest
from tests.generation.building import lively

from lilliput import tokenizers
from lilliput.errors import GenerationError
from lilliput.generation.settings import SampleSettings
from lilliput.models import GPTSettings
from lilliput.writer import Writer


@pytest.fixture(scope="module")
def writer() -> Writer:
    tokenizer = tokenizers.train("char", "ab ", vocabulary=19)
    settings = SampleSettings(allow="ab ", prompts=("a",))
    return Writer(lively(GPTSettings(layers=1, width=16, heads=2), tokenizer.vocab_size, 32), tokenizer, settings)


def probability(writer: Writer, prompt: str, text: str) -> float:
    """The probability of a text behind a prompt, from the model's distribution over the allowed characters."""
    total = 1.0
    for length, character in enumerate(text):
        options = writer.search(prompt + text[:length], beams=3, max_tokens=1, until=None)
        total *= next(math.exp(option.log_probability) for option in options if option.text == character)
    return total


def test_the_words_come_with_their_probabilities_the_most_likely_first(writer: Writer) -> None:
    words = writer.next_words("ab ", 4)
    assert len(words) == 4
    assert [word.probability for word in words] == sorted((word.probability for word in words), reverse=True)
    for word in words:
        assert word.text.endswith(" ")
        assert word.probability == pytest.approx(probability(writer, "ab ", word.text), rel=1e-4)
    short = ["".join(letters) + " " for size in (1, 2) for letters in itertools.product("ab", repeat=size)]
    assert words[0].probability >= max(probability(writer, "ab ", text) for text in short) - 1e-6


def test_inside_a_word_the_next_word_is_its_rest(writer: Writer) -> None:
    assert " " in [word.text for word in writer.next_words("ab", 9)]


def test_other_options_act_and_the_prompt_may_be_left_out(writer: Writer) -> None:
    assert all("b" not in word.text for word in writer.next_words(n=5, ban="b"))
    assert writer.next_words(n=3) == writer.next_words("a", 3)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "3", None])
def test_a_wrong_number_of_words_is_refused(writer: Writer, n: Any) -> None:
    with pytest.raises(GenerationError, match="sampling: n: should be a whole number, 1 or more"):
        writer.next_words("a", n)
