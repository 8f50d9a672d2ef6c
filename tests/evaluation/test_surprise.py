"""The surprise of tokens, of words and of a whole text."""

import math
from collections.abc import Sequence

import pytest
from tests.writer.test_scoring import TEXT, writer_of

from lilliput.errors import CorpusError, GenerationError
from lilliput.evaluation.loss import score_tokens
from lilliput.evaluation.surprise import (
    LikelyToken,
    TextSurprise,
    TokenSurprise,
    measure_surprise,
    whole_characters,
)


def text_of(*parts: tuple[str, float | None]) -> TextSurprise:
    """A text of tokens with these texts and bits."""
    tokens, start = [], 0
    for text, bits in parts:
        tokens.append(TokenSurprise(text, start, bits))
        start += len(text)
    return TextSurprise(tokens)


def words(surprise: TextSurprise) -> Sequence[tuple[str, int, float]]:
    return [(word.text, word.line, word.bits) for word in surprise.extreme_words(99)[0]]


@pytest.mark.parametrize("kind", ["char", "bpe"])
def test_the_bits_are_those_of_the_evaluation(kind: str) -> None:
    writer = writer_of("mixture", kind)
    surprise = measure_surprise(writer, TEXT)
    ids = writer.tokenizer.encode(TEXT)
    nats, targets = score_tokens(writer.model, ids, writer.model.context, "sliding")
    assert surprise.text == TEXT
    assert surprise.bits == pytest.approx(nats / math.log(2), abs=1e-3)
    assert surprise.bits_per_token == pytest.approx(surprise.bits / targets)
    first = len(surprise.tokens[0].text)
    assert surprise.bits_per_character == pytest.approx(surprise.bits / (len(TEXT) - first))


def test_tokens_come_with_their_likeliest_alternatives() -> None:
    first, *others = measure_surprise(writer_of("gpt"), "the old", alternatives=4).tokens
    assert (first.bits, first.probability, first.alternatives) == (None, None, ())
    for token in others:
        shares = [alternative.probability for alternative in token.alternatives]
        assert len(shares) == 4
        assert shares == sorted(shares, reverse=True)
        for alternative in token.alternatives:
            if alternative.text == token.text:
                assert token.probability == pytest.approx(alternative.probability, rel=1e-4)
    everything = measure_surprise(writer_of("gpt"), "the", alternatives=33).tokens[1].alternatives
    assert sum(alternative.probability for alternative in everything) == pytest.approx(1, abs=1e-4)
    # The sixteen half bytes are no characters.
    assert [alternative.text for alternative in everything].count("") == 16


def test_a_word_is_the_sum_of_its_tokens_and_the_first_is_not_whole() -> None:
    surprise = text_of(
        ("The", None), (" ol", 1.0), ("d", 0.5), (" ", 4.0), ("\n", 3.0), ("", 2.0), ("é", 0.25), (" —", 9)
    )
    assert words(surprise) == [("é", 2, 2.25), ("old", 1, 1.5)]


def test_extreme_words_are_listed_once_each() -> None:
    surprise = text_of(("x ", None), ("a ", 1.0), ("b ", 2.0), ("a ", 3.0), ("c", 0.5))
    most, least = surprise.extreme_words(2)
    assert [(word.text, word.bits) for word in most] == [("a", 3.0), ("b", 2.0)]
    assert [(word.text, word.bits) for word in least] == [("c", 0.5), ("a", 1.0)]
    assert surprise.as_dict(1)["most_surprising"] == [{"text": "a", "start": 6, "line": 1, "bits": 3.0}]


def test_tokens_without_text_join_the_next_one() -> None:
    alternative = (LikelyToken("a", 0.5),)
    tokens = [
        TokenSurprise("", 0, None),
        TokenSurprise("x", 0, 1.0),
        TokenSurprise("", 1, 2.0, alternative),
        TokenSurprise("", 1, 3.0),
        TokenSurprise("日", 1, 4.0),
        TokenSurprise("y", 2, 5.0),
    ]
    assert whole_characters(tokens) == [
        TokenSurprise("x", 0, 1.0),
        TokenSurprise("日", 1, 9.0, alternative),
        TokenSurprise("y", 2, 5.0),
    ]


def test_a_certain_token_has_no_bits_and_no_minus() -> None:
    writer = writer_of("gpt")
    surprise = measure_surprise(writer, TEXT)
    assert all(math.copysign(1, token.bits) > 0 for token in surprise.tokens if token.bits is not None)


def test_a_label_is_neither_text_nor_alternative() -> None:
    writer = writer_of("gpt", labels={"verse": "\U000f0000"})
    surprise = measure_surprise(writer, "the old", alternatives=33, label="verse")
    assert surprise.text == "the old"
    assert all("\U000f0000" not in alternative.text for token in surprise.tokens for alternative in token.alternatives)


def test_texts_that_have_no_surprise() -> None:
    with pytest.raises(CorpusError, match=r"^t\.txt has one token"):
        measure_surprise(writer_of("gpt"), "t", name="t.txt")
    with pytest.raises(GenerationError, match="at least one character"):
        measure_surprise(writer_of("gpt"), "")
