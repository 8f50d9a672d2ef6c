"""Which files of a folder or an archive are read, and what is said of the others."""

import gzip
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lilliput.corpus import Corpus, ReadSettings, is_large, open_examples, open_large, open_source, read_files, survey
from lilliput.errors import CorpusError

PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
TREE = {
    "README.md": b"About it.",
    "src/one.py": b"one = 1\n",
    "src/two.py": "zwei = 'zw\xf6lf'\n".encode("latin-1"),
    "src/deep/three.rst": "Drei\n".encode("utf-16"),
    "Makefile": b"all:\n\techo\n",
    "package.json": b'{"name": "x", "version": {"major": 1}}',
    "notes.txt.gz": gzip.compress(b"Noted."),
    "logo.png": PICTURE,
    "logo.png.gz": gzip.compress(PICTURE),
    ".git/HEAD": b"ref",
    ".hidden": b"no",
    "node_modules/x/index.js": b"no",
    "src/__pycache__/one.txt": b"no",
}
READ = ["Makefile", "README.md", "notes.txt.gz", "package.json", "src/deep/three.rst", "src/one.py", "src/two.py"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, content in TREE.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "tree"


def packed(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in TREE.items():
            archive.writestr(name, content)
    return path


def names(path: Path, **settings: tuple[str, ...]) -> list[str]:
    return [document.name for document in read_files([path], ReadSettings(**settings)).documents]  # type: ignore[arg-type]


@pytest.mark.parametrize("place", [Path, packed], ids=["folder", "archive"])
def test_all_that_is_text_is_read_and_the_rest_is_told(tree: Path, place: Callable[[Path], Path]) -> None:
    path = place(tree)
    corpus = read_files([path])
    assert [document.name for document in corpus.documents] == READ
    assert "zwölf" in corpus.text
    [note] = [note for note in corpus.notes if note.startswith(path.name + ": read ")]
    assert "2 .py" in note
    assert "1 .rst" in note
    assert "1 .gz (no text), 1 .png (no text)" in note
    assert "hidden or of tools" in note
    assert any(note.startswith("package.json: this JSON is not a list of texts") for note in corpus.notes)


@pytest.mark.parametrize("place", [Path, packed], ids=["folder", "archive"])
def test_patterns_choose(tree: Path, place: Callable[[Path], Path]) -> None:
    path = place(tree)
    assert names(path, include=("*.py",)) == ["src/one.py", "src/two.py"]
    assert names(path, include=("*.py", "Makefile"), exclude=("*two*",)) == ["Makefile", "src/one.py"]
    assert names(path, exclude=("src/*", "*.json", "*.gz")) == ["Makefile", "README.md"]
    notes = read_files([path], ReadSettings(include=("*.py",), exclude=("*two*",))).notes
    assert any("1 in --exclude" in note and "not in --include" in note for note in notes)
    with pytest.raises(CorpusError, match=r"holds no text \(left out: .* not in --include"):
        names(path, include=("*.tex",))


def test_a_stream_reads_the_same_files(tree: Path) -> None:
    for settings in (ReadSettings(), ReadSettings(include=("*.py",))):
        whole = read_files([tree], settings)
        large = open_large([tree], settings=settings)
        assert "".join(large.pieces()) == whole.text
        assert set(survey(large).notes) == set(whole.notes)


def test_a_folder_is_walked_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walked = []
    scandir = os.scandir
    monkeypatch.setattr("os.scandir", lambda folder: walked.append(folder) or scandir(folder))
    source = open_source([tree])
    assert isinstance(source, Corpus)
    assert [document.name for document in source.documents] == READ
    assert len(walked) == len(set(walked)) == 3


def test_patterns_leave_named_files_alone(tree: Path) -> None:
    assert names(tree / "README.md", include=("*.py",)) == ["README.md"]


def test_a_document_that_cannot_be_read_is_left_out_of_a_folder(tree: Path) -> None:
    (tree / "broken.pdf").write_bytes(b"%PDF-1.7\nno more")
    with zipfile.ZipFile(tree / "pictures.zip", "w") as archive:
        archive.writestr("logo.png", PICTURE)
    corpus, large = read_files([tree]), open_large([tree])
    [note] = [note for note in corpus.notes if note.startswith("left out: broken.pdf")]
    assert [document.name for document in corpus.documents] == READ
    assert "".join(large.pieces()) == corpus.text
    assert note in survey(large).notes
    assert any(note.startswith("left out: pictures.zip holds no text") for note in corpus.notes)
    with pytest.raises(CorpusError, match=r"broken\.pdf"):
        read_files([tree / "broken.pdf"])


def test_json_alone_is_refused_with_the_shapes_that_are_read(tree: Path) -> None:
    with pytest.raises(CorpusError, match=r"package.json is JSON of an unsupported shape: give a list"):
        read_files([tree / "package.json"])


def test_one_pattern_needs_no_list() -> None:
    assert ReadSettings(include="*.py").include == ("*.py",)  # type: ignore[arg-type]


@pytest.mark.skipif(os.name != "posix", reason="pipes and links are those of POSIX")
def test_pipes_and_links_in_a_folder_are_left_out(tree: Path) -> None:
    os.mkfifo(tree / "pipe.txt")
    (tree / "self.txt").symlink_to(tree / "self.txt")
    (tree / "nothing.txt").symlink_to(tree / "gone")
    (tree / "up").symlink_to(tree)
    (tree / "again.md").symlink_to(tree / "README.md")
    corpus = read_files([tree])
    assert [document.name for document in corpus.documents] == READ
    assert any("4 links to folders, broken links, pipes or devices" in note for note in corpus.notes)
    assert "again.md was given twice and read once" in corpus.notes or "README.md was given twice" in str(corpus.notes)


@pytest.mark.skipif(os.name != "posix", reason="pipes and links are those of POSIX")
@pytest.mark.parametrize("read", [read_files, open_large], ids=["whole", "stream"])
def test_pipes_and_links_by_name_are_one_line(tmp_path: Path, read: Callable[[list[Path]], object]) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "self.txt").symlink_to(tmp_path / "self.txt")
    with pytest.raises(CorpusError, match=r"pipe.txt is a pipe or a device, not a file: give its text by cat"):
        read([tmp_path / "pipe.txt"])
    with pytest.raises(CorpusError, match=r"self.txt is a broken link"):
        read([tmp_path / "self.txt"])
    for name in ("pipe.txt", "self.txt"):
        assert not is_large([tmp_path / name])
        assert open_examples(tmp_path / name) is None


def test_a_very_deep_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(1200):
        folder = folder / "a"
        folder.mkdir()
    (folder / "x.txt").write_text("deep")
    try:
        assert read_files([tmp_path]).text == "deep"
    finally:  # pytest's own tidying gives up on it
        (folder / "x.txt").unlink()
        while folder != tmp_path:
            folder.rmdir()
            folder = folder.parent
