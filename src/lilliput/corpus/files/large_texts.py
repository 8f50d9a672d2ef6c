"""Texts that are too large for the memory: read piece by piece, with the same result as by `small_texts`.

A first epoch over the text (`survey`) measures it; `large_splits` then says which part is held out. Every further epoch
reads the files again: unpacking, decoding and cleaning cost a small part of what tokenising costs. Standard input is
always read at once.
"""

import hashlib
import zipfile
from collections import deque
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from io import SEEK_END
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO

from lilliput.corpus.document import JOINT, Fragment, ReadProgress
from lilliput.corpus.files.contents import FileReader, open_files, read_documents, text_members
from lilliput.corpus.files.expansion import BROKEN
from lilliput.corpus.files.folders import Listing
from lilliput.corpus.files.listing import list_files
from lilliput.corpus.files.report import ReadingReport
from lilliput.corpus.labels import label_characters, label_fragments, label_of, unmark
from lilliput.corpus.settings import AUTOMATIC, LabelKind, ReadSettings
from lilliput.corpus.text.streams import PIECE, cut_stream
from lilliput.errors import CorpusError

LARGE = 48 << 20
"""Bytes, unpacked, from which on a text is read as a stream."""
WHOLE = 8 << 20
"""Bytes, unpacked, up to which a single file of such a text is read whole."""
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
    label_kind: LabelKind | None = None
    """What labels the documents, if they are to have labels."""

    @property
    def stamp(self) -> str:
        """A checksum of the sizes and times of the files, which tells changed files without reading them."""
        states = ((name, path.stat()) for path, name in self.files)
        return hashlib.sha256(
            repr([(name, state.st_size, state.st_mtime_ns) for name, state in states]).encode()
        ).hexdigest()

    def documents(
        self,
        progress: ReadProgress | None = None,
        report: ReadingReport | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Generator[Fragment, None, None]:
        """Yield the documents in fragments; those of one document follow one another, with one `Origin`.

        `progress` is called with bytes on the disk, `report` gets what the user should know of the files, and `labels`,
        if there are any, are put into the documents. Raises CorpusError for what is unreadable, binary, broken or
        empty, and for a file that is not in one encoding.
        """
        report = ReadingReport() if report is None else report
        reader = FileReader(self.settings, report, len(self.files) == 1, WHOLE)
        position = _Position()
        # Closed by hand: after an error, a generator that holds an open file would wait for the garbage collector.
        with closing(open_files(self.files)) as files:
            fragments = read_documents(map(position.follow, files), reader, self.members)
            if labels and self.label_kind:
                fragments = label_fragments(fragments, self.name, self.label_kind, labels)
            characters = 0
            for fragment in fragments:
                yield fragment
                characters += len(fragment[1])
                if progress and characters >= PIECE:
                    progress(min(position.bytes, self.size), self.size)
                    characters = 0
        if progress:
            progress(self.size, self.size)

    def pieces(
        self,
        progress: ReadProgress | None = None,
        report: ReadingReport | None = None,
        labels: Mapping[str, str] | None = None,
        skipped: Collection[int] = (),
    ) -> Generator[str, None, None]:
        """Yield the text in pieces of about 260,000 characters; joined, they are the text.

        A piece ends in a visible character and the next one begins with a space or a line end. `skipped` are the
        numbers of documents that are left out. The other arguments, and the errors, are those of `documents`.
        """
        with closing(self.documents(progress, report, labels)) as fragments:
            yield from cut_stream(_joined(fragments, skipped))


class _Position:
    """How many bytes of several files have been read."""

    def __init__(self) -> None:
        self._before = self._size = 0
        self._file: IO[bytes] | None = None

    def follow(self, opened: tuple[IO[bytes], str, str]) -> tuple[IO[bytes], str, str]:
        """Go on with the next file, and return it as it came."""
        file = opened[0]
        self._before += self._size
        self._file = file
        self._size = file.seek(0, SEEK_END)
        file.seek(0)
        return opened

    @property
    def bytes(self) -> int:
        closed = self._file is None or self._file.closed
        return self._before + (self._size if closed else self._file.tell())  # type: ignore[union-attr]


def _joined(fragments: Iterable[Fragment], skipped: Collection[int]) -> Iterator[str]:
    """Yield the text of the documents, joined by `JOINT`."""
    joint = ""
    for number, (_, document) in enumerate(groupby(fragments, itemgetter(0))):
        if number not in skipped:
            for _, text in document:
                yield joint + text
                joint = ""
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
    """Do the same for files that were found by `list_files`."""
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
    """What a first epoch over a large text found."""

    characters: int
    """Labels included, as in the checksum and the end."""
    label_characters: int
    bytes: int
    """Of the text in UTF-8."""
    documents: int
    sha256: str
    """The same checksum as that of the corpus."""
    labels: dict[str, str]
    """The character of each label."""
    notes: tuple[str, ...]
    """How the files were read."""
    end: str = field(repr=False)
    """The last four million characters, in which the text is divided."""


def survey(large: LargeText, progress: ReadProgress | None = None) -> Survey:
    """Read a large text once, or twice if it has labels, and measure it.

    The errors are those of `LargeText.documents`, and of `label_documents`.
    """
    labels = _find_labels(large, large.label_kind, progress) if large.label_kind else {}
    report = ReadingReport()
    checksum = hashlib.sha256()
    characters = label_characters = size = held = 0
    end: deque[str] = deque()
    for piece in large.pieces(progress, report, labels):
        data = piece.encode()
        checksum.update(data)
        size += len(data)
        characters += len(piece)
        if labels:
            label_characters += len(piece) - len(unmark(piece))
        end.append(piece)
        held += len(piece)
        while held - len(end[0]) >= 2 * MOST_HELD_OUT:
            held -= len(end.popleft())
    if not characters:
        raise CorpusError(
            f"there is no text in {large.name}: it is empty or only blank space; give a text of some hundred characters"
        )
    return Survey(
        characters=characters,
        label_characters=label_characters,
        bytes=size,
        documents=report.documents,
        sha256=checksum.hexdigest(),
        labels=labels,
        notes=(*report.notes(), *large.notes),
        end="".join(end),
    )


def _find_labels(large: LargeText, kind: LabelKind, progress: ReadProgress | None) -> dict[str, str]:
    """Return the character of each label of a large text."""
    with closing(large.documents(progress)) as fragments:
        names = {label_of(large.name, origin, kind) for origin, _ in groupby(fragments, itemgetter(0))}
    return label_characters(large.name, kind, names)
