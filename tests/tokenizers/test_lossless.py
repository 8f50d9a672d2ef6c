import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lilliput.errors import TokenizerError
from lilliput.tokenizers import TextStream, train
from lilliput.tokenizers.escape import BROKEN, NIBBLES

SIZES = (40, 48, 64, 128, 300)
CASES = [(kind, size) for kind in ("bpe", "wordpiece", "unigram", "word") for size in SIZES]
# This text has fewer than 112 characters, so a character tokenizer cannot have 128 tokens.
CASES += [("char", 17), ("char", 40), ("char", 48), ("char", 64), ("char", None), ("byte", None)]

AWKWARD = st.sampled_from(
    [
        *NIBBLES[:3],
        *("\ud800", "\udfff", "\ud83d\ude00", "😀", "e\u0301", "é", "\U0010ffff", "\ufeff", "\ufffd", "漢"),
        *("\r\n", "\n", "\0", " ", "  ", "\t", "\x1c", "\x85", "\u3000", "\u200b"),
        *("1857", "<unk>", "##a", "bou", " lé"),
    ]
)
STRINGS = st.lists(st.one_of(AWKWARD, st.characters(), st.text(max_size=5)), max_size=30).map("".join)


@pytest.mark.parametrize(("kind", "size"), CASES)
def test_every_string_survives(tokenizer_of, kind, size):
    tokenizer = tokenizer_of(kind, size)
    assert tokenizer.lossless
    assert size in (None, tokenizer.vocab_size)

    @settings(max_examples=60, deadline=None)
    @given(STRINGS)
    def check(string):
        ids = tokenizer.encode(string)
        assert ids.ndim == 1
        assert ids.dtype == np.uint16
        assert not len(ids) or ids.max() < tokenizer.vocab_size
        assert tokenizer.decode(ids) == string

    check()


@pytest.mark.parametrize(("kind", "size"), CASES)
def test_a_stream_of_any_ids_gives_the_decoded_text(tokenizer_of, kind, size):
    tokenizer = tokenizer_of(kind, size)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=40))
    def check(ids):
        stream = TextStream(tokenizer)
        assert "".join(map(stream.push, ids)) + stream.finish() == tokenizer.decode(ids)

    check()


@pytest.mark.parametrize("kind", ["char", "byte", "bpe", "wordpiece", "unigram", "word"])
def test_the_training_text_survives(tokenizer_of, text, kind):
    tokenizer = tokenizer_of(kind, None if kind in ("char", "byte") else 128)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_stream_holds_text_back_until_it_is_whole(tokenizer_of):
    tokenizer = tokenizer_of("byte", None)
    stream = TextStream(tokenizer)
    assert [stream.push(value) for value in "a☃b".encode()] == ["a", "", "", "☃", "b"]
    assert stream.push(0xE2) == ""
    assert stream.finish() == BROKEN
    assert stream.finish() == ""


def test_a_half_written_character_does_not_swallow_the_next(tokenizer_of):
    tokenizer = tokenizer_of("char", 40)
    nibble = tokenizer.pieces.index(NIBBLES[0xC])
    letter = tokenizer.pieces.index("a")
    assert tokenizer.decode([nibble, letter]) == f"{BROKEN}a"
    assert tokenizer.decode([nibble, nibble, nibble, letter]) == f"{BROKEN}{BROKEN}a"


@pytest.mark.parametrize("token", [-1, 40, 10**9])
def test_an_id_out_of_range_is_an_error(tokenizer_of, token):
    tokenizer = tokenizer_of("bpe", 40)
    with pytest.raises(TokenizerError, match="0 to 39"):
        tokenizer.decode([token])
    with pytest.raises(TokenizerError, match="0 to 39"):
        TextStream(tokenizer).push(token)


def test_normalisation_is_stored_and_applied_in_order(text):
    tokenizer = train("bpe", text, 64, ("nfkc", "lowercase"))
    assert tokenizer.normalize == ("nfkc", "lowercase")
    given = "Ａ E\u0301 ﬁ É"
    assert tokenizer.normalized(given) == "a é fi é"
    assert tokenizer.decode(tokenizer.encode(given)) == "a é fi é"
    assert "B" not in tokenizer.pieces


@settings(max_examples=60, deadline=None)
@given(STRINGS)
def test_decoding_gives_the_normalised_text(string):
    tokenizer = train("char", "abc e\u0301", None, ("lowercase", "nfc"))
    assert tokenizer.decode(tokenizer.encode(string)) == tokenizer.normalized(string)


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "unigram", "word"])
def test_cutting_a_long_text_changes_no_id(tokenizer_of, monkeypatch, kind):
    from lilliput.tokenizers import pretokenize

    tokenizer = tokenizer_of(kind, 300)
    rng = random.Random(3)
    parts = [
        " ",
        "  ",
        "\n",
        "\n\n",
        "\r\n",
        "\t",
        "\x1c",
        "\u3000",
        "bou",
        "Lé",
        ",",
        "12",
        "1857",
        "☃",
        "x" * 60,
        "\x85",
    ]
    for _ in range(60):
        string = "".join(rng.choices(parts, k=80))
        monkeypatch.setattr(pretokenize, "_STRIDE", 10**9)
        whole = tokenizer.encode(string)
        monkeypatch.setattr(pretokenize, "_STRIDE", 1)
        assert len(list(pretokenize.cut(string))) > 2
        assert np.array_equal(tokenizer.encode(string), whole)
