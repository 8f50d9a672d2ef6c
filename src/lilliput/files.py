"""Files on disk: atomic writes, and reads whose errors fit on one line.

A file is written under a temporary name, flushed and renamed, and the folder's entry is flushed. So a full disk or a
kill at any moment leaves the old file or the new one. Lines are appended and flushed. Unchanged content is not
written again. A symbolic link is replaced, never written through. Anything wrong with JSON or TOML on a disk raises
OSError or ValueError, and `reason_of` gives the reason in words.
"""

import errno
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

_PART, _FORMER = ".part", ".old"
_LONGEST_REASON = 160
# The parser's memory grows with the square of a dotted key's length.
_DEEP_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]+\s*\.\s*){64}""")


# Writing.


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that replaces `path` atomically at the end; after an exception nothing has changed.

    Raises OSError, which names the path.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}{_PART}")
    with _naming(path):
        try:
            aside.unlink(missing_ok=True)
            with aside.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise
        flush_folder(path.parent)


def write(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically, unless the file already holds it."""
    if not _holds(path, content):
        with writing(path) as file:
            file.write(content)


def append(path: Path, content: bytes) -> None:
    """Append to a file and flush it; an error leaves its length unchanged."""
    with _naming(path):
        if path.is_symlink():
            write(path, path.read_bytes())
        size = path.stat().st_size if path.exists() else None
        try:
            with path.open("ab") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if size is None:
                flush_folder(path.parent)
        except OSError:
            with suppress(OSError):
                os.truncate(path, size or 0)
            raise


def settle(aside: Path, path: Path) -> None:
    """Flush a finished file to the disk, then give it its final name, so that no reader sees a part of it."""
    with _naming(path):
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
        flush_folder(path.parent)


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `folder` at the end; after an exception nothing has changed."""
    aside = folder.with_name(f".{folder.name}{_PART}")
    former = folder.with_name(f".{folder.name}{_FORMER}")
    with _naming(folder):
        try:
            remove(aside)
            make_folder(aside)
            yield aside
            remove(former)
            if folder.exists():
                folder.rename(former)
            aside.rename(folder)
        except BaseException:
            mend_folder(folder.parent)
            raise
        flush_folder(folder.parent)
        with suppress(OSError):
            remove(former)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, and flush their entries."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        flush_folder(folder.parent)


def remove(path: Path) -> None:
    """Remove a file, a link (not its target) or a folder. No partial folder is ever left under the name."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    elif path.name.endswith(_PART):
        shutil.rmtree(path)
    else:
        aside = path.with_name(f".{path.name}{_PART}")
        remove(aside)
        path.rename(aside)
        shutil.rmtree(aside)


def mend_folder(folder: Path) -> None:
    """Clean up after an interruption: delete half-written files and restore those that were about to be replaced.

    Errors are ignored: leftovers do no harm, and the next call tries again.
    """
    for path in folder.glob(f".?*{_PART}"):
        with suppress(OSError):
            remove(path)
    for former in folder.glob(f".?*{_FORMER}"):
        path = former.with_name(former.name.removeprefix(".").removesuffix(_FORMER))
        with suppress(OSError):
            if path.exists():
                remove(former)
            else:
                former.rename(path)


def flush_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, if the system supports and permits it."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Add the path to an OSError that names no file."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def _holds(path: Path, content: bytes) -> bool:
    try:
        same_size = not path.is_symlink() and path.stat().st_size == len(content)
        return same_size and path.read_bytes() == content
    except OSError:
        return False


# Reading. The parsers raise RecursionError for deep nesting, and special ValueErrors for very long numbers.


def parse_json(text: str | bytes) -> Any:
    """Parse JSON. Raises ValueError for any fault."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML. Raises ValueError for any fault."""
    if _DEEP_KEY.search(text):
        raise ValueError("nested too deep")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises OSError or ValueError."""
    values = parse_json(_read(path))
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    return values


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises OSError or ValueError."""
    return parse_toml(_read(path))


def read_json_lines(
    path: Path, is_row: Callable[[dict[str, Any]], bool] = lambda row: True
) -> tuple[list[dict[str, Any]], list[int]]:
    """Read one JSON object per line; return the objects, and the numbers (from 1) of the damaged lines.

    A line is damaged if it holds no JSON object or `is_row` rejects the object. A last line that a crash cut off is
    ignored. A missing file counts as empty. Raises OSError or ValueError.
    """
    try:
        lines = _read_bytes(path).split(b"\n")
    except FileNotFoundError:
        return [], []
    rows: list[dict[str, Any]] = []
    broken: list[int] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = parse_json(line.decode("utf-8"))
        except ValueError:
            row = None
        if isinstance(row, dict) and is_row(row):
            rows.append(row)
        elif number < len(lines):
            broken.append(number)
    return rows, broken


def reason_of(error: OSError | ValueError) -> str:
    """Return a short reason, on one line, why a file could not be read or written."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if f"limit ({sys.get_int_max_str_digits()} digits)" in text:
        text = "a number has too many digits"
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "..."


def _read(path: Path) -> str:
    return _read_bytes(path).decode("utf-8")


def _read_bytes(path: Path) -> bytes:
    # A pipe or a device may have no end.
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError("not a file")
    return path.read_bytes()
