import hashlib
import io
import os
import zipfile
from dataclasses import replace

import pytest

from lilliput.corpus import JOINT, fetch, known_corpora, open_corpus, read_named, read_named_validation
from lilliput.corpus.catalogue import CATALOGUE, Entry, Part
from lilliput.errors import CorpusError

BODY = "The body of the book.\n\nIt has two paragraphs.\n"
FRAMED = (
    "\ufeffHeader\r\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\r\n\r\n"
    + BODY.replace("\n", "\r\n")
    + "\r\n*** END OF THE PROJECT GUTENBERG EBOOK X ***\r\nLicence\r\n"
)


@pytest.fixture
def book(server, monkeypatch):
    """A named corpus whose canonical address is on loopback and whose cleaned text is pinned."""
    server.files["/book.txt"] = FRAMED.encode()
    part = Part(
        files=("book.txt",),
        size="1 KB",
        addresses=(f"{server.address}/book.txt",),
        sha256=hashlib.sha256(BODY.encode()).hexdigest(),
    )
    entry = Entry("a book", "English", "public domain", part)
    monkeypatch.setitem(CATALOGUE, "book", entry)
    return entry


@pytest.fixture
def data(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("LILLIPUT_DATA", f"{tmp_path / 'nowhere'}{os.pathsep}{folder}")
    return folder


def test_the_address_comes_last_and_fills_the_cache(book, server, own_places):
    told = []
    corpus = read_named("book", lambda done, total: told.append(done))
    assert corpus.text == BODY
    assert corpus.name == "book"
    assert told[-1] == len(FRAMED.encode())
    assert (own_places / "corpora" / "book.txt").read_text() == BODY
    assert read_named("book").text == BODY
    assert len(server.requests) == 1


def test_data_folders_come_first(book, server, data):
    (data / "book.txt").write_text(FRAMED)
    corpus = read_named("book")
    assert corpus.text == BODY
    assert corpus.notes[0] == f"book: {data / 'book.txt'}"
    assert server.requests == []


def test_a_data_file_with_another_text_is_passed_over(book, server, data):
    (data / "book.txt").write_text("another text")
    assert read_named("book").text == BODY
    assert server.paths() == ["/book.txt"]


def test_a_damaged_cache_is_fetched_again(book, server, own_places):
    (own_places / "corpora").mkdir()
    (own_places / "corpora" / "book.txt").write_text(BODY[:-5])
    assert read_named("book").text == BODY
    assert (own_places / "corpora" / "book.txt").read_text() == BODY


def test_when_all_fails_one_line_names_what_was_tried_and_the_remedy(book, server, data):
    (data / "book.txt").write_text("another text")
    del server.files["/book.txt"]
    with pytest.raises(CorpusError) as caught:
        read_named("book")
    assert str(caught.value) == (
        f"the corpus book was not found: {data / 'book.txt'} is another text (its checksum differs); "
        f"{server.address}/book.txt: the server answered 404 Not Found; "
        "get it by hand (1 KB) from there and run: lilliput corpora get book --from FILE"
    )


def test_a_changed_text_at_the_address_is_refused(book, server):
    server.files["/book.txt"] = b"another text"
    with pytest.raises(CorpusError, match=r"book.txt has another text now \(its checksum differs\)"):
        read_named("book")


@pytest.mark.parametrize(
    ("body", "reason"), [(b"<!DOCTYPE html><p>Log in", "what came is a web page"), (b"\0\1", "what came is no text")]
)
def test_what_comes_instead_of_a_text_is_refused(book, server, monkeypatch, body, reason):
    monkeypatch.setitem(CATALOGUE, "book", replace(book, training=replace(book.training, sha256=None)))
    server.files["/book.txt"] = body
    with pytest.raises(CorpusError, match=reason):
        read_named("book")


def test_several_addresses_are_joined_or_none_is_taken(book, server, monkeypatch):
    server.files["/two.txt"] = b"Two.\n"
    part = replace(book.training, addresses=(*book.training.addresses, f"{server.address}/two.txt"), sha256=None)
    monkeypatch.setitem(CATALOGUE, "book", replace(book, training=part))
    assert read_named("book").text == BODY + JOINT + "Two.\n"
    del server.files["/two.txt"]
    fetch("book").unlink()
    with pytest.raises(CorpusError, match="--from FOLDER"):
        read_named("book")


def test_fetch_takes_the_users_own_copy(book, server, tmp_path, own_places):
    (tmp_path / "mine.txt").write_text(FRAMED)
    path = fetch("book", tmp_path / "mine.txt")
    assert path == own_places / "corpora" / "book.txt"
    assert path.read_text() == BODY
    assert read_named("book").text == BODY
    assert server.requests == []


def test_fetch_refuses_another_text(book, tmp_path):
    (tmp_path / "mine.txt").write_text("another text")
    with pytest.raises(CorpusError, match=r"mine.txt is not the text of book .*: use it under its own name"):
        fetch("book", tmp_path / "mine.txt")


def test_fetch_copies_from_a_data_folder(book, data, monkeypatch, server):
    (data / "book.txt").write_text(FRAMED)
    path = fetch("book")
    monkeypatch.delenv("LILLIPUT_DATA")
    assert read_named("book").text == path.read_text() == BODY
    assert server.requests == []


def test_a_corpus_carries_its_validation_text_and_its_poems(data):
    poems = ["FIRST\n\nA verse,\nanother.\n", "SECOND\n\nA verse.\n", "THIRD\n\nThe last.\n"]
    (data / "french-poetry.train.txt").write_text("\n\n".join(poems))
    (data / "french-poetry.val.txt").write_text("HELD OUT\n\nA verse.\n")
    corpus = read_named("french-poetry")
    assert [document.text for document in corpus.documents] == poems
    assert corpus.text == "\n\n".join(poems)
    validation = read_named_validation("french-poetry")
    assert validation is not None
    assert validation.text == "HELD OUT\n\nA verse.\n"


def test_a_corpus_without_validation_text(book, data):
    assert read_named_validation("book") is None
    assert read_named_validation("french-poetry") is None


def test_validation_text_from_its_address(book, server, monkeypatch):
    server.files["/held.txt"] = b"Held out.\n"
    held = Part(files=("held.txt",), size="1 KB", addresses=(f"{server.address}/held.txt",))
    monkeypatch.setitem(CATALOGUE, "book", replace(book, validation=held))
    validation = read_named_validation("book")
    assert validation is not None
    assert validation.text == "Held out.\n"
    del server.files["/held.txt"]
    assert read_named_validation("book") == validation  # from the cache


def test_an_archive_of_ones_own_gives_training_and_validation(tmp_path, monkeypatch):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for part in ("train", "valid", "test"):
            archive.writestr(f"wikitext-2/wiki.{part}.tokens", f" \n = {part} = \n \n")
    (tmp_path / "wikitext-2-v1.zip").write_bytes(buffer.getvalue())
    entry = CATALOGUE["wikitext-2"]
    assert entry.validation is not None
    monkeypatch.setitem(CATALOGUE, "wikitext-2", replace(entry, validation=replace(entry.validation, sha256=None)))
    fetch("wikitext-2", tmp_path / "wikitext-2-v1.zip")
    assert read_named("wikitext-2").text == " \n = train = \n \n"
    validation = read_named_validation("wikitext-2")
    assert validation is not None
    assert validation.text == " \n = valid = \n \n"


def test_a_corpus_that_must_be_fetched_by_hand_says_where():
    with pytest.raises(CorpusError, match=r"541 MB.*https://huggingface.co/datasets/Salesforce/wikitext"):
        read_named("wikitext-103")


def test_python_docs_are_always_there():
    corpus = open_corpus(["python-docs"])
    assert len(corpus.documents) > 50
    assert [document.name for document in corpus.documents] == sorted(document.name for document in corpus.documents)
    assert corpus.characters > 200_000
    assert fetch("python-docs").read_text(encoding="utf-8") == corpus.text
    with pytest.raises(CorpusError, match="takes no file"):
        fetch("python-docs", fetch("python-docs"))


def test_an_unknown_name():
    with pytest.raises(CorpusError, match="there is no corpus named darwn: did you mean darwin"):
        read_named("darwn")
    with pytest.raises(CorpusError, match="choose one of shakespeare, shakespeare-plays, darwin"):
        fetch("zzzz")


def test_the_list_says_where_each_lies(book, data):
    def where():
        return {info.name: info.where for info in known_corpora()}

    assert where()["book"] == "not fetched"
    assert where()["python-docs"] == "always there"
    read_named("book")
    assert where()["book"] == "cache"
    (data / "book.txt").write_text(BODY)
    assert where()["book"] == "LILLIPUT_DATA"


def test_every_entry_is_described():
    for info in known_corpora():
        assert info.description
        assert info.language
        assert info.licence
        assert info.sources
    assert {"shakespeare", "shakespeare-plays", "darwin", "french-poetry", "wikitext-103", "python-docs"} <= set(
        CATALOGUE
    )


def test_a_cache_that_cannot_be_written(book, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LILLIPUT_CACHE", str(tmp_path / "file"))
    with pytest.raises(CorpusError, match=r"cannot be written .*set LILLIPUT_CACHE"):
        read_named("book")
