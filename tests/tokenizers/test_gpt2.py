import base64
import sys

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from lilliput.errors import DependencyError, TokenizerError
from lilliput.tokenizers import TextStream, load, train
from lilliput.tokenizers.gpt2 import PATTERN

MERGES = ["t h", "th e", "Ġ the", "Ġ a", "# #", "Ã ©", "Ċ Ċ", "1 8", "e r"]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Write both kinds of file for a small vocabulary, the second by the definition of the byte order."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "vocab.bpe").write_text("#version: 0.2\n" + "".join(f"{merge}\n" for merge in MERGES), encoding="utf-8")
    printed = [value for value in range(256) if chr(value).isprintable() and chr(value) not in " \xa0\xad"]
    tokens = [bytes([value]) for value in printed + [value for value in range(256) if value not in printed]]
    tokens += [b"th", b"the", b" the", b" a", b"##", "é".encode(), b"\n\n", b"18", b"er"]
    lines = [base64.b64encode(token) + f" {rank}\n".encode() for rank, token in enumerate(tokens)]
    (folder / "gpt2.tiktoken").write_bytes(b"".join(lines))
    return folder, tokens


@pytest.fixture(scope="module")
def tokenizer(ranks):
    return train("gpt2", "", ranks=ranks[0] / "vocab.bpe")


def test_merges_and_ranks_give_the_same_tokens(ranks, tokenizer):
    other = train("gpt2", "", 266, ranks=ranks[0] / "gpt2.tiktoken")
    assert tokenizer.vocab_size == 266
    assert tokenizer.pieces == other.pieces
    assert tokenizer.decode([256, 258, 265]) == "th the<|endoftext|>"


def test_ids_are_those_of_tiktoken(ranks, tokenizer):
    reference = tiktoken.Encoding(
        "reference",
        pat_str=PATTERN,
        mergeable_ranks={token: rank for rank, token in enumerate(ranks[1])},
        special_tokens={"<|endoftext|>": len(ranks[1])},
    )
    parts = st.sampled_from(
        [" ", "  ", "\n", "\r\n", "\t", "the", " the", "1857", "é", "'s", "##", "<|endoftext|>", "\x85"]
    )

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.one_of(parts, st.characters(exclude_categories=["Cs"]))).map("".join))
    def check(string):
        ids = tokenizer.encode(string)
        assert ids.tolist() == reference.encode_ordinary(string)
        assert tokenizer.decode(ids) == string

    check()
    long = "the other 1857\n\n  é " * 5000
    assert tokenizer.encode(long).tolist() == reference.encode_ordinary(long)


def test_every_string_survives(tokenizer):
    string = "a\ud800b \ud83d\ude00 <|endoftext|>"
    ids = tokenizer.encode(string)
    assert tokenizer.lossless
    assert 265 not in ids
    assert tokenizer.decode(ids) == string


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 265)))
def test_a_stream_of_any_ids_gives_the_decoded_text(tokenizer, ids):
    stream = TextStream(tokenizer)
    assert "".join(map(stream.push, ids)) + stream.finish() == tokenizer.decode(ids)


def test_the_folder_needs_no_other_file(ranks, tokenizer, tmp_path):
    train("gpt2", "", normalize=["lowercase"], ranks=ranks[0] / "vocab.bpe").save(tmp_path)
    loaded = load(tmp_path)
    assert loaded.pieces == tokenizer.pieces
    assert loaded.encode("THE é").tolist() == tokenizer.encode("the é").tolist()
    path = tmp_path / "gpt2.tiktoken"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(TokenizerError, match="does not match"):
        load(tmp_path)
    path.unlink()
    with pytest.raises(TokenizerError, match="cannot read the GPT-2 vocabulary"):
        load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello world\n",
        b"#version: 0.2\nonly\n",
        b"#version: 0.2\na \xe2\x98\x83\n",
        b"IQ== 1\n",
        b"IQ== 0\nIg== 1\n",
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, content):
    path = tmp_path / "gpt2.tiktoken"
    path.write_bytes(content)
    with pytest.raises(TokenizerError, match=r"gpt2\.tiktoken") as caught:
        train("gpt2", "", ranks=path)
    assert "\n" not in str(caught.value)


def test_ranks_and_vocabulary_must_fit(ranks):
    with pytest.raises(TokenizerError, match=r"give gpt2\.tiktoken or vocab\.bpe"):
        train("gpt2", "text")
    with pytest.raises(TokenizerError, match="exactly 266"):
        train("gpt2", "text", 50257, ranks=ranks[0] / "vocab.bpe")
    with pytest.raises(TokenizerError, match="gpt2 only"):
        train("char", "text", ranks=ranks[0] / "vocab.bpe")


def test_without_tiktoken_the_error_names_the_extra(ranks, monkeypatch):
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(DependencyError, match=r"lilliput\[gpt2\]"):
        train("gpt2", "", ranks=ranks[0] / "vocab.bpe")
