import os
import subprocess
import sys

import pytest

from lilliput.errors import TokenizerError
from lilliput.tokenizers import TokenizerSettings, train
from lilliput.tokenizers.escape import NIBBLES
from lilliput.tokenizers.subword import default_vocabulary

TRAINED = ("bpe", "wordpiece", "unigram", "word")


@pytest.mark.parametrize("kind", TRAINED)
@pytest.mark.parametrize("size", [17, 23, 40, 97, 256])
def test_the_vocabulary_asked_for_is_the_vocabulary_got(text, kind, size):
    tokenizer = train(kind, text, size)
    assert tokenizer.vocab_size == len(tokenizer.pieces) == len(set(tokenizer.pieces)) == size
    assert set(NIBBLES) <= set(tokenizer.pieces)


@pytest.mark.parametrize("kind", ["char", *TRAINED])
def test_too_small_a_vocabulary_names_the_least(text, kind):
    with pytest.raises(TokenizerError, match="at least 17"):
        train(kind, text, 16)


@pytest.mark.parametrize("kind", ["char", *TRAINED])
def test_too_large_a_vocabulary_names_the_most_and_that_works(kind):
    text = "the cat sat on the mat, the cat ate the rat.\n" * 3
    with pytest.raises(TokenizerError, match=r"at most \d+") as caught:
        train(kind, text, 5000)
    most = int(str(caught.value).split("at most ")[1].split()[0])
    assert 17 < most < 5000
    assert train(kind, text, most).vocab_size == most
    assert train(kind, text).vocab_size <= most


@pytest.mark.parametrize("kind", ["char", "byte", *TRAINED])
@pytest.mark.parametrize("tiny", ["a", "\n", "ab", "\ud800", NIBBLES[1], "aaaaaaaa"])
def test_the_tiniest_text_trains(kind, tiny):
    tokenizer = train(kind, tiny)
    assert tokenizer.decode(tokenizer.encode(tiny + " é")) == tiny + " é"


@pytest.mark.parametrize("empty", ["", [], [""], iter(())])
def test_an_empty_text_is_an_error(empty):
    with pytest.raises(TokenizerError, match="empty"):
        train("char", empty)


def test_unknown_words_are_errors(text):
    with pytest.raises(TokenizerError, match="choose one of char, byte"):
        train("chars", text)
    with pytest.raises(TokenizerError, match="choose from nfc"):
        train("char", text, normalize=["NFD"])
    with pytest.raises(TokenizerError, match="exactly 256"):
        train("byte", text, 255)


def test_char_keeps_the_most_frequent_characters():
    tokenizer = train("char", "aaaaabbbbccdé", 19)
    assert tokenizer.pieces == ("a", "b", "c", *NIBBLES)
    assert len(tokenizer.encode("abc")) == 3
    assert len(tokenizer.encode("dé")) == 6
    assert train("char", "aaaaabbbbccdé").vocab_size == 21


def test_a_small_vocabulary_keeps_characters_and_learns_pieces(text):
    for kind in ("bpe", "wordpiece", "unigram"):
        lengths = [len(piece) for piece in train(kind, text, 128).pieces]
        assert 16 < lengths.count(1) <= 16 + 128 // 3
        assert max(lengths) > 2


def test_frequent_words_are_one_token_and_others_are_spelled():
    tokenizer = train("word", "the cat sat on the mat\n" * 20, 33)
    assert {"the", " cat", " sat", " on", " the"} <= set(tokenizer.pieces)
    spelled = [tokenizer.pieces[number] for number in tokenizer.encode("the cat on the tac")]
    assert spelled == ["the", " cat", " on", " the", " ", "t", "a", "c"]


def test_wordpiece_takes_the_longest_piece_and_bpe_the_first_merge():
    # "bc" is joined first and " ab" later, so BPE has no way to " ab" + "c".
    text = "bc\n" * 90 + " ab" * 50
    spelled = {}
    for kind in ("bpe", "wordpiece"):
        tokenizer = train(kind, text)
        spelled[kind] = [tokenizer.pieces[number] for number in tokenizer.encode(" abc")]
    assert spelled == {"bpe": [" a", "bc"], "wordpiece": [" ab", "c"]}


def test_several_texts_are_not_joined():
    joined = train("bpe", "xy" * 60)
    apart = train("bpe", ["x", "y"] * 60)
    assert any("yx" in piece for piece in joined.pieces)
    assert apart.vocab_size == 18


def test_defaults_follow_the_size_of_the_text(text):
    assert default_vocabulary("bpe", 200) == 128
    assert default_vocabulary("bpe", 1_115_394) == 1024
    assert default_vocabulary("bpe", 500_000_000) == 8192
    assert default_vocabulary("word", 1_115_394) == 4096
    assert train("bpe", text).vocab_size == 128


def test_settings_know_kinds_and_normalisations():
    assert TokenizerSettings().normalize == ("nfc",)
    assert TokenizerSettings(kind="bpe", vocabulary=128, normalize=("nfkc", "lowercase")).vocabulary == 128
    with pytest.raises(ValueError, match="vocabulary"):
        TokenizerSettings(vocabulary=0)


PROGRAM = """
import os, sys
import lilliput.tokenizers
assert not {"torch", "numpy", "tokenizers"} & set(sys.modules), "importing must be cheap"
text = "".join(f"the {a}{b} of {b}{a}é\\n" for a in "bcdfglm" for b in ("a", "en", "ou", "i", "ir")) * 3
for kind in ("bpe", "wordpiece", "unigram", "word"):
    tokenizer = lilliput.tokenizers.train(kind, text, 56)
    print(kind, [ascii(piece) for piece in tokenizer.pieces], tokenizer.encode(text * 40).tolist()[:300])
assert "torch" not in sys.modules
if hasattr(os, "fork"):
    child = os.fork()
    if not child:
        os._exit(0 if tokenizer.decode(tokenizer.encode(text * 2000)) == text * 2000 else 1)
    assert os.waitpid(child, 0)[1] == 0
"""


def test_the_same_text_gives_the_same_tokenizer_and_forks_are_quiet():
    environment = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    runs = [
        subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, timeout=60)
        for _ in range(2)
    ]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stderr == ""
