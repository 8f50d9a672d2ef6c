"""Which files the user means by files, folders and standard input.

A file that is named is read whatever its suffix; of a folder, the files that are text (`folders`).
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
