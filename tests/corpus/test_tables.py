import io
import sys

import pyarrow
import pytest
from pyarrow import parquet

from lilliput.corpus import read_files
from lilliput.corpus.tables import CsvTable, ParquetTable
from lilliput.corpus.unpacking import unpack
from lilliput.errors import CorpusError, DependencyError


def stored(columns, **options):
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), buffer, **options)
    return buffer.getvalue()


def texts(data):
    return [document.text for found in unpack("a.parquet", data) for document in found.documents]


def test_the_column_text_is_taken():
    (found,) = unpack("a.parquet", stored({"title": ["a much longer title"] * 2, "text": ["one", "two"], "id": [1, 2]}))
    assert [document.text for document in found.documents] == ["one", "two"]
    assert [document.name for document in found.documents] == ["a.parquet:1", "a.parquet:2"]
    assert found.notes == ("a.parquet: column 'text' taken as the text; 2 rows",)


def test_without_it_the_longest_column_of_strings_is_taken():
    data = stored({"id": list(range(50)), "kind": ["x"] * 50, "poem": [f"verse {number}" * 9 for number in range(50)]})
    (found,) = unpack("a.parquet", data)
    assert found.documents[3].text == "verse 3" * 9
    assert found.notes == ("a.parquet: column 'poem' taken as the text, the longest of 2; 50 rows",)


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
    with pytest.raises(CorpusError, match=r"^a.parquet cannot be read as Parquet \(.*\): fetch the file again$"):
        texts(data[:cut] or b"nothing")


def test_a_damaged_page_is_one_line():
    data = bytearray(stored({"text": [f"row number {number}" for number in range(2000)]}))
    data[30:200] = bytes(170)
    with pytest.raises(CorpusError, match="cannot be read as Parquet") as caught:
        texts(bytes(data))
    assert "\n" not in str(caught.value)


def test_a_file_without_strings():
    with pytest.raises(CorpusError, match=r'a.parquet has no column of strings: .* best named "text"'):
        texts(stored({"id": [1, 2]}))


def test_without_pyarrow_the_error_names_the_extra(monkeypatch):
    data = stored({"text": ["one"]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DependencyError, match=r"reading a.parquet needs the package pyarrow: .*lilliput\[hub\]"):
        texts(data)


def test_rows_can_be_read_twice():
    table = ParquetTable("a.parquet", io.BytesIO(stored({"text": ["one", "two"]})))
    assert list(table.rows()) == list(table.rows()) == ["one", "two"]


def test_the_longest_column_is_chosen_from_the_beginning_of_a_table():
    rows = [f"{number},{'short' * 3}\n" for number in range(80_000)]
    table = CsvTable("a.csv", ["id,verse\n", *rows, f"{'9' * 2_000_000},x\n"])
    documents = list(table.documents())
    assert documents[0].text == "short" * 3
    assert table.note == "a.csv: column 'verse' taken as the text, the longest of 2; 80,001 rows"


def test_blank_lines_before_the_names_of_the_columns():
    assert [row.text for row in CsvTable("a.csv", ["\n", " \n", "id,text\n", "1,one\n"]).documents()] == ["one"]
