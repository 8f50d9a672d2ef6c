"""Tokenizers that read and write each line from its end."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tokenizers.conftest import made_up_text

from lilliput.tokenizers import TextStream, Tokenizer, line_ends, load, token_texts, train

KINDS = ("char", "byte", "bpe", "wordpiece", "unigram", "word")
TEXT = "Le soir\n\ndescend ☃,\r\n un ami"


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    size = None if request.param in ("char", "byte") else 128
    return train(request.param, made_up_text(), size, reverse_lines=True)


def test_lines_survive_and_are_reversed_inside(tokenizer: Tokenizer) -> None:
    @settings(max_examples=40, deadline=None)
    @given(st.text() | st.sampled_from([TEXT, "", "\n", "a", "ab\n"]))
    def check(string: str) -> None:
        assert tokenizer.decode(tokenizer.encode(string)) == string

    check()
    first = tokenizer.encode("ba\nlé")[:1].tolist()
    assert first == tokenizer.encode("a")[:1].tolist()


def test_a_stream_gives_whole_lines(tokenizer: Tokenizer) -> None:
    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=40))
    def check(ids: list[int]) -> None:
        stream = TextStream(tokenizer)
        assert "".join(map(stream.push, ids)) + stream.finish() == tokenizer.decode(ids)

    check()
    stream = TextStream(tokenizer)
    shown = [stream.push(id_) for id_ in tokenizer.encode(TEXT).tolist()]
    assert "".join(shown) == TEXT.rpartition("\n")[0] + "\n"
    assert all(text.endswith("\n") for text in shown if text)
    assert stream.finish() == " un ami"
    assert stream.push_all(tokenizer.encode(TEXT)) == TEXT.rpartition("\n")[0] + "\n"


def test_it_is_saved_and_changes_the_fingerprint(tokenizer: Tokenizer, tmp_path) -> None:
    tokenizer.save(tmp_path)
    loaded = load(tmp_path)
    assert loaded.reverse_lines
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.encode(TEXT).tolist() == tokenizer.encode(TEXT).tolist()
    assert loaded.cuts_before == "\n"
    stored = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    del stored["reverse_lines"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(stored), encoding="utf-8")
    assert load(tmp_path).fingerprint != tokenizer.fingerprint
    assert not load(tmp_path).reverse_lines


def test_the_texts_of_tokens_are_in_reading_order() -> None:
    tokenizer = train("char", made_up_text(), None, reverse_lines=True)
    texts = token_texts(tokenizer)
    line = made_up_text().split("\n")[0]
    assert "".join(texts[id_] for id_ in tokenizer.encode(line).tolist()) == line[::-1]
    assert [texts[id_] for id_ in line_ends(texts)] == ["\n"]
