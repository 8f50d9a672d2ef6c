import random
import socket

import pytest

from lilliput.corpus.named.download import NotFetched, download, shown
from lilliput.errors import CorpusError

DATA = random.Random(1).randbytes(300_000)
BLOCK = 1 << 14  # bytes are kept in whole blocks of this size


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new" / "file.txt"


def test_a_file_comes_whole_and_progress_is_told(server, target):
    server.files["/a"] = DATA
    told = []
    download(f"{server.address}/a", target, lambda done, total: told.append((done, total)))
    assert target.read_bytes() == DATA
    assert told[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_a_broken_connection_is_continued(server, target):
    server.files["/a"] = DATA
    server.break_after = [3 * BLOCK, BLOCK]
    download(f"{server.address}/a", target)
    assert target.read_bytes() == DATA
    first, second, third = (asked for _, asked in server.requests)
    assert first is None
    assert second == f"bytes={3 * BLOCK}-"
    assert third == f"bytes={4 * BLOCK}-"


def test_a_later_call_continues_what_an_earlier_one_left(server, target):
    server.files["/a"] = DATA
    target.parent.mkdir()
    target.with_name("file.txt.part").write_bytes(DATA[:1000])
    told = []
    download(f"{server.address}/a", target, lambda done, total: told.append((done, total)))
    assert target.read_bytes() == DATA
    assert server.requests == [("/a", "bytes=1000-")]
    assert told[-1] == (len(DATA), len(DATA))


def test_a_whole_part_file_needs_only_its_name(server, target):
    server.files["/a"] = DATA
    target.parent.mkdir()
    target.with_name("file.txt.part").write_bytes(DATA)
    download(f"{server.address}/a", target)
    assert target.read_bytes() == DATA


def test_a_part_file_of_a_longer_version_is_dropped(server, target):
    server.files["/a"] = DATA[:500]
    target.parent.mkdir()
    target.with_name("file.txt.part").write_bytes(b"old" * 1000)
    download(f"{server.address}/a", target)
    assert target.read_bytes() == DATA[:500]


def test_a_server_without_ranges_sends_it_all_again(server, target):
    server.files["/a"] = DATA
    server.ranges = False
    server.break_after = [100_000]
    download(f"{server.address}/a", target)
    assert target.read_bytes() == DATA


def test_a_connection_that_breaks_at_once_is_given_up(server, target):
    server.files["/a"] = DATA
    server.break_after = [3 * BLOCK, 0]
    with pytest.raises(NotFetched):
        download(f"{server.address}/a", target)
    assert len(server.requests) == 2
    assert target.with_name("file.txt.part").stat().st_size == 3 * BLOCK
    assert not target.exists()


def test_a_missing_address(server, target):
    with pytest.raises(NotFetched, match="the server answered 404"):
        download(f"{server.address}/none", target)
    assert not target.exists()


def test_no_connection(target):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(NotFetched, match="no connection"):
        download(f"http://127.0.0.1:{port}/a", target)


def test_a_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CorpusError, match=r"cannot write the cache .*Set LILLIPUT_CACHE to a writable folder"):
        download(f"{server.address}/a", tmp_path / "file" / "below" / "a.txt")


def test_passwords_are_not_shown():
    assert shown("https://me:secret@example.org:8080/simple/?a=b") == "https://example.org:8080/simple/?a=b"
