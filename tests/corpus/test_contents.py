import gzip
import io
import json
import lzma
import zipfile

import pytest

from lilliput.errors import CorpusError
from tests.corpus.file_contents import notes, read, texts


def names(name, data):
    return [document for document, _ in read(name, data)[0]]


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return buffer.getvalue()


def test_json_lines_use_the_field_text():
    data = b'{"text": "one", "author": "x"}\n\n{"author": "y", "text": "two\\nlines"}\n'
    assert texts("a.jsonl", data) == ["one", "two\nlines"]
    assert names("a.jsonl", data) == ["a.jsonl:1", "a.jsonl:3"]


def test_json_lines_use_the_only_string_field():
    assert texts("a.jsonl", b'{"poem": "one", "year": 1857}\n') == ["one"]


def test_a_line_separator_inside_a_string_does_not_end_the_line():
    row = json.dumps({"text": "a\u2028b\u0085c"}, ensure_ascii=False)
    assert texts("a.jsonl", row.encode()) == ["a\u2028b\u0085c"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "cut', "a.jsonl, line 2 is not JSON"),
        ("[1, 2]", "line 2 is neither an object nor a string: write one a line"),
        ("[" * 100_000, "line 2 is not JSON"),
    ],
)
def test_a_broken_line_is_named(line, message):
    with pytest.raises(CorpusError, match=message):
        texts("a.jsonl", f'{{"text": "fine"}}\n{line}\n'.encode())


def test_a_table_uses_the_column_text():
    data = b'id,text,note\r\n1,"one, with\r\nbreak",a much longer note than that\r\n2,two,x\r\n'
    assert texts("a.csv", data) == ["one, with\nbreak", "two"]
    [note] = notes("a.csv", data)
    assert note.startswith(
        "a.csv: field 'text' read, 19 of 50 characters in 2 records; left out: 'id', 'note' (--field"
    )


def test_a_table_without_it_uses_the_longest_column_and_says_so():
    data = "id;vers\n1;Là, tout n'est qu'ordre\n2;et beauté\n".encode()
    assert texts("a.csv", data) == ["Là, tout n'est qu'ordre", "et beauté"]
    assert notes("a.csv", data) == (
        "a.csv: field 'vers' read, 32 of 34 characters in 2 records; left out: 'id' (--field NAME takes another)",
    )


def test_a_long_field_and_a_short_row():
    long = "word " * 40_000
    assert texts("a.csv", f"text,b\n{long},1\nshort\n".encode()) == [long, "short"]


def test_broken_tables():
    with pytest.raises(CorpusError, match=r"a.csv is not a table"):
        texts("a.csv", b'id,text\n1,"never closed\n')
    with pytest.raises(CorpusError, match=r"a.csv has no row below its first"):
        texts("a.csv", b"text\n")


def test_packed_files_hold_any_kind():
    rows = b'{"text": "one"}\n{"text": "two"}\n'
    assert texts("poems.jsonl.gz", gzip.compress(rows)) == ["one", "two"]
    assert texts("poems.txt.xz", lzma.compress("été".encode())) == ["été"]
    assert texts("poems.gz", gzip.compress(b"plain")) == ["plain"]
    assert texts("POEMS.TXT.GZ", gzip.compress(b"plain")) == ["plain"]


def test_members_of_a_zip_are_documents_in_sorted_order():
    data = zipped(
        **{"b.txt": b"B", "a__c.jsonl": b'{"text": "C"}', "deep.txt.gz": gzip.compress(b"D"), "cover.png": b"\0"}
    )
    assert texts("x.zip", data) == ["C", "B", "D"]
    assert names("x.zip", data) == ["a/c.jsonl:1", "b.txt", "deep.txt.gz"]


def test_hidden_members_are_left_out():
    assert texts("x.zip", zipped(**{".hidden.txt": b"no", "a.txt": b"yes", "__MACOSX____._a.txt": b"no"})) == ["yes"]


def test_a_zip_without_texts():
    with pytest.raises(CorpusError, match=r"x.zip holds no text \(left out: 1 .png \(no text\)\)"):
        texts("x.zip", zipped(**{"cover.png": b"\x89PNG\0"}))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt.gz", gzip.compress(b"some text" * 100)[:-20]),
        ("a.txt.gz", b"this is no gzip file"),
        ("a.txt.xz", lzma.compress(b"some text" * 100)[:-20]),
        ("a.zip", zipped(a=b"x")[:-10]),
        ("a.zip", b"no zip"),
    ],
    ids=["cut gz", "no gz", "cut xz", "cut zip", "no zip"],  # the data hold the time, and xdist compares names
)
def test_broken_archives_are_refused_in_one_line(name, data):
    with pytest.raises(CorpusError, match="download or pack the file again") as caught:
        texts(name, data)
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)


def test_a_member_that_fails_its_checksum():
    data = zipped(**{"a.txt": b"some text that is long enough to be packed " * 9})
    at = data.index(b"a.txt") + len(b"a.txt") + 4
    broken = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
    with pytest.raises(CorpusError, match=r"x.zip/a.txt cannot be unpacked"):
        texts("x.zip", broken)


def test_absurd_expansion_is_refused(monkeypatch):
    monkeypatch.setattr("lilliput.corpus.files.expansion._ALWAYS_ALLOWED", 1000)
    with pytest.raises(CorpusError, match="unpacks to more than"):
        texts("bomb.txt.gz", gzip.compress(b"a" * 1_000_000))
    with pytest.raises(CorpusError, match="unpacks to more than"):
        texts("bomb.zip", zipped(**{"a.txt": b"a" * 1_000_000}))


def test_empty_files_hold_nothing():
    assert texts("a.txt", b"") == []
    assert texts("a.csv", b" \r\n") == []
