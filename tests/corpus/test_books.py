"""A named corpus that is put together from books of verse."""

from pathlib import Path

import pytest

from lilliput.corpus import fetch, known_corpora, read_named, read_named_validation
from lilliput.corpus.named.books import VALIDATION_EVERY, find_books, poems_in
from lilliput.corpus.named.catalogue import CATALOGUE, Book, CorpusPart, Entry
from lilliput.errors import CorpusError
from tests.corpus.conftest import Server

BOOKS = (Book(11, "The first", "0.1 MB"), Book(22, "The second", "0.2 MB"))
POEMS = 30


def poem(book: int, number: int) -> str:
    words = [f"mot{'abcdefghij'[int(digit)]}" for digit in f"{book}{number:02}"]
    return "\n".join(f"Le {' '.join(words)} {line}," for line in ("du soir", "du matin", "de midi", "de minuit"))


def book_text(book: int) -> str:
    poems = "".join(f"\n\n\n\nTITRE\n\n{poem(book, number)}\n" for number in range(POEMS))
    start, end = (f"*** {word} OF THE PROJECT GUTENBERG EBOOK X ***\n" for word in ("START", "END"))
    return f"Header\n{start}{poems}\n{end}Licence\n"


@pytest.fixture(autouse=True)
def entry(monkeypatch: pytest.MonkeyPatch, server: Server) -> Entry:
    monkeypatch.setattr("lilliput.corpus.named.catalogue._GUTENBERG", server.address + "/{0}.txt")
    made = Entry(
        "two books",
        "French",
        "public domain",
        CorpusPart(files=("verse.train.txt",), size="1 KB"),
        validation=CorpusPart(files=("verse.val.txt",), size="1 KB"),
        separator="poems",
        books=BOOKS,
    )
    monkeypatch.setitem(CATALOGUE, "verse", made)
    return made


@pytest.fixture
def served(server: Server) -> Server:
    for book in BOOKS:
        server.files[f"/{book.number}.txt"] = book_text(book.number).encode()
    return server


def parts() -> tuple[list[str], list[str]]:
    """The poems to learn from and those held out."""
    training, validation = read_named("verse"), read_named_validation("verse")
    assert validation is not None
    return [poem.text for poem in training.documents], [poem.text for poem in validation.documents]


def test_every_twentieth_poem_is_held_out(served: Server) -> None:
    training, validation = parts()
    every = [f"TITRE\n\n{poem(book.number, number)}\n" for book in BOOKS for number in range(POEMS)]
    assert validation == every[VALIDATION_EVERY - 1 :: VALIDATION_EVERY]
    assert training == [poem for poem in every if poem not in validation]
    assert parts() == (training, validation)
    assert len(served.requests) == len(BOOKS)


def test_books_in_a_folder_and_from_afar_give_the_same_text(
    served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = parts()
    for name, where in (("11-8.txt", tmp_path), ("pg22.txt", tmp_path / "gutenberg")):
        where.mkdir(exist_ok=True)
        text = book_text(int(name.strip("pgtx.-")[:2])).replace("\n", "\r\n")
        (where / name).write_bytes(text.encode("latin-1"))
    monkeypatch.setenv("LILLIPUT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LILLIPUT_DATA", str(tmp_path))
    served.requests.clear()
    assert next(info.where for info in known_corpora() if info.name == "verse") == "LILLIPUT_DATA"
    assert parts() == expected
    assert served.requests == []


def test_a_missing_book_is_an_error_that_names_it_alone(served: Server) -> None:
    del served.files["/22.txt"]
    with pytest.raises(CorpusError) as caught:
        read_named("verse")
    assert str(caught.value) == (
        "the corpus verse was not found: pg22.txt: the server answered 404 Not Found; download "
        f"{served.address}/22.txt (0.2 MB) by hand, put the files into one folder and run: lilliput corpora get verse "
        "--from FOLDER, or set LILLIPUT_DATA to the folder"
    )
    served.files["/22.txt"] = book_text(22).encode()
    read_named("verse")
    assert served.paths() == ["/11.txt", "/22.txt", "/22.txt"]  # the first book was kept


@pytest.mark.parametrize(
    ("body", "reason"), [(b"<!DOCTYPE html><p>Log in", "a web page"), (b"\0\1", "the download is not a text")]
)
def test_what_comes_instead_of_a_book_is_not_kept(served: Server, body: bytes, reason: str) -> None:
    served.files["/22.txt"] = body
    with pytest.raises(CorpusError, match=f"pg22.txt: .*{reason}"):
        read_named("verse")
    served.files["/22.txt"] = book_text(22).encode()
    assert parts()


def test_the_users_own_folder(served: Server, tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    (folder / "pg11.txt").write_text(book_text(11), encoding="utf-8")
    with pytest.raises(CorpusError, match=r"books lacks pg22.txt: download .*/22.txt \(0.2 MB\) by hand"):
        fetch("verse", folder)
    (folder / "22-0.txt").write_text(book_text(22), encoding="utf-8")
    fetch("verse", folder)
    assert len(parts()[1]) == 2 * POEMS // VALIDATION_EVERY
    assert served.requests == []


def test_finished_files_go_before_books_and_are_not_mixed_with_them(
    served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts()
    folder = tmp_path / "finished"
    folder.mkdir()
    (folder / "verse.train.txt").write_text("ONE\n\nA verse.\n\n\nTWO\n\nA verse.\n", encoding="utf-8")
    monkeypatch.setenv("LILLIPUT_DATA", str(folder))
    assert len(read_named("verse").documents) == 2
    # The held-out poems of the books may stand in this file.
    assert read_named_validation("verse") is None
    (folder / "verse.val.txt").write_text("THREE\n\nA verse.\n", encoding="utf-8")
    assert parts()[1] == ["THREE\n\nA verse.\n"]
    monkeypatch.delenv("LILLIPUT_DATA")
    fetch("verse", folder)
    assert parts()[1] == ["THREE\n\nA verse.\n"]


def test_a_book_without_poems_is_told(tmp_path: Path) -> None:
    (tmp_path / "pg11.txt").write_text("This is no verse but prose,\nwhich goes on in lower case.\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"pg11.txt holds no poems: replace it by The first from http://.*/11.txt"):
        poems_in("verse", find_books(BOOKS, [tmp_path]))
