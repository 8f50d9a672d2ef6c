import json
import re
import subprocess
import sys
import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import made_up_text

from lilliput.corpus.text.streams import cut_stream
from lilliput.data import encoding
from lilliput.data.encoding import encode_stream, spread_sample
from lilliput.data.tokens import read_tokens
from lilliput.errors import CorpusError, RunError
from lilliput.tokenizers import train
from lilliput.tokenizers.gpt2 import GPT2Tokenizer

TEXT = made_up_text(30_000).replace("house", "möbel ☃ 1857").replace("dog", "漢字")
KINDS = ["char", "byte", "bpe", "wordpiece", "unigram", "word", "gpt2"]
NORMALIZATIONS = [(), ("nfc",), ("nfkc", "lowercase"), ("lowercase", "nfc")]
ODD = st.sampled_from(
    [
        *(" ", "  ", "\n", "\n\n", "\r\n", "\t", "\x1c", "\x85", "\u3000", "\u200b", "\xa0", "\ufeff"),
        *("the", " house", "lamp,", "'s", "'", "1857", "12", "##", "x" * 60, "<|endoftext|>", "S T"),
        *("é", "e\u0301", "\u0301", "\u0323", "Σ", "ΑΣ", "İ", "ﬁ", "\u00b4", "ﷺ", "\u1100", "\u1161", "漢", "☃", "😀"),
        *("\ud800", "\uee03", "\uee0f"),
    ]
)


@cache
def tokenizer_of(kind, vocabulary=None, normalize=("nfc",)):
    if kind == "gpt2":
        merges = [b"th", b"the", b" the", b" t", b"er", b"\n\n", b"18", b"##", b"'s"]
        return GPT2Tokenizer([*(bytes([value]) for value in range(256)), *merges], normalize)
    return train(kind, TEXT, vocabulary, normalize)


def cut_everywhere(text):
    return [part for part in re.split(r"(?<=\S)(?=[ \n])", text) if part]


def encoded(pieces, tokenizer):
    units = encoding._units(pieces, tokenizer.cuts_before)
    return np.concatenate([np.empty(0, tokenizer.dtype), *(ids for _, ids in encoding._encoded(units, tokenizer))])


@pytest.mark.parametrize("normalize", NORMALIZATIONS, ids="-".join)
@pytest.mark.parametrize("kind", KINDS)
def test_pieces_have_the_ids_of_the_whole(kind, normalize):
    tokenizer = tokenizer_of(kind, None, normalize)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(ODD, max_size=40).map("".join))
    def check(text):
        assert encoded(cut_everywhere(text), tokenizer).tolist() == tokenizer.encode(text).tolist()

    check()


@pytest.mark.parametrize("kind", ["char", "bpe", "unigram"])
def test_pieces_have_the_reversed_lines_of_the_whole(kind):
    tokenizer = train(kind, TEXT, None, reverse_lines=True)

    @settings(max_examples=40, deadline=None)
    @given(st.lists(ODD, max_size=40).map("".join))
    def check(text):
        assert encoded(cut_everywhere(text), tokenizer).tolist() == tokenizer.encode(text).tolist()

    check()


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "unigram", "word"])
@pytest.mark.parametrize("kept", ["e", "e ", "e\n", "e \n"])
def test_an_escaped_space_is_no_place_to_cut(kind, kept):
    """In so small a vocabulary, white space may be escaped: to the library it is a part of the word beside it."""
    tokenizer = train(kind, kept * 50, 16 + len(kept))
    assert tokenizer.cuts_before == "".join(character for character in " \n" if character in kept)

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.sampled_from(["e", " ", "\n", "x", "e e\ne", "ee " * 9]), max_size=60).map("".join))
    def check(text):
        assert encoded(cut_everywhere(text), tokenizer).tolist() == tokenizer.encode(text).tolist()

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_any_pieces_are_joined_until_they_may_be_cut(kind):
    tokenizer = tokenizer_of(kind)
    pieces = [TEXT[start : start + 37] for start in range(0, 8000, 37)]
    assert encoded(["", *pieces, ""], tokenizer).tolist() == tokenizer.encode("".join(pieces)).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_holds_the_ids_and_the_counts_are_theirs(tmp_path, kind):
    tokenizer = tokenizer_of(kind)
    path = tmp_path / "training.npy"
    calls = []
    done = encode_stream(
        cut_stream([TEXT], 1000),
        tokenizer,
        path,
        text="sum",
        characters=len(TEXT),
        progress=lambda done, total: calls.append((done, total)),
    )
    whole = tokenizer.encode(TEXT)
    ids = read_tokens(path)
    assert ids.dtype == tokenizer.dtype
    assert np.array_equal(ids, whole)
    assert (done.tokens, done.characters, done.complete) == (len(whole), len(TEXT), True)
    assert tokenizer.counts == tuple(np.bincount(whole, minlength=tokenizer.vocab_size).tolist())
    assert calls[-1] == (len(TEXT), len(TEXT))
    assert len(calls) > 20
    assert sorted(file.name for file in tmp_path.iterdir()) == ["training.npy", "training.npy.json"]
    np.save(tmp_path / "same.npy", whole)
    assert (tmp_path / "same.npy").read_bytes() == path.read_bytes()


def test_no_text_is_no_tokens(tmp_path):
    done = encode_stream([], tokenizer_of("char"), tmp_path / "a.npy", text="sum", characters=0)
    assert done.tokens == len(read_tokens(tmp_path / "a.npy")) == 0


class Counting:
    """A tokenizer that knows how many characters it has encoded."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.encoded = 0

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)

    def encode(self, text):
        self.encoded += len(text)
        return self.tokenizer.encode(text)


def run(path, tokenizer, text=TEXT, name="sum", stop_after=None, size=1000):
    def progress(done, total):
        if stop_after is not None and done > stop_after:
            raise KeyboardInterrupt

    counting = Counting(tokenizer)
    encode_stream(cut_stream([text], size), counting, path, text=name, characters=len(text), progress=progress)
    return counting.encoded


@pytest.mark.parametrize("kind", ["char", "bpe", "gpt2"])
def test_a_second_call_goes_on_where_the_first_stopped(tmp_path, kind):
    path = tmp_path / "training.npy"
    tokenizer = tokenizer_of(kind)
    with pytest.raises(KeyboardInterrupt):
        run(path, tokenizer, stop_after=12_000)
    assert not path.exists()
    entry = json.loads((tmp_path / "training.npy.json").read_text())
    assert 12_000 < entry["characters"] < 14_000
    with pytest.raises(KeyboardInterrupt):
        run(path, tokenizer, stop_after=20_000, size=700)  # other pieces make no difference
    assert run(path, tokenizer) < 11_000
    assert np.array_equal(read_tokens(path), tokenizer.encode(TEXT))
    assert run(path, tokenizer) == 0
    assert tokenizer.counts is not None
    assert sum(tokenizer.counts) == len(read_tokens(path))


def test_what_was_written_after_the_last_entry_is_cut_off(tmp_path):
    path = tmp_path / "training.npy"
    tokenizer = tokenizer_of("bpe")
    with pytest.raises(KeyboardInterrupt):
        run(path, tokenizer, stop_after=12_000)
    with (tmp_path / "training.npy.part").open("ab") as file:
        file.write(b"\1\2\3" * 12_345)
    run(path, tokenizer)
    assert np.array_equal(read_tokens(path), tokenizer.encode(TEXT))


@pytest.mark.parametrize("change", ["text", "tokenizer", "lost", "short", "entry"])
def test_another_text_or_tokenizer_or_a_lost_file_starts_afresh(tmp_path, change):
    path = tmp_path / "training.npy"
    with pytest.raises(KeyboardInterrupt):
        run(path, tokenizer_of("bpe"), stop_after=12_000)
    tokenizer = tokenizer_of("bpe", 100 if change == "tokenizer" else None)
    if change == "lost":
        (tmp_path / "training.npy.part").unlink()
    elif change == "short":
        (tmp_path / "training.npy.part").write_bytes(b"cut")
    elif change == "entry":
        (tmp_path / "training.npy.json").write_text('{"text": ')
    text = TEXT[::-1] if change == "text" else TEXT
    assert run(path, tokenizer, text, name=text[:9] if change == "text" else "sum") == len(text)
    assert np.array_equal(read_tokens(path), tokenizer.encode(text))


def test_a_finished_file_stays_until_another_is_finished(tmp_path):
    path = tmp_path / "training.npy"
    run(path, tokenizer_of("bpe"))
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        run(path, tokenizer_of("char"), stop_after=12_000)
    assert path.read_bytes() == before
    assert run(path, tokenizer_of("char")) < len(TEXT)
    assert np.array_equal(read_tokens(path), tokenizer_of("char").encode(TEXT))


def test_a_text_that_changed_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"the text has 9 characters now and had 12 before") as caught:
        encode_stream(["some text"], tokenizer_of("char"), tmp_path / "a.npy", text="sum", characters=12)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.npy").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "no").write_text("a file")
    with pytest.raises(RunError, match=r"cannot write .*a.npy: File exists") as caught:
        encode_stream(["text"], tokenizer_of("char"), tmp_path / "no" / "a.npy", text="sum", characters=4)
    assert "\n" not in str(caught.value)


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "training.npy"
    tokenizer = tokenizer_of("bpe")
    settle, calls = encoding._settle, []

    def fail(file, where, done):
        calls.append(done)
        if len(calls) > 5:
            raise OSError(28, "No space left on device")
        settle(file, where, done)

    monkeypatch.setattr(encoding, "_ENTRY_SECONDS", 0)
    monkeypatch.setattr(encoding, "_settle", fail)
    with pytest.raises(RunError, match="No space left on device"):
        run(path, tokenizer)
    monkeypatch.setattr(encoding, "_settle", settle)
    assert 0 < run(path, tokenizer) < len(TEXT)
    assert np.array_equal(read_tokens(path), tokenizer.encode(TEXT))


PROGRAM = """
import sys, time
from pathlib import Path
from lilliput.data import encoding
from lilliput.tokenizers import train
text = Path(sys.argv[1]).read_text(encoding="utf-8")
encoding._ENTRY_SECONDS = 0
def pieces():
    for start in range(0, len(text), 100):
        time.sleep(0.005)
        yield text[start:start + 100]
encoding.encode_stream(pieces(), train("byte", "a"), Path(sys.argv[2]), text="sum", characters=len(text))
"""


def test_a_killed_process_is_continued(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8", newline="")
    path = tmp_path / "training.npy"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path / "text.txt"), str(path)])
    entry = tmp_path / "training.npy.json"
    end = time.monotonic() + 60
    while not (entry.exists() and json.loads(entry.read_text())["characters"] > 2000) and time.monotonic() < end:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not path.exists()
    tokenizer = train("byte", "a")
    assert 0 < run(path, tokenizer) < len(TEXT) - 2000
    assert np.array_equal(read_tokens(path), tokenizer.encode(TEXT))


def test_a_sample_is_spread_over_the_text():
    pieces = list(cut_stream([TEXT], 1000))
    assert list(spread_sample(pieces, len(TEXT), len(TEXT))) == pieces
    sample = list(spread_sample(pieces, len(TEXT), 3000))
    assert len(sample) == len(pieces)
    assert 2000 < sum(map(len, sample)) <= 3000
    for part, piece in zip(sample, pieces, strict=True):
        assert piece.startswith(part)
        assert piece[len(part)] in " \n"
    assert "".join(spread_sample(["x" * 100], 100, 10)) == "x" * 10


def test_char_and_byte_need_no_list_of_their_texts():
    given = []

    def texts():
        for part in cut_stream([TEXT], 1000):
            given.append(len(part))
            yield part

    assert train("char", texts()).pieces == tokenizer_of("char").pieces
    assert sum(given) == len(TEXT)
