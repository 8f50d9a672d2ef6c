"""Read texts that are too large for memory piece by piece, with the same result as `small_texts`.

A first pass over the text (`survey`) measures it; then `large_splits` chooses the held-out part. Every further epoch
reads the files again: unpacking, decoding and cleaning take a small fraction of the time of tokenizing. Standard input
is always read at once.
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
"""Unpacked bytes above which a text is read as a stream."""
WHOLE = 8 << 20
"""Unpacked bytes up to which a single file of such a text is read whole."""
MOST_HELD_OUT = 2_000_000
"""The most characters of a large text to hold out: more would not improve the measurement."""
_EXPANSION = {".gz": 3, ".xz": 4, ".parquet": 2}  # estimated unpacked size, as a multiple of the packed size


@dataclass(frozen=True)
class LargeText:
    """Files to read as a stream, not held in memory."""

    name: str
    files: tuple[tuple[Path, str], ...]
    size: int
    """Bytes on disk."""
    notes: tuple[str, ...] = ()
    members: str = "*"
    """A pattern for the members of an archive to read."""
    settings: ReadSettings = AUTOMATIC
    label_kind: LabelKind | None = None
    """The source of the documents' labels, if they have labels."""

    @property
    def stamp(self) -> str:
        """Return a checksum of the sizes and times of the files, which detects changes without reading them."""
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
        """Yield the documents in fragments; those of a document are consecutive and share one `Origin`.

        `progress` is called with bytes on disk, `report` collects notes for the user, and `labels` are inserted into
        the documents. Raises CorpusError for files that are unreadable, binary, damaged, empty or in several encodings.
        """
        report = ReadingReport() if report is None else report
        reader = FileReader(self.settings, report, len(self.files) == 1, WHOLE)
        position = _Position()
        # Close explicitly: after an error, a generator would hold its file open until garbage collection.
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
        """Yield the text in pieces of about 260,000 characters.

        A piece ends in a visible character, and the next one begins with a space or a line end. `skipped` are the
        numbers of documents to leave out. The other arguments, and the errors, are those of `documents`.
        """
        with closing(self.documents(progress, report, labels)) as fragments:
            yield from cut_stream(_joined(fragments, skipped))


class _Position:
    """The number of bytes read from several files."""

    def __init__(self) -> None:
        self._before = self._size = 0
        self._file: IO[bytes] | None = None

    def follow(self, opened: tuple[IO[bytes], str, str]) -> tuple[IO[bytes], str, str]:
        """Follow the next file, and return it unchanged."""
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
    """Return whether files and folders together are too large to read at once; sizes of packed files are estimated.

    False for standard input, and for missing files, for which `read_files` raises the error.
    """
    try:
        return is_large_listing(list_files(paths, settings), settings)
    except CorpusError:
        return False


def is_large_listing(listing: Listing, settings: ReadSettings) -> bool:
    """Return the same for listed files."""
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
    return path.stat().st_size * _EXPANSION.get(path.suffix.lower(), 1)


def open_large(
    paths: Sequence[Path | str], name: str | None = None, members: str = "*", settings: ReadSettings = AUTOMATIC
) -> LargeText:
    """Find the files of a large text: files, and folders recursively, in the order of `read_files`.

    `name` is for display; `members` (a pattern as in fnmatch) selects from an archive. Raises CorpusError for files
    that are missing or cannot be read.
    """
    return large_text(list_files(paths, settings), settings, name, members)


def large_text(listing: Listing, settings: ReadSettings, name: str | None = None, members: str = "*") -> LargeText:
    """Return listed files as one large text."""
    files = tuple((path, called) for path, called in listing.files if path)
    size = sum(path.stat().st_size for path, _ in files)
    return LargeText(name or listing.name, files, size, listing.notes, members, settings)


@dataclass(frozen=True)
class Survey:
    """The measurements of a first pass over a large text."""

    characters: int
    """Including labels, as in the checksum and the end."""
    label_characters: int
    bytes: int
    """Bytes of the text in UTF-8."""
    documents: int
    sha256: str
    """The same checksum as `Corpus.sha256`."""
    labels: dict[str, str]
    """The character of each label."""
    notes: tuple[str, ...]
    """Notes for the user on how the files were read."""
    end: str = field(repr=False)
    """The last four million characters, to be split."""


def survey(large: LargeText, progress: ReadProgress | None = None) -> Survey:
    """Measure a large text in one pass, or two if it has labels.

    The errors are those of `LargeText.documents` and `label_documents`.
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
            f"there is no text in {large.name}: it is empty or only blank space; "
            "give a text of a few hundred characters"
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
