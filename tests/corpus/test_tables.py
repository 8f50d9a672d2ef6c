import io
import re
import sys

import pyarrow
import pytest
from pyarrow import parquet

from lilliput.corpus import read_files
from lilliput.corpus.settings import AUTOMATIC, FieldSettings
from lilliput.corpus.tables.parquet import ParquetTable
from lilliput.corpus.tables.records import open_records
from lilliput.corpus.tables.text_fields import TextTable
from lilliput.errors import CorpusError, DependencyError
from tests.corpus import file_contents


def stored(columns, **options):
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), buffer, **options)
    return buffer.getvalue()


def texts(data):
    return file_contents.texts("a.parquet", data)


def notes(data):
    return file_contents.notes("a.parquet", data)


def test_the_column_text_is_taken():
    data = stored({"title": ["a much longer title"] * 2, "text": ["one", "two"], "id": [1, 2]})
    assert file_contents.read("a.parquet", data)[0] == [("a.parquet:1", "one"), ("a.parquet:2", "two")]
    [note] = notes(data)
    assert re.fullmatch(
        r"a.parquet: field 'text' read, \d+ of \d+ bytes in 2 records; left out: 'title', 'id' \(--field NAME .*", note
    )


def test_without_it_the_longest_column_of_strings_is_taken():
    data = stored({"id": list(range(50)), "kind": ["x"] * 50, "poem": [f"verse {number}" * 9 for number in range(50)]})
    assert texts(data)[3] == "verse 3" * 9
    [note] = notes(data)
    assert note.startswith("a.parquet: field 'poem' read, ")
    assert note.endswith(" bytes in 50 records; left out: 'id', 'kind' (--field NAME takes another)")


def test_lines_are_put_together_as_they_stood_in_the_plain_file():
    lines = [" \n", " = Title = \n", " \n", " Words , and a sign . \n"]
    rows = [line if line.strip() else "" for line in lines]
    assert texts(stored({"text": rows})) == ["".join(lines)]
    assert texts(stored({"text": ["A\n", "", None, "B\n"]})) == ["A\n\n\nB\n"]


def test_rows_of_which_one_has_no_line_end_are_documents():
    assert texts(stored({"text": ["A\n", "B", "", None]})) == ["A\n", "B", "", ""]
    assert texts(stored({"text": ["", ""]})) == ["", ""]


def test_row_groups_packing_and_dictionaries_make_no_difference():
    rows = [f"row {number % 7}" for number in range(3000)]
    for options in ({"row_group_size": 100}, {"compression": "zstd"}, {"use_dictionary": True}, {"version": "1.0"}):
        assert texts(stored({"text": rows}, **options)) == rows
    assert texts(stored({"text": pyarrow.array(rows).dictionary_encode()})) == rows
    assert texts(stored({"text": pyarrow.array(rows, pyarrow.large_string())})) == rows


def test_a_folder_is_read_with_its_parquet_files(tmp_path):
    (tmp_path / "a.txt").write_text("A")
    (tmp_path / "b.parquet").write_bytes(stored({"text": ["B"]}))
    corpus = read_files([tmp_path])
    assert corpus.text == "A\n\nB"
    assert any(note.startswith("read b.parquet as Parquet, rows, ") for note in corpus.notes)


@pytest.mark.parametrize("cut", [0, 4, 60, -9])
def test_a_broken_file_is_one_line(cut):
    data = stored({"text": ["one", "two"]})
    with pytest.raises(CorpusError, match=r"^a.parquet cannot be read as Parquet \(.*\): download the file again$"):
        texts(data[:cut] or b"nothing")


def test_a_damaged_page_is_one_line():
    data = bytearray(stored({"text": [f"row number {number}" for number in range(2000)]}))
    data[30:200] = bytes(170)
    with pytest.raises(CorpusError, match="cannot be read as Parquet") as caught:
        texts(bytes(data))
    assert "\n" not in str(caught.value)


def test_a_file_without_strings():
    with pytest.raises(
        CorpusError, match=r"a.parquet has no field with text \(its fields: 'id'\): .* best named \"text\""
    ):
        texts(stored({"id": [1, 2]}))


def test_without_pyarrow_the_error_names_the_extra(monkeypatch):
    data = stored({"text": ["one"]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DependencyError, match=r"reading a.parquet needs the package pyarrow: .*lilliput\[hub\]"):
        texts(data)


def test_rows_can_be_read_twice():
    table = ParquetTable("a.parquet", io.BytesIO(stored({"text": ["one", "two"]})), AUTOMATIC.fields)
    assert list(table.rows()) == list(table.rows()) == ["one", "two"]


def table(name, *texts, fields=AUTOMATIC.fields):
    """Return the texts of a table that comes in pieces, and all notes about it."""
    records = open_records(name, name[name.rindex(".") :], texts)
    table = TextTable(name, records, fields)
    found = [document.text for document in table.documents()]
    return found, list(table.notes)


def test_the_longest_column_is_chosen_from_the_beginning_of_a_table():
    rows = [f"{number},{'short' * 3}\n" for number in range(80_000)]
    found, [note] = table("a.csv", "id,verse\n", *rows, f"{'9' * 2_000_000},x\n")
    assert found[0] == "short" * 3
    assert note.startswith(
        "a.csv: field 'verse' read, 1,200,001 of 3,588,891 characters in 80,001 records; left out: 'id'"
    )


def test_blank_lines_before_the_names_of_the_columns():
    assert table("a.csv", "\n", " \n", "id,text\n", "1,one\n")[0] == ["one"]


def test_a_column_alone_is_not_parted():
    lines = [f"The ship {number}, old and grey, sailed on\n" for number in range(300)]
    found, [note] = table("s.csv", "sentence\n", *lines)
    assert "".join(f"{text}\n" for text in found) == "".join(lines)
    assert note == "s.csv: field 'sentence' read, 10,990 of 10,990 characters in 300 records"


def test_a_column_alone_may_be_quoted():
    assert table("s.csv", 'text\n"one, two"\n"a ""b"" c"\nplain\n')[0] == ["one, two", 'a "b" c', "plain"]
    # Speech is no quoting.
    assert table("s.csv", 'text\n"Come," he said.\n"No."\n')[0] == ['"Come," he said.', '"No."']


def test_lines_of_text_are_no_table_for_their_commas():
    lines = ["It rained, and it was cold.\n", "Nobody came.\n", "He left, though, at noon, alone.\n"] * 9
    found, notes = table("s.csv", *lines)
    assert "".join(f"{text}\n" for text in found) == "".join(lines)
    assert notes[0] == "s.csv: the first row does not name the columns and was read like the others"


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ("id,text\n1,one two\n2,three\n", True),
        ("v1,v2\nham,Are you there\nspam,Win money\n", True),
        ("ham,Are you there\nspam,Win money\nham,Later\n", False),
        ("1,one two\n2,three\n", False),
        ("Nobody came to the harbour that day.,3\nHe left,4\n", False),
        (",text\n0,one\n1,two\n", True),
        ("name\nEmma\nOlivia\n", True),
        ("Emma\nOlivia\nAva\n", False),
        ("review_body\nGood\nBad\n", True),
        ("utterance\nCome in here\nGo away now\n", True),
    ],
)
def test_a_first_row_that_names_no_columns_is_read(rows, named):
    found, notes = table("a.csv", rows)
    assert len(found) == rows.count("\n") - named
    assert any("does not name the columns" in note for note in notes) is not named


def test_rows_that_are_too_long_lose_nothing_and_are_told():
    found, notes = table("a.csv", "id,text\n1,one\n2,two, three, four\n3,five,\n")
    assert found == ["one", "two, three, four", "five,"]
    assert notes[0] == (
        "a.csv: 2 rows have more fields than there are columns (the first is line 3); "
        "the surplus fields were joined to the last column"
    )


def test_tabs_part_columns_and_quotes_are_text():
    rows = ['1\t"Come in.\t2020\n', "2\tGo, now\t2021\n", '3\t"No" means "no"\t2022\n']
    found, [note] = table("a.tsv", "id\tsaid\tyear\n", *rows)
    assert found == ['"Come in.', "Go, now", '"No" means "no"']
    assert note.startswith("a.tsv: field 'said' read, 31 of 46 characters in 3 records; left out: 'id', 'year'")


def test_a_tab_file_with_quoted_fields():
    assert table("a.tsv", 'id\ttext\n1\t"one\ntwo"\n2\t"a ""b"""\n')[0] == ["one\ntwo", 'a "b"']


def test_a_field_is_asked_for():
    text = '{"text": "one", "title": "A"}\n{"text": "two"}\n{"title": null, "text": "three"}\n'
    found, [note] = table("a.jsonl", text, fields=FieldSettings(text="title"))
    assert found == ["A"]
    assert note == (
        "a.jsonl: field 'title' read, 1 of 12 characters in 3 records; left out: 'text' (--field NAME takes another); "
        "2 records without it left out"
    )
    with pytest.raises(
        CorpusError, match=r"a.jsonl has no field 'body' with text \(its fields: 'text', 'title'\): name one"
    ):
        table("a.jsonl", text, fields=FieldSettings(text="body"))


def test_nothing_is_refused_for_a_null():
    found, [note] = table("a.jsonl", '{"text": "one"}\n{"text": null}\n{"id": 3}\n"two"\n')
    assert found == ["one", "two"]
    assert note == (
        "a.jsonl: field 'text' read, 6 of 6 characters in 4 records; left out: 'id' (--field NAME takes another); "
        "2 records without it left out"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('["one", "two"]', ["one", "two"]),
        ('[{"text": "one"}, {"text": "two"}]', ["one", "two"]),
        ('{"text": "one"}', ["one"]),
        ('{"text": "one"}\n{"text": "two"}\n', ["one", "two"]),
        ('{"title": "T", "poems": [{"lines": ["a", "b"]}, {"lines": ["c"]}], "tags": ["x"]}', ["a\nb", "c"]),
        (
            '{"name": "chat", "messages": [{"from_id": 1, "text": ["see ", {"type": "link", "text": "it"}]}]}',
            ["see it"],
        ),
    ],
)
def test_shapes_of_json(text, found):
    assert table("a.json", text)[0] == found


@pytest.mark.parametrize("text", ["3", "[]", "[1, 2]", '{"a": {"b": "c"}}', "[[1]]", "{}"])
def test_other_shapes_of_json_are_told_which_can_be_read(text):
    with pytest.raises(CorpusError, match=r'a.json is JSON of an unsupported shape: give a list of objects .*"text"'):
        table("a.json", text)


def test_broken_json_is_one_line():
    with pytest.raises(CorpusError, match=r"a.json is not JSON \(.*\): correct it, or give the text as .txt"):
        table("a.json", '[{"text": "cut')
