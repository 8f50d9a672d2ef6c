"""Files: whole or not there, links replaced and not written through, and every damage one ValueError."""

import os
from pathlib import Path

import pytest

from lilliput import files
from lilliput.rows import read_rows


def test_a_file_that_does_not_change_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    files.write(path, b"one")
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", lambda *paths: pytest.fail("written"))
        files.write(path, b"one")
    files.write(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_an_error_leaves_the_old_file_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    files.write(path, b"old")
    files.append(path, b", more")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        for write in (files.write, files.append):
            with pytest.raises(OSError, match="No space") as caught:
                write(path, b"new")
            assert caught.value.filename == str(path)
            assert path.read_bytes() == b"old, more"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("write", [files.write, files.append])
def test_a_link_is_replaced_and_not_written_through(tmp_path: Path, write: object) -> None:
    outside, link = tmp_path / "outside", tmp_path / "link"
    outside.write_bytes(b"mine")
    link.symlink_to(outside)
    assert callable(write)
    write(link, b" and more")
    assert outside.read_bytes() == b"mine"
    assert not link.is_symlink()
    assert link.read_bytes().endswith(b" and more")


def test_removing_takes_a_link_away_and_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    files.remove(tmp_path / "link")
    files.remove(tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    files.remove(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


DAMAGE = {
    "empty": b"",
    "no UTF-8": b'{"a": "\xff"}',
    "nested": b"[" * 100_000,
    "nested objects": b'{"a":' * 100_000,
    "digits": b'{"a": ' + b"1" * 10_000 + b"}",
    "a list": b"[1]",
    "a number": b"1",
}


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE.keys())
def test_whatever_is_wrong_with_json_is_a_short_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r".") as caught:
        files.read_json(path)
    reason = files.reason_of(caught.value)
    assert len(reason) < 200
    assert "\n" not in reason
    assert "set_int_max" not in reason


@pytest.mark.parametrize(
    "content",
    [
        *(b"a = " + b"[" * 100_000, b"a = " + b"1" * 10_000, b"a" + b".a" * 100_000 + b" = 1", b"\xff", b"a"),
        b"a" + b' . "a"' * 1000 + b" = 1",
    ],
    ids=["nested", "digits", "dotted", "no UTF-8", "no value", "quoted"],
)
def test_whatever_is_wrong_with_toml_is_a_short_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r".") as caught:
        files.read_toml(path)
    assert len(files.reason_of(caught.value)) < 200


def test_toml_with_many_dots_in_a_text_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(f'a.b = "{"." * 500} {"etc. " * 20}"\n')
    assert files.read_toml(path)["a"]["b"].startswith("...")


def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(ValueError, match="not a file"):
        files.read_json(tmp_path / "a.json")


def test_damaged_rows_are_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [b'{"step": 1}', b'{"step": "2"}', b'{"step": 3, "loss": []}', b"[4]", b'{"s\xfftep": 5}', b'{"step": 6}']
    lines += [b"[" * 100_000, b'{"step": 8}', b'{"step": 9']
    path.write_bytes(b"\n".join(lines))
    told: list[str] = []
    assert [row["step"] for row in read_rows(path, told.append)] == [1, 6, 8]
    assert told == [f"{path}: lines 2, 3, 4, 5, 7 are damaged and left out"]
