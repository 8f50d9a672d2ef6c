"""List the files to read, given files, folders and standard input.

A file is read whatever its suffix; in a folder, the text files are read (`folders`).
"""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from lilliput.corpus.files.contents import FORMATS
from lilliput.corpus.files.expansion import PACKED
from lilliput.corpus.files.folders import Listing, list_folder, require_file, unreadable
from lilliput.corpus.named.catalogue import CATALOGUE
from lilliput.corpus.settings import ReadSettings
from lilliput.errors import CorpusError

STANDARD_INPUT = "-"
_STANDARD_INPUT_NAME = "standard input"


def list_files(paths: Sequence[Path | str], settings: ReadSettings) -> Listing:
    """Return the files of files, folders and `-`, each once; standard input has no path.

    Raises CorpusError for paths that are missing, unreadable or not files, and for a folder without texts.
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
    """Return the files of a path: a single file, or the texts in a folder."""
    try:
        if path.is_dir():
            return list_folder(path, settings, FORMATS)
        if not os.path.lexists(path):
            raise missing(path)
    except OSError as error:  # no permission, or a name that is too long
        raise unreadable(path, error) from error
    require_file(path)
    return Listing(((path, path.name),))


def missing(path: Path) -> CorpusError:
    """Return the error for a path that does not exist, with similar names."""
    if str(path) in CATALOGUE:
        return CorpusError(f"{path} is a named corpus, not a file: give it alone, without other texts")
    try:
        siblings = {sibling.name: str(sibling) for sibling in sorted(path.parent.iterdir())}
    except OSError:
        siblings = {}
    similar = difflib.get_close_matches(path.name, [*siblings, *CATALOGUE], n=2, cutoff=0.7)
    suggestions = " or ".join(siblings.get(name, name) for name in similar)
    hint = (
        f"did you mean {suggestions}?"
        if similar
        else "check the path, or choose a named corpus from `lilliput corpora`"
    )
    return CorpusError(f"there is no file, folder or named corpus {path}: {hint}")


def corpus_name(paths: Sequence[Path | str]) -> str:
    """Return the name of the text in these files."""
    first = Path(paths[0]).expanduser()
    if str(paths[0]) == STANDARD_INPUT:
        name = "standard-input"
    elif first.is_dir():
        name = first.resolve().name or "folder"
    else:
        name = Path(first.name).stem if first.suffix.lower() not in PACKED else Path(Path(first.name).stem).stem
    return name if len(paths) == 1 else f"{name}-and-{len(paths) - 1}-more"
