import json

import numpy as np
import pytest

from lilliput.errors import TokenizerError
from lilliput.tokenizers import load, train
from lilliput.tokenizers.storage import visible

KINDS = ("char", "byte", "bpe", "wordpiece", "unigram", "word")
PROBE = "Bou lé, 1857 \ud800☃\r\n\0 inconnu 漢"


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_is_loaded(tokenizer_of, text, tmp_path, kind):
    tokenizer = tokenizer_of(kind, None if kind in ("char", "byte") else 128)
    tokenizer.save(tmp_path / "new")
    loaded = load(tmp_path / "new")
    assert (loaded.kind, loaded.vocab_size, loaded.normalize) == (kind, tokenizer.vocab_size, ())
    assert loaded.pieces == tokenizer.pieces
    assert loaded.encode(text + PROBE).tolist() == tokenizer.encode(text + PROBE).tolist()
    assert loaded.decode(loaded.encode(PROBE)) == PROBE
    loaded.save(tmp_path / "again")
    for name in ("tokenizer.json", "vocabulary.txt"):
        assert (tmp_path / "new" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_normalisation_is_loaded(tmp_path):
    train("char", "abc", None, ("lowercase", "nfc")).save(tmp_path)
    assert load(tmp_path).decode(load(tmp_path).encode("ABC")) == "abc"


def test_people_can_read_the_vocabulary(tmp_path):
    tokenizer = train("char", "aab \n\t\\é☃")
    tokenizer.count([tokenizer.encode("aab \n\t\\é☃")])
    tokenizer.save(tmp_path)
    lines = (tmp_path / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines[1:]]
    assert lines[0].startswith("#")
    assert [row[0] for row in rows] == [str(number) for number in range(len(rows))]
    assert rows[:8] == [
        ["0", r"\t", "1"],
        ["1", r"\n", "1"],
        ["2", "␣", "1"],
        ["3", r"\\", "1"],
        ["4", "a", "2"],
        ["5", "b", "1"],
        ["6", "é", "1"],
        ["7", "☃", "1"],
    ]
    assert rows[8] == ["8", "‹0›", "0"]
    assert visible("a\u2028\x00") == r"a\u2028\x00"


def test_counts_are_of_all_parts_and_are_loaded(tmp_path, text):
    tokenizer = train("bpe", text, 64)
    ids = tokenizer.encode(text)
    tokenizer.count([ids[:100], ids[100:]])
    tokenizer.save(tmp_path)
    rows = [line.split("\t") for line in (tmp_path / "vocabulary.txt").read_text(encoding="utf-8").splitlines()[1:]]
    assert [int(row[2]) for row in rows] == np.bincount(ids, minlength=64).tolist()
    assert load(tmp_path).counts == tokenizer.counts


def test_a_tokenizer_that_was_not_counted_says_so(tmp_path):
    train("char", "ab").save(tmp_path)
    lines = (tmp_path / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "0\ta\t-"


@pytest.mark.parametrize("kind", KINDS)
def test_the_fingerprint_is_that_of_the_ids(tokenizer_of, text, tmp_path, kind):
    tokenizer = tokenizer_of(kind, None if kind in ("char", "byte") else 128)
    tokenizer.save(tmp_path)
    loaded = load(tmp_path)
    loaded.count([loaded.encode("la")])
    assert loaded.fingerprint == tokenizer.fingerprint
    assert train(kind, text, tokenizer.vocab_size, ["nfc"]).fingerprint != tokenizer.fingerprint


def test_a_missing_folder_is_one_line(tmp_path):
    with pytest.raises(TokenizerError, match="no tokenizer in") as caught:
        load(tmp_path / "nowhere")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b'{"format": ', "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[]", "not JSON: not a JSON object"),
        (b'{"version": "1.0", "model": {"type": "BPE"}}', "not written by Lilliput"),
        (b'{"format": "lilliput.tokenizer", "version": 2}', "upgrade lilliput"),
        (b'{"format": "lilliput.tokenizer", "version": 1, "kind": "char"}', "normalize"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path, content, message):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(TokenizerError, match=message) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "key", "change"),
    [
        ("char", "pieces", lambda value: value[:-1]),
        ("char", "pieces", lambda value: [*value, value[0]]),
        ("char", "pieces", lambda value: [*value, "ab"]),
        ("char", "pieces", lambda value: [*value, ""]),
        ("char", "counts", lambda value: value[:-1]),
        ("byte", "counts", lambda value: value[:-1]),
        ("char", "kind", lambda value: "chars"),
        ("bpe", "pieces", lambda value: [*value, "\U0001f600\U0001f600"]),
        ("bpe", "merges", lambda value: [*value, [0, 10**6]]),
        ("bpe", "merges", lambda value: [*value, [-1, 0]]),
        ("bpe", "merges", lambda value: "x"),
        ("bpe", "surprise", lambda value: 1),
        ("unigram", "scores", lambda value: value[:-1]),
        ("unigram", "scores", lambda value: [None, *value[1:]]),
    ],
)
def test_a_damaged_content_is_found(tokenizer_of, tmp_path, kind, key, change):
    tokenizer = tokenizer_of(kind, None if kind in ("char", "byte") else 64)
    tokenizer.count([tokenizer.encode("la")])
    tokenizer.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content[key] = change(content.get(key))
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(TokenizerError, match="is damaged") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(TokenizerError, match="cannot write"):
        train("byte", "a").save(tmp_path / "file")
