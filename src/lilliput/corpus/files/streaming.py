"""Texts that are too large for the memory: read in passes, piece by piece, with the same result as `read_files`.

A first pass (`survey`) measures the text; `divide` then says which part is held out. Every further pass reads the files
again: unpacking, decoding and cleaning cost a small part of what tokenising costs. A large text is held out by position
only, and standard input is always read at once.
"""

import hashlib
import zipfile
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from io import SEEK_END
from pathlib import Path
from typing import IO

from lilliput.corpus.document import JOINT, Corpus, Document, Progress
from lilliput.corpus.files.expansion import BROKEN
from lilliput.corpus.files.findings import Reading
from lilliput.corpus.files.folders import Listing, unreadable
from lilliput.corpus.files.passes import cut_stream, documents
from lilliput.corpus.files.reading import list_files
from lilliput.corpus.files.unpacking import text_members
from lilliput.corpus.settings import AUTOMATIC, ReadSettings
from lilliput.corpus.splitting import SplitSettings, split
from lilliput.corpus.words import count_words
from lilliput.errors import CorpusError

LARGE = 48 << 20
"""Bytes, unpacked, from which on a text is read as a stream."""
MOST_HELD_OUT = 2_000_000
"""Characters of a large text that are held out at most: more would measure nothing better."""
_PACKED_TO = {".gz": 3, ".xz": 4, ".parquet": 2}  # what text unpacks to, times its packed size


@dataclass(frozen=True)
class LargeText:
    """Files to be read as a stream; nothing of them is in memory."""

    name: str
    files: tuple[tuple[Path, str], ...]
    size: int
    """Bytes on the disk."""
    notes: tuple[str, ...] = ()
    members: str = "*"
    """The members of an archive that are meant."""
    settings: ReadSettings = AUTOMATIC

    @property
    def stamp(self) -> str:
        """Tell the files apart from others without reading them: a checksum of their sizes and times."""
        states = ((name, path.stat()) for path, name in self.files)
        return hashlib.sha256(
            repr([(name, state.st_size, state.st_mtime_ns) for name, state in states]).encode()
        ).hexdigest()

    def pieces(self, progress: Progress | None = None) -> Iterator[str]:
        """Yield the cleaned text in pieces of about 260,000 characters; joined, they are the text.

        A piece ends in a visible character and the next one begins with a space or a line end. `progress` is called
        with bytes on the disk. Raises CorpusError for what is unreadable, binary, broken or empty, and for a file that
        is not in one encoding.
        """
        return self._read(self._reading(), progress)

    def _reading(self) -> Reading:
        return Reading(self.settings, alone=len(self.files) == 1)

    def _read(self, reading: Reading, progress: Progress | None) -> Iterator[str]:
        position = _Position()
        # Closed by hand: after an error, a generator that holds an open file would wait for the garbage collector.
        with closing(self._documents(reading, position)) as parts:
            for piece in cut_stream(_joined(parts, reading)):
                if progress:
                    progress(min(position.bytes, self.size), self.size)
                yield piece
        if progress:
            progress(self.size, self.size)

    def _documents(self, reading: Reading, position: "_Position") -> Generator[Iterable[str], None, None]:
        for path, name in self.files:
            try:
                file = path.open("rb")
            except OSError as error:
                raise unreadable(path, error) from error
            with file:
                position.follow(file)
                yield from documents(file, name, reading, self.members)


class _Position:
    """How many bytes of several files have been read."""

    def __init__(self) -> None:
        self._before = 0
        self._file: IO[bytes] | None = None

    def follow(self, file: IO[bytes]) -> None:
        self._before += self._size
        self._file = file
        self._size = file.seek(0, SEEK_END)
        file.seek(0)

    _size = 0

    @property
    def bytes(self) -> int:
        closed = self._file is None or self._file.closed
        return self._before + (self._size if closed else self._file.tell())  # type: ignore[union-attr]


def _joined(parts: Iterable[Iterable[str]], reading: Reading) -> Iterator[str]:
    """Join documents by `JOINT`; one that is nothing but blank space is left out."""
    joint = ""
    for document in parts:
        blank = [joint]  # what stands before the first visible character
        for fragment in document:
            if not blank:
                yield fragment
            elif fragment.strip():
                yield "".join([*blank, fragment])
                blank = []
            else:
                blank.append(fragment)
        if blank:
            reading.empty += 1
        else:
            joint = JOINT


def is_large(paths: Sequence[Path | str], settings: ReadSettings = AUTOMATIC) -> bool:
    """Tell whether files and folders are together too large to be read at once; sizes of packed files are estimated.

    Standard input is not, and neither is what does not exist: `read_files` says why.
    """
    try:
        return is_large_listing(list_files(paths, settings), settings)
    except CorpusError:
        return False


def is_large_listing(listing: Listing, settings: ReadSettings) -> bool:
    """Tell the same of files that were found by `list_files`."""
    files = [path for path, _ in listing.files]
    try:
        return None not in files and sum(_unpacked_size(path, settings) for path in files if path) > LARGE
    except OSError:
        return False


def _unpacked_size(path: Path, settings: ReadSettings) -> int:
    if path.suffix.lower() == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                return sum(member.file_size for member in text_members(path.name, archive, settings)[0])
        except (*BROKEN, CorpusError):
            return 0
    return path.stat().st_size * _PACKED_TO.get(path.suffix.lower(), 1)


def open_large(
    paths: Sequence[Path | str], name: str | None = None, members: str = "*", settings: ReadSettings = AUTOMATIC
) -> LargeText:
    """Find the files of a large text: files, and folders recursively, in the order of `read_files`.

    `name` is for people; `members` (a pattern as in fnmatch) chooses from an archive. Raises CorpusError for what is
    missing or may not be read.
    """
    return large_text(list_files(paths, settings), settings, name, members)


def large_text(listing: Listing, settings: ReadSettings, name: str | None = None, members: str = "*") -> LargeText:
    """Return the same of files that were found by `list_files`."""
    files = tuple((path, called) for path, called in listing.files if path)
    size = sum(path.stat().st_size for path, _ in files)
    return LargeText(name or listing.name, files, size, listing.notes, members, settings)


@dataclass(frozen=True)
class Survey:
    """What a first pass over a large text found."""

    characters: int
    bytes: int
    """Of the text in UTF-8."""
    words: int
    sha256: str
    """The same checksum as that of the corpus."""
    notes: tuple[str, ...]
    """How the files were read."""
    end: str = field(repr=False)
    """The last four million characters, in which the text is divided."""


def survey(large: LargeText, progress: Progress | None = None) -> Survey:
    """Read a large text once and measure it; the errors are those of `LargeText.pieces`."""
    reading = large._reading()
    checksum = hashlib.sha256()
    characters = size = words = held = 0
    end: deque[str] = deque()
    for piece in large._read(reading, progress):
        data = piece.encode()
        checksum.update(data)
        characters += len(piece)
        size += len(data)
        words += count_words(piece)
        end.append(piece)
        held += len(piece)
        while held - len(end[0]) >= 2 * MOST_HELD_OUT:
            held -= len(end.popleft())
    if not characters:
        raise CorpusError(
            f"there is no text in {large.name}: it is empty or only blank space; give a text of some hundred characters"
        )
    notes = (*reading.notes(), *large.notes)
    return Survey(characters, size, words, checksum.hexdigest(), notes, "".join(end))


@dataclass(frozen=True)
class LargeSplit:
    """The two parts of a large text; only the one that is held out is in memory."""

    large: LargeText
    characters: int
    """Of the training part, which begins where the text begins."""
    validation: str

    def training_pieces(self, progress: Progress | None = None) -> Iterator[str]:
        """Yield the training part as `LargeText.pieces` yields the text."""
        left = self.characters
        for piece in self.large.pieces(progress):
            if left <= 0:
                return
            yield piece[:left]
            left -= len(piece)


def divide(large: LargeText, found: Survey, settings: SplitSettings, validation: Corpus | None = None) -> LargeSplit:
    """Divide a large text as `split` does, but hold out at most two million characters at its end.

    A validation corpus of one's own takes the place of the division. Raises CorpusError for any other split, and if
    no training text or no validation text would be left.
    """
    if validation is not None:
        # The validation text is checked as that of a small text is; the training text is not empty.
        learnt = Corpus(large.name, (Document(large.name, found.end),))
        text = split(learnt, SplitSettings(by="position"), validation).validation
        return LargeSplit(large, found.characters, text)
    require_by_position(large, settings)
    held = max(1, min(MOST_HELD_OUT, found.characters - int(found.characters * (1 - settings.fraction))))
    # `split` looks for a cut no farther than the smaller part is long, so the end of the text is all that it needs.
    end = found.end[-2 * held :]
    tail = Corpus(large.name, (Document(large.name, end),))
    text = split(tail, SplitSettings(by="position", fraction=held / len(end))).validation
    return LargeSplit(large, found.characters - len(text), text)


def require_by_position(large: LargeText, settings: SplitSettings) -> None:
    """Raise CorpusError for a split of which a large text is not capable."""
    if settings.by not in ("position", "automatic"):
        raise CorpusError(
            f"{large.name} is read as a stream and cannot be split by {settings.by}: split it by position, or give "
            "a validation file"
        )
