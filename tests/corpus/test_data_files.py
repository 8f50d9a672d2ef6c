import hashlib
from dataclasses import replace

import pytest

from lilliput.corpus import find_file
from lilliput.corpus.named.catalogue import DATA_FILES
from lilliput.errors import CorpusError

MERGES = b"#version: 0.2\na b\n"


@pytest.fixture
def known(server, monkeypatch):
    server.files["/vocab.bpe"] = MERGES
    entry = replace(
        DATA_FILES["vocab.bpe"], sha256=hashlib.sha256(MERGES).hexdigest(), address=f"{server.address}/vocab.bpe"
    )
    monkeypatch.setitem(DATA_FILES, "vocab.bpe", entry)


def test_data_folders_come_first(known, server, tmp_path, monkeypatch):
    (tmp_path / "gpt2").mkdir()
    (tmp_path / "gpt2" / "vocab.bpe").write_bytes(MERGES)
    monkeypatch.setenv("LILLIPUT_DATA", str(tmp_path))
    assert find_file("vocab.bpe") == tmp_path / "gpt2" / "vocab.bpe"
    assert server.requests == []


def test_the_address_fills_the_cache(known, server, own_places):
    path = find_file("vocab.bpe")
    assert path == own_places / "files" / "vocab.bpe"
    assert path.read_bytes() == MERGES
    assert find_file("vocab.bpe") == path
    assert len(server.requests) == 1


def test_a_file_that_differs_is_passed_over_and_named(known, server, tmp_path, monkeypatch):
    (tmp_path / "vocab.bpe").write_bytes(MERGES + b"x")
    monkeypatch.setenv("LILLIPUT_DATA", str(tmp_path))
    server.files["/vocab.bpe"] = b"something else"
    with pytest.raises(CorpusError) as caught:
        find_file("vocab.bpe")
    message = str(caught.value)
    assert f"the checksum of {tmp_path / 'vocab.bpe'} differs" in message
    assert f"{server.address}/vocab.bpe is another file now (its checksum differs)" in message
    assert "by hand and save it as" in message
    assert "\n" not in message
    server.files["/vocab.bpe"] = MERGES
    assert find_file("vocab.bpe").read_bytes() == MERGES


def test_an_unknown_data_file():
    with pytest.raises(CorpusError, match=r"there is no data file x: choose one of gpt2.tiktoken, vocab.bpe"):
        find_file("x")
