import hashlib
import io
import os
import zipfile
from dataclasses import replace

import pyarrow
import pyarrow.parquet
import pytest

from lilliput.corpus import (
    JOINT,
    fetch,
    known_corpora,
    open_corpus,
    open_large_corpus,
    read_named,
    read_named_validation,
)
from lilliput.corpus.files import large_texts
from lilliput.corpus.named.catalogue import CATALOGUE, CorpusPart, Entry
from lilliput.corpus.named.download import NotFetched
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
    part = CorpusPart(
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
        f"download it by hand (1 KB) from {server.address}/book.txt and run: lilliput corpora get book --from FILE, "
        "or save it as book.txt in a folder of LILLIPUT_DATA"
    )


def test_a_changed_text_at_the_address_is_refused(book, server):
    server.files["/book.txt"] = b"another text"
    with pytest.raises(CorpusError, match=r"book.txt has another text now \(its checksum differs\)"):
        read_named("book")


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"<!DOCTYPE html><p>Log in", "the download is a web page"), (b"\0\1", "the download is not a text")],
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
    with pytest.raises(CorpusError, match=r"mine.txt is not the text of book .*: train on the file itself"):
        fetch("book", tmp_path / "mine.txt")


def test_fetch_names_a_file_that_is_not_there(book, tmp_path):
    for name in ("book", "french-poetry"):
        with pytest.raises(CorpusError, match="there is no file, folder or named corpus"):
            fetch(name, tmp_path / "nowhere")


@pytest.mark.parametrize("text", [FRAMED, "Other words.\n" * 20])
def test_fetch_keeps_a_large_copy_as_a_stream_if_it_is_the_text(book, tmp_path, own_places, monkeypatch, text):
    monkeypatch.setattr(large_texts, "LARGE", 10)
    (tmp_path / "mine.txt").write_text(text)
    kept = own_places / "corpora" / "book.txt"
    if text == FRAMED:
        assert fetch("book", tmp_path / "mine.txt") == kept
        assert kept.read_text() == BODY
    else:
        with pytest.raises(CorpusError, match="is not the text of book"):
            fetch("book", tmp_path / "mine.txt")
        assert not kept.exists()


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
    held = CorpusPart(files=("held.txt",), size="1 KB", addresses=(f"{server.address}/held.txt",))
    monkeypatch.setitem(CATALOGUE, "book", replace(book, validation=held))
    validation = read_named_validation("book")
    assert validation is not None
    assert validation.text == "Held out.\n"
    del server.files["/held.txt"]
    assert read_named_validation("book") == validation  # from the cache


@pytest.mark.parametrize("large", [large_texts.LARGE, 10])
def test_an_archive_of_ones_own_gives_training_and_validation(tmp_path, monkeypatch, own_places, large):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for part in ("train", "valid", "test"):
            archive.writestr(f"wikitext-2/wiki.{part}.tokens", f" \n = {part} = \n \n")
    (tmp_path / "wikitext-2-v1.zip").write_bytes(buffer.getvalue())
    entry = CATALOGUE["wikitext-2"]
    assert entry.validation is not None
    monkeypatch.setitem(CATALOGUE, "wikitext-2", replace(entry, validation=replace(entry.validation, sha256=None)))
    with pytest.raises(CorpusError, match="is not the text of wikitext-2"):
        fetch("wikitext-2", tmp_path / "wikitext-2-v1.zip")
    assert not list((own_places / "corpora").glob("wikitext*"))
    parts = {
        "training": replace(entry.training, begins="= train ="),
        "validation": replace(entry.validation, sha256=None),
    }
    monkeypatch.setitem(CATALOGUE, "wikitext-2", replace(entry, **parts))
    monkeypatch.setattr(large_texts, "LARGE", large)
    fetch("wikitext-2", tmp_path / "wikitext-2-v1.zip")
    assert read_named("wikitext-2").text == " \n = train = \n \n"
    validation = read_named_validation("wikitext-2")
    assert validation is not None
    assert validation.text == " \n = valid = \n \n"


@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if not entry.made])
def test_a_missing_corpus_names_address_size_and_place(name, monkeypatch):
    def fail(*arguments):
        raise NotFetched("no connection")

    for module in ("fetching.download", "fetching.read_archive", "books.download"):
        monkeypatch.setattr(f"lilliput.corpus.named.{module}", fail)
    with pytest.raises(CorpusError, match=rf" MB.* lilliput corpora get {name} --from F.* LILLIPUT_DATA") as caught:
        read_named(name)
    entry = CATALOGUE[name]
    addresses = {*entry.training.addresses, *entry.training.by_hand, *(book.address for book in entry.books)}
    assert all(address in str(caught.value) for address in addresses)
    assert "https://" in str(caught.value) or (
        entry.training.archive and entry.training.archive.location in str(caught.value)
    )
    assert "\n" not in str(caught.value)


def test_the_test_set_of_wikitext_is_a_corpus_of_its_own(data, monkeypatch):
    (data / "wikitext103.test.tokens").write_text(" \n = A title = \n \n")
    entry = CATALOGUE["wikitext-103-test"]
    monkeypatch.setitem(CATALOGUE, "wikitext-103-test", replace(entry, training=replace(entry.training, sha256=None)))
    assert open_corpus(["wikitext-103-test"]).text == " \n = A title = \n \n"


def test_a_file_that_could_not_be_read_is_not_fetched(book, server, monkeypatch):
    part = CorpusPart(files=("rows.txt",), size="1 KB", addresses=(f"{server.address}/rows.parquet",))
    monkeypatch.setitem(CATALOGUE, "book", replace(book, training=part))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CorpusError, match=r"needs the package pyarrow .*download it by hand"):
        read_named("book")
    assert server.requests == []


def shard(lines: list[str]) -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"text": lines}), buffer)
    return buffer.getvalue()


def test_the_files_of_one_text_are_joined_without_a_gap(book, server, own_places, monkeypatch):
    server.files["/one.parquet"] = shard(["", " = A title = \n", " First words . \n"])
    server.files["/two.parquet"] = shard([" Second words . \n", ""])
    addresses = (f"{server.address}/one.parquet", f"{server.address}/two.parquet")
    entry = replace(book, training=CorpusPart(files=("rows.txt",), size="1 KB", addresses=addresses))
    monkeypatch.setitem(CATALOGUE, "book", entry)
    assert read_named("book").text == " \n = A title = \n First words . \n Second words . \n \n"
    other = replace(entry, training=replace(entry.training, sha256="0" * 64))
    monkeypatch.setitem(CATALOGUE, "book", other)
    (own_places / "corpora" / "book.txt").unlink()
    with pytest.raises(CorpusError, match="another text"):
        read_named("book")
    assert {path.suffix for path in (own_places / "corpora").iterdir()} <= {".lock"}


def test_a_large_text_known_by_name_is_read_as_a_stream(book, server, data, monkeypatch):
    part = CorpusPart(files=("rows.txt",), size="1 KB", addresses=(f"{server.address}/rows.txt",))
    monkeypatch.setitem(CATALOGUE, "book", replace(book, training=part, separator=None))
    server.files["/rows.txt"] = b"Words and more words.\n" * 20
    assert open_large_corpus(["book"]) is None
    monkeypatch.setattr(large_texts, "LARGE", 100)
    large = open_large_corpus(["book"])
    assert large is not None
    assert large.name == "book"
    assert "".join(large.pieces()) == read_named("book").text
    (data / "rows.txt").write_text("Other words, still too many of them.\n" * 20)
    large = open_large_corpus([data / "rows.txt"])
    assert large is not None
    assert "".join(large.pieces()).startswith("Other words")


def test_the_suffix_at_the_address_says_how_the_file_is_read(book, server, monkeypatch):
    server.files["/rows.jsonl"] = b'{"text": "One row."}\n{"text": "Another."}\n'
    part = CorpusPart(files=("rows.txt",), size="1 KB", addresses=(f"{server.address}/rows.jsonl",))
    monkeypatch.setitem(CATALOGUE, "book", replace(book, training=part))
    assert read_named("book").text == "One row." + JOINT + "Another."


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
    with pytest.raises(CorpusError, match=r"cannot write the cache .*Set LILLIPUT_CACHE"):
        read_named("book")
