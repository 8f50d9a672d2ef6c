"""Choose the files of a folder or an archive that are text, whatever their names.

Hidden files, folders of tools and binary files are left out; a note counts the files read and left out. Pipes and
devices are never opened, since they may have no end.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import IO

from lilliput.corpus.files.expansion import BROKEN, COMPRESSED, open_packed
from lilliput.corpus.settings import ReadSettings
from lilliput.corpus.text.byte_decoding import is_text
from lilliput.errors import CorpusError

_TOOLS = frozenset(("node_modules", "__pycache__", "__MACOSX"))
_HEAD = 1 << 14
_KINDS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Listing:
    """The files to read, with their names and notes for the user.

    Standard input has a name, but no path.
    """

    files: tuple[tuple[Path | None, str], ...]
    notes: tuple[str, ...] = ()
    name: str = ""
    """The name of the text."""
    given: str = ""
    """The paths as given by the user."""


class Choice:
    """Choose the text files among many by their names and first bytes, and count those taken and left out."""

    def __init__(self, settings: ReadSettings) -> None:
        self._settings = settings
        self.taken: Counter[str] = Counter()
        self.left: Counter[str] = Counter()

    def takes(self, name: str, formats: Iterable[str], opened: Callable[[], IO[bytes]]) -> bool:
        """Return whether to read a file; `formats` are suffixes of files that are not read as plain text.

        `opened` opens the file. Raises OSError if it cannot be read.
        """
        path = PurePosixPath(name)
        kind = path.suffix.lower() or path.name
        inner = path.with_suffix("") if kind in COMPRESSED else path
        if any(is_hidden(part) for part in path.parts):
            self.left["hidden or of tools"] += 1
        elif self._settings.include and not _matches(name, self._settings.include):
            self.left["not in --include"] += 1
        elif _matches(name, self._settings.exclude):
            self.left["in --exclude"] += 1
        elif inner.suffix.lower() not in formats and not _is_text(opened, kind):
            self.left[f"{kind} (no text)"] += 1
        else:
            self.taken[kind] += 1
            return True
        return False

    def left_out(self) -> str:
        """Return a description of the files left out, or an empty string."""
        return f" (left out: {_counted(self.left)})" if self.left else ""

    def notes(self, name: str) -> tuple[str, ...]:
        """Return the note on how many files of each kind were read and left out."""
        if len(self.taken) < 2 and not self.left:
            return ()
        return (f"{name}: read {_counted(self.taken) or 'nothing'}{self.left_out()}",)


def _counted(kinds: Counter[str]) -> str:
    ordered = sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))
    shown = [f"{count:,} {kind}" for kind, count in ordered[:_KINDS_SHOWN]]
    others = sum(count for _, count in ordered[_KINDS_SHOWN:])
    return ", ".join([*shown, f"{others:,} of other kinds"] if others else shown)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    base = PurePosixPath(name).name
    return any(fnmatch(name, pattern) or fnmatch(base, pattern) for pattern in patterns)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden or belongs to a tool."""
    return name.startswith(".") or name in _TOOLS


def list_folder(folder: Path, settings: ReadSettings, formats: Iterable[str]) -> Listing:
    """Return the text files in a folder and its subfolders, sorted by name.

    Raises CorpusError if there are none, or a folder cannot be read.
    """
    choice = Choice(settings)
    files = []
    for path in _walk(folder, choice.left):
        name = path.relative_to(folder).as_posix()
        try:
            taken = choice.takes(name, formats, lambda path=path: path.open("rb"))  # type: ignore[misc]
        except OSError as error:
            raise unreadable(path, error) from error
        if taken:
            files.append((path, name))
    files.sort(key=lambda file: PurePosixPath(file[1]).parts)
    called = folder.resolve().name or "the folder"
    if not files:
        raise CorpusError(
            f"the folder {folder} holds no text{choice.left_out()}: give a folder with texts, or name a file in it"
        )
    return Listing(tuple(files), choice.notes(called))


def _walk(folder: Path, left: Counter[str]) -> Iterator[Path]:
    # Not os.walk, which may exceed the recursion limit.
    pending = [folder]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError as error:
            raise unreadable(Path(error.filename or folder), error) from error
        for entry in entries:
            if is_hidden(entry.name):
                left["hidden or of tools"] += 1
            elif entry.is_dir(follow_symlinks=False):
                pending.append(Path(entry.path))
            elif _is_file(entry):
                yield Path(entry.path)
            else:
                left["links to folders, broken links, pipes or devices"] += 1


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _is_text(opened: Callable[[], IO[bytes]], suffix: str) -> bool:
    with opened() as file:
        try:
            if suffix not in COMPRESSED:
                head = file.read(_HEAD)
            else:
                with open_packed(file, suffix) as unpacking:
                    head = unpacking.read(_HEAD)
            return is_text(head, whole=len(head) < _HEAD)
        except BROKEN:
            return True  # reading it raises the error


def require_file(path: Path) -> None:
    """Raise CorpusError if an existing path is neither a file nor a folder, or is a broken link."""
    if path.is_symlink() and not path.exists():
        raise CorpusError(f"{path} is a broken link: name the file itself")
    if not path.is_file():
        raise CorpusError(f"{path} is a pipe or a device, not a file: give its text by cat {path} | lilliput ... -")


def unreadable(path: Path, error: OSError) -> CorpusError:
    """Return the error for a file or folder that cannot be read."""
    remedy = "allow reading it (chmod +r)" if isinstance(error, PermissionError) else "check the file and the disk"
    return CorpusError(f"{path} cannot be read ({error.strerror or error}): {remedy}")
