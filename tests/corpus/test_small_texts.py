import gzip
import hashlib
import io
import sys

import pytest

from lilliput import corpus
from lilliput.corpus import JOINT, read_files
from lilliput.corpus.named.corpora import open_corpus
from lilliput.errors import CorpusError


def test_one_file(tmp_path):
    file = tmp_path / "poems.txt"
    file.write_bytes("Café\r\nnoir\r\n".encode("latin-1"))
    corpus = read_files([file])
    assert corpus.name == "poems"
    assert corpus.text == "Café\nnoir\n"
    assert corpus.characters == 10
    assert corpus.notes == (
        "read poems.txt as Latin-1 (cp1252), CRLF, 12 bytes",
        'poems.txt, as read: "Café"',
    )
    assert corpus.sha256 == hashlib.sha256("Café\nnoir\n".encode()).hexdigest()


def test_several_files_keep_their_order(tmp_path):
    for name in "ba":
        (tmp_path / f"{name}.txt").write_text(name.upper())
    corpus = read_files([tmp_path / "b.txt", str(tmp_path / "a.txt")])
    assert corpus.text == "B" + JOINT + "A"
    assert corpus.name == "b-and-1-more"


def test_a_file_given_twice_is_read_once(tmp_path):
    (tmp_path / "a.txt").write_text("A")
    corpus = read_files([tmp_path, tmp_path / "a.txt"])
    assert corpus.text == "A"
    assert "a.txt was given twice and read once" in corpus.notes


def test_a_folder_is_read_recursively_in_sorted_order(tmp_path):
    for name in ["b.txt", "a/z.md", "a/b.jsonl.gz", ".hidden.txt", ".git/x.txt", "picture.png", "c.TXT"]:
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = gzip.compress(b'{"text": "packed"}') if name.endswith("gz") else name.encode()
        path.write_bytes(b"\x89PNG\0" if name.endswith("png") else content)
    corpus = read_files([tmp_path / "texts"])
    assert [document.text for document in corpus.documents] == ["packed", "a/z.md", "b.txt", "c.TXT"]
    assert [document.name for document in corpus.documents] == ["a/b.jsonl.gz:1", "a/z.md", "b.txt", "c.TXT"]
    assert corpus.name == "texts"
    assert corpus.notes[:2] == (
        "texts: read 2 .txt, 1 .gz, 1 .md (left out: 2 hidden or of tools, 1 .png (no text))",
        "read 4 files as ASCII, one line, 34 bytes",
    )


def test_a_folder_without_texts(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0")
    with pytest.raises(CorpusError, match=r"holds no text \(left out: 1 .png \(no text\)\): give a folder with texts"):
        read_files([tmp_path])


def test_a_named_file_is_read_whatever_its_suffix(tmp_path):
    (tmp_path / "novel.tex").write_text("Call me something.")
    assert read_files([tmp_path / "novel.tex"]).text == "Call me something."


def test_standard_input(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO("Café\r\n".encode("utf-16")))
    monkeypatch.setattr(sys, "stdin", stream)
    corpus = read_files(["-"])
    assert corpus.text == "Café\n"
    assert corpus.name == "standard-input"
    assert corpus.notes == ("read standard input as UTF-16, CRLF, 14 bytes",)


def test_empty_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(CorpusError, match="there is no text in standard input: it is empty"):
        read_files(["-"])


@pytest.mark.parametrize("data", [b"", b" \r\n\t \n", "\ufeff\n".encode()])
def test_an_empty_text_is_an_error(tmp_path, data):
    (tmp_path / "empty.txt").write_bytes(data)
    with pytest.raises(CorpusError, match=r"there is no text in .*empty.txt"):
        read_files([tmp_path / "empty.txt"])


def test_empty_documents_among_others_are_left_out_and_counted(tmp_path):
    (tmp_path / "a.txt").write_text("A")
    (tmp_path / "b.txt").write_text("\n")
    corpus = read_files([tmp_path])
    assert corpus.text == "A"
    assert "1 empty document left out" in corpus.notes


def test_the_frame_is_noted(tmp_path):
    start = "*** START OF THE PROJECT GUTENBERG EBOOK X ***"
    (tmp_path / "x.txt").write_text(f"Header\n{start}\n\nBody.\n\n{start.replace('START', 'END')}\nLicence\n")
    corpus = read_files([tmp_path / "x.txt"])
    assert corpus.text == "Body.\n"
    assert any(note.startswith("Project Gutenberg frame removed: ") for note in corpus.notes)


def test_no_text_given():
    with pytest.raises(CorpusError, match="no text was given"):
        read_files([])


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "poems.txt").write_text("x")
    with pytest.raises(CorpusError, match=r"there is no file.*did you mean .*poems.txt"):
        read_files([tmp_path / "peoms.txt"])


def test_a_missing_file_suggests_a_named_corpus():
    with pytest.raises(CorpusError, match="did you mean shakespeare"):
        open_corpus(["shakespere"])


def test_a_missing_file_without_a_neighbour(tmp_path):
    with pytest.raises(CorpusError, match="check the path, or choose a named corpus"):
        read_files([tmp_path / "no" / "such" / "thing.txt"])


def test_a_text_where_a_path_should_stand():
    with pytest.raises(CorpusError, match="cannot be read") as caught:
        read_files(["It was the best of times, " * 40])
    assert "\n" not in str(caught.value)


def test_a_named_corpus_among_files(tmp_path):
    (tmp_path / "a.txt").write_text("A")
    with pytest.raises(CorpusError, match="darwin is a named corpus, not a file: give it alone"):
        open_corpus([str(tmp_path / "a.txt"), "darwin"])


def test_an_existing_path_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "darwin").write_text("my own Darwin")
    assert open_corpus(["darwin"]).text == "my own Darwin"


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    file = tmp_path / "secret.txt"
    file.write_text("x")

    def refuse(path, mode):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(file), "open", refuse)
    with pytest.raises(CorpusError, match=r"secret.txt cannot be read \(Permission denied\): allow reading it"):
        read_files([file])


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(CorpusError, match=r"cannot be read \(Permission denied\)"):
        read_files([tmp_path])


def test_all_names_of_the_package_are_there() -> None:
    for name in corpus.__all__:
        assert getattr(corpus, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        corpus.nonsense  # noqa: B018
