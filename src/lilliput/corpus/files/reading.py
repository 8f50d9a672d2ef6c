"""Read the user's own texts: files, folders and standard input become a corpus of cleaned documents.

A file that is named is read whatever its suffix; in a folder what is text (`folders`). What was found out on the way
(encoding, line ends, frame) comes back as notes.
"""

import difflib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from lilliput.corpus.document import Corpus, Document
from lilliput.corpus.files.expansion import PACKED
from lilliput.corpus.files.findings import Reading
from lilliput.corpus.files.folders import Listing, list_folder, require_file, unreadable
from lilliput.corpus.files.unpacking import FORMATS, Found, unpack
from lilliput.corpus.named.catalogue import CATALOGUE
from lilliput.corpus.settings import AUTOMATIC, ReadSettings
from lilliput.errors import CorpusError

STANDARD_INPUT = "-"
_STANDARD_INPUT_NAME = "standard input"


def read_files(paths: Sequence[Path | str], settings: ReadSettings = AUTOMATIC) -> Corpus:
    """Read files, folders (recursively, in sorted order) and `-` for standard input as one corpus.

    Raises CorpusError for what is missing, unreadable, binary, broken or empty.
    """
    return read_listing(list_files(paths, settings), settings)


def read_listing(listing: Listing, settings: ReadSettings) -> Corpus:
    """Read files that were found by `list_files`; the errors are those of `read_files`."""
    reading = Reading(settings)
    documents: list[Document] = []
    for path, name in listing.files:
        if path is None:
            # Where it is closed, there is none, and nothing to be read.
            content, folder = b"" if sys.stdin is None else sys.stdin.buffer.read(), ""
        else:
            content, folder = _bytes(path), path.resolve().parent.name
        found = unpack(name, content, settings, alone=len(listing.files) == 1)
        documents += _documents(found, reading, folder)
    if not documents:
        raise CorpusError(
            f"there is no text in {listing.given}: it is empty or only blank space; "
            "give a text of some hundred characters"
        )
    return Corpus(listing.name, tuple(documents), (*listing.notes, *reading.notes()))


def list_files(paths: Sequence[Path | str], settings: ReadSettings) -> Listing:
    """Return the files that files, folders and `-` stand for, each of them once; standard input has no path.

    Raises CorpusError for what is missing, no file, or may not be read, and for a folder without texts.
    """
    if not paths:
        raise CorpusError(
            "no text was given: name a file, a folder, a corpus from `lilliput corpora`, or - for standard input"
        )
    files: list[tuple[Path | None, str]] = []
    notes: list[str] = []
    seen: set[Path] = set()
    for given in paths:
        if str(given) == STANDARD_INPUT:
            files.append((None, _STANDARD_INPUT_NAME))
            continue
        listing = _files_of(Path(given).expanduser(), settings)
        notes += listing.notes
        for path, name in listing.files:
            if path is None or path.resolve() not in seen:
                files.append((path, name))
            else:
                notes.append(f"{name} was given twice and read once")
            if path is not None:
                seen.add(path.resolve())
    called = ", ".join(str(path) if str(path) != STANDARD_INPUT else _STANDARD_INPUT_NAME for path in paths)
    return Listing(tuple(files), tuple(notes), corpus_name(paths), called)


def _files_of(path: Path, settings: ReadSettings) -> Listing:
    """Return the files that a path stands for: itself, or the texts in a folder."""
    try:
        if path.is_dir():
            return list_folder(path, settings, FORMATS)
        if not os.path.lexists(path):
            raise missing(path)
    except OSError as error:  # no permission, or a name longer than any file's
        raise unreadable(path, error) from error
    require_file(path)
    return Listing(((path, path.name),))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def missing(path: Path) -> CorpusError:
    """Return the error for a path that does not exist, with the names that it may have been meant for."""
    if str(path) in CATALOGUE:
        return CorpusError(f"{path} is a named corpus, not a file: give it alone, without other texts")
    try:
        siblings = {sibling.name: str(sibling) for sibling in sorted(path.parent.iterdir())}
    except OSError:
        siblings = {}
    near = difflib.get_close_matches(path.name, [*siblings, *CATALOGUE], n=2, cutoff=0.7)
    meant = " or ".join(siblings.get(name, name) for name in near)
    hint = f"did you mean {meant}?" if near else "check the path, or choose a named corpus from `lilliput corpora`"
    return CorpusError(f"there is no file, folder or named corpus {path}: {hint}")


def _documents(found: Iterable[Found], reading: Reading, folder: str) -> Iterator[Document]:
    """Yield the cleaned documents that hold more than blank space; an archive may have folders of its own."""
    for file in found:
        reading.left_out += file.archive
        if not file.documents:
            reading.left_out += file.notes
            reading.empty += not file.notes
            continue
        reading.files.append(file)
        for raw, texts in zip(file.documents, reading.clean(file.documents), strict=True):
            for text in texts:
                if text.strip():
                    yield Document(raw.name, text, PurePosixPath(file.name).parent.name or folder, raw.label)
                else:
                    reading.empty += 1


def corpus_name(paths: Sequence[Path | str]) -> str:
    """Return what to call the text in these files."""
    first = Path(paths[0]).expanduser()
    if str(paths[0]) == STANDARD_INPUT:
        name = "standard-input"
    elif first.is_dir():
        name = first.resolve().name or "folder"
    else:
        name = Path(first.name).stem if first.suffix.lower() not in PACKED else Path(Path(first.name).stem).stem
    return name if len(paths) == 1 else f"{name}-and-{len(paths) - 1}-more"
