"""Read the user's own texts: files, folders and standard input become a corpus of cleaned documents.

A file that is named is read whatever its suffix; in a folder only the known suffixes count, since folders hold other
things too. What was found out on the way (encoding, line ends, frame) comes back as notes.
"""

import difflib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from lilliput.corpus.catalogue import CATALOGUE
from lilliput.corpus.document import Corpus, Document
from lilliput.corpus.findings import Reading
from lilliput.corpus.settings import AUTOMATIC, ReadSettings
from lilliput.corpus.unpacking import KNOWN, PACKED, Found, unpack
from lilliput.errors import CorpusError

STANDARD_INPUT = "-"
_STANDARD_INPUT_NAME = "standard input"


def read_files(paths: Sequence[Path | str], settings: ReadSettings = AUTOMATIC) -> Corpus:
    """Read files, folders (recursively, in sorted order) and `-` for standard input as one corpus.

    Raises CorpusError for what is missing, unreadable, binary, broken or empty.
    """
    if not paths:
        raise CorpusError(
            "no text was given: name a file, a folder, a corpus from `lilliput corpora`, or - for standard input"
        )
    reading = Reading(settings)
    documents: list[Document] = []
    twice: list[str] = []
    seen: set[Path] = set()
    for given in paths:
        if str(given) == STANDARD_INPUT:
            # Where it is closed, there is none, and nothing to be read.
            content = b"" if sys.stdin is None else sys.stdin.buffer.read()
            documents += _documents(unpack(_STANDARD_INPUT_NAME, content, settings), reading, "")
            continue
        for path, name in files_of(Path(given).expanduser()):
            if path.resolve() in seen:
                twice.append(f"{name} was given twice and read once")
                continue
            seen.add(path.resolve())
            documents += _documents(unpack(name, _bytes(path), settings), reading, path.resolve().parent.name)
    if not documents:
        names = ", ".join(str(path) if str(path) != STANDARD_INPUT else _STANDARD_INPUT_NAME for path in paths)
        raise CorpusError(
            f"there is no text in {names}: it is empty or only blank space; give a text of some hundred characters"
        )
    return Corpus(corpus_name(paths), tuple(documents), (*reading.notes(), *twice))


def files_of(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files that a path stands for, with the names to call them by."""
    try:
        if not path.is_dir():
            if not path.exists():
                raise missing(path)
            yield path, path.name
            return
    except OSError as error:  # no permission, or a name longer than any file's
        raise unreadable(path, error) from error
    known = list(_folder(path))
    if not known:
        raise CorpusError(f"the folder {path} holds no text: its files must end in one of {' '.join(KNOWN)}")
    yield from known


def _folder(folder: Path) -> Iterator[tuple[Path, str]]:
    def fail(error: OSError) -> None:
        raise unreadable(Path(error.filename or folder), error) from error

    files = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [
            Path(parent, name) for name in names if not name.startswith(".") and Path(name).suffix.lower() in KNOWN
        ]
    for file in sorted(files, key=lambda file: file.relative_to(folder).parts):
        yield file, file.relative_to(folder).as_posix()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> CorpusError:
    """Return the error for a file or folder that may not or cannot be read."""
    remedy = "allow reading it (chmod +r)" if isinstance(error, PermissionError) else "check the file and the disk"
    return CorpusError(f"{path} cannot be read ({error.strerror or error}): {remedy}")


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
        if not file.documents:
            reading.empty += 1
            continue
        reading.files.append(file)
        for raw, [text] in zip(file.documents, reading.clean(file.documents), strict=True):
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
