import gzip
import io
import itertools
import json
import lzma
import random
import zipfile
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from lilliput.corpus import read_files
from lilliput.corpus.files import large_texts
from lilliput.corpus.files.large_texts import is_large, open_large, survey
from lilliput.corpus.text import streams
from lilliput.errors import CorpusError
from tests.conftest import made_up_text
from tests.corpus.file_contents import make_small

START = "*** START OF THE PROJECT GUTENBERG EBOOK {} ***\n"
END = "*** END OF THE PROJECT GUTENBERG EBOOK {} ***\n"
ODD = [
    "é",
    "e\u0301",
    "\u0301",
    " ",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\ufeff",
    "\u1100",
    "\u1161",
    "\u11a8",
    "Σ",
    "a",
    "\t",
]


@pytest.fixture
def small(monkeypatch):
    """Make every file a large one."""
    make_small(monkeypatch, 300, 64)
    monkeypatch.setattr(streams, "_FRAME_LINES", 200)


def assert_same_as_whole(paths):
    """Compare the stream with the whole text, and return it."""
    corpus = read_files(paths)
    large = open_large(paths)
    pieces = list(large.pieces())
    assert "".join(pieces) == corpus.text
    found = survey(large)
    assert (found.sha256, found.characters, large.name) == (corpus.sha256, corpus.characters, corpus.name)
    assert found.bytes == len(corpus.text.encode())
    assert found.documents == len(corpus.documents)
    assert set(found.notes) == set(corpus.notes)
    for before, after in itertools.pairwise(pieces):
        assert not before[-1].isspace()
        assert after[0] in " \n"
    return corpus.text


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def stored(rows):
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": rows}), buffer, row_group_size=10)
    return buffer.getvalue()


TEXT = made_up_text(5000).replace("lamp", "lampe\u0301")
ROWS = [{"id": number, "text": line} for number, line in enumerate(TEXT.split("\n"))]
CONTENTS = {
    "plain.txt": TEXT.encode(),
    "marked.md": ("\ufeff\ufeff" + TEXT).encode("utf-8-sig"),
    "windows.txt": TEXT.replace("\n", "\r\n").encode("utf-16"),
    "mac.raw": TEXT.replace("\n", "\r").encode(),
    "western.txt": TEXT.replace("e\u0301", "é").encode("cp1252"),
    "dos.txt": TEXT.replace("\n", "\r\n").encode() + b"\x1a",
    "packed.txt.gz": gzip.compress(TEXT.encode()),
    "packed.tokens.xz": lzma.compress(TEXT.encode()),
    "twice.txt.gz.xz": lzma.compress(gzip.compress(TEXT.encode())),
    "rows.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    "rows.jsonl.gz": gzip.compress("\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode()),
    "rows.csv": ("id,text\r\n" + "".join(f'{row["id"]},"{row["text"]}"\r\n' for row in ROWS)).encode(),
    "lines.csv": ("verse\n" + "".join(f'"{row["text"]}\n\nmore"\n' for row in ROWS)).encode(),
    "rows.parquet": stored([row["text"] for row in ROWS]),
    "lines.parquet": stored([line + " \n" if line else "" for line in TEXT.split("\n")]),
    "several.zip": zipped(
        {"b.txt": TEXT, "a.jsonl": json.dumps(ROWS[0]), "c/d.txt.gz": gzip.compress(TEXT.encode()), "e.png": b"\0"}
    ),
    "nested.zip": zipped({"inner.zip": zipped({"a.txt": TEXT}), "rows.parquet": stored(["one", "two"])}),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_stream_is_the_text_that_is_read_at_once(small, tmp_path, name):
    (tmp_path / name).write_bytes(CONTENTS[name])
    assert_same_as_whole([tmp_path / name])


def test_files_and_folders_are_joined_in_the_same_order(small, tmp_path):
    for name, data in CONTENTS.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "blank.txt").write_text("\n" * 100)
    (tmp_path / "short.txt").write_text("short")
    assert_same_as_whole([tmp_path / "short.txt", tmp_path, tmp_path / "plain.txt"])


@settings(max_examples=150, deadline=None)
@given(text=st.lists(st.sampled_from(ODD), max_size=400).map("".join), seed=st.integers(0, 9))
def test_the_canonical_form_does_not_depend_on_the_cuts(tmp_path_factory, text, seed):
    folder = tmp_path_factory.mktemp("odd")
    texts = [text[:seed] + "words " * 50 + text, "x" + text]
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, 40, 1 + seed)
        for number, part in enumerate(texts):
            (folder / f"{number}.txt").write_text(part, encoding="utf-8", newline="")
        assert_same_as_whole([folder])


def book(number, body):
    inside = f"Produced by Nobody\n\n{body}\n"
    return f"Header {number}\n{START.format(number)}\n{inside}\n{END.format(number)}Licence {number}\n"


def test_a_large_file_of_books_keeps_their_bodies(small, tmp_path):
    file = tmp_path / "books.txt"
    file.write_text("".join(book(number, made_up_text(700, number)) for number in range(1, 9)))
    text = assert_same_as_whole([file])
    assert "Licence" not in text
    assert "Produced" not in text


def test_a_frame_without_an_end(small, tmp_path):
    file = tmp_path / "book.txt"
    file.write_text(book(1, TEXT) + "Header\n" + START.format(2) + TEXT)
    assert_same_as_whole([file])


def test_members_of_an_archive_are_chosen_by_name(small, tmp_path):
    file = tmp_path / "set.zip"
    file.write_bytes(zipped({"x/wiki.train.tokens": TEXT, "x/wiki.valid.tokens": "no"}))
    assert "".join(open_large([file], "wiki", "*train*").pieces()) == read_files([file]).documents[0].text
    assert open_large([file], "wiki").name == "wiki"
    assert "".join(open_large([file], members="*else*").pieces()).endswith("no")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt.gz", gzip.compress(TEXT.encode(), mtime=0)[:-20], "a.txt.gz cannot be unpacked"),
        ("a.txt.xz", b"no xz", "a.txt.xz cannot be unpacked"),
        ("a.zip", b"no zip", "a.zip is not a valid .zip file"),
        ("a.txt", TEXT.encode() + b"\0", "a.txt is binary, not text"),
        ("a.txt", TEXT.encode()[:2000] + b"\xe9\xe8" * 300, "a.txt begins as UTF-8 and has 600 bytes that are not"),
        ("a.jsonl", b'{"text": "fine"}\n' * 100 + b'{"text": "cut', "a.jsonl, line 101 is not JSON"),
        ("a.csv", b"id,text\n" + b"1,fine\n" * 200 + b'1,"open', "a.csv is not a table"),
        ("a.parquet", b"no table", "a.parquet cannot be read as Parquet"),
        ("a.txt", b" \n" * 1000, "there is no text in a"),
    ],
)
def test_errors_are_one_line_and_leave_no_file_open(small, tmp_path, monkeypatch, name, data, message):
    (tmp_path / name).write_bytes(data)
    files = []
    path_open = Path.open
    monkeypatch.setattr(Path, "open", lambda *given: files.append(path_open(*given)) or files[-1])
    with pytest.raises(CorpusError, match=message) as caught:
        survey(open_large([tmp_path / name]))
    assert "\n" not in str(caught.value)
    assert [file.closed for file in files] == [True]


def test_absurd_expansion_is_refused(small, tmp_path, monkeypatch):
    monkeypatch.setattr("lilliput.corpus.files.expansion._ALWAYS_ALLOWED", 1000)
    (tmp_path / "bomb.txt.gz").write_bytes(gzip.compress(b"a" * 1_000_000))
    with pytest.raises(CorpusError, match="unpacks to more than"):
        survey(open_large([tmp_path / "bomb.txt.gz"]))


def test_a_missing_file_is_told_as_ever(tmp_path):
    with pytest.raises(CorpusError, match="there is no file"):
        open_large([tmp_path / "nothing.txt"])


def test_large_is_a_matter_of_the_unpacked_size(tmp_path, monkeypatch):
    monkeypatch.setattr(large_texts, "LARGE", 10_000)
    noise = random.Random(0).randbytes(4000)
    for name, size, large in [
        ("a.txt", 10_000, False),
        ("b.txt", 10_001, True),
        ("c.txt.gz", 4000, True),
        ("d.txt.gz", 3000, False),
        ("e.zip", 4000, False),
    ]:
        (tmp_path / name).write_bytes((noise * 3)[:size])
        assert is_large([tmp_path / name]) == large
    (tmp_path / "f.zip").write_bytes(zipped({"a.txt": "a" * 10_001, "b.png": "b" * 50_000}))
    assert is_large([tmp_path / "f.zip"])
    assert is_large([tmp_path])
    assert not is_large(["-"])
    assert not is_large([tmp_path / "nothing.txt"])


def test_progress_ends_at_the_size_on_the_disk(small, tmp_path):
    for name in ("plain.txt", "packed.txt.gz", "rows.parquet", "several.zip"):
        (tmp_path / name).write_bytes(CONTENTS[name])
        large = open_large([tmp_path / name])
        calls = []
        survey(large, lambda done, total, calls=calls: calls.append((done, total)))
        assert calls[-1] == (large.size, large.size)
        assert all(0 <= done <= total == large.size for done, total in calls)
    large = open_large([tmp_path / "plain.txt"])
    calls = []
    survey(large, lambda done, total: calls.append(done))
    assert calls == sorted(calls)
    assert len(set(calls)) > 3


def test_a_text_without_a_place_to_cut_is_one_piece():
    fragments = ["x" * 100] * 50
    assert list(streams.cut_stream(fragments, 10)) == ["x" * 5000]
    assert list(streams.cut_stream([*fragments, " y z"], 10)) == ["x" * 5000, " y z"]
    assert list(streams.cut_stream([], 10)) == list(streams.cut_stream([""], 10)) == []
