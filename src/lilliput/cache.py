"""The folders for texts: the user's data folders, which are only read, and Lilliput's cache.

`LILLIPUT_DATA` lists the data folders. `LILLIPUT_CACHE` moves the cache from the system's default location.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lilliput import files
from lilliput.errors import CorpusError

DATA_VARIABLE = "LILLIPUT_DATA"
CACHE_VARIABLE = "LILLIPUT_CACHE"


def data_folders() -> list[Path]:
    """Return the folders that the environment variable LILLIPUT_DATA names, in its order."""
    return [Path(folder).expanduser() for folder in os.environ.get(DATA_VARIABLE, "").split(os.pathsep) if folder]


def in_data_folders(names: tuple[str, ...]) -> list[Path]:
    """Return the existing files with these names in the data folders; earlier folders come first."""
    return [folder / name for folder in data_folders() for name in names if (folder / name).is_file()]


def cache_folder() -> Path:
    """Return the folder of the cache; it may not exist yet."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("lilliput", appauthor=False)


def make_folder(folder: Path) -> None:
    """Create a folder of the cache.

    Raises CorpusError if the cache is not writable.
    """
    try:
        files.make_folder(folder)
    except OSError as error:
        raise unwritable(error) from error


def unwritable(error: OSError) -> CorpusError:
    """Return the error for a cache that is not writable."""
    return CorpusError(
        f"cannot write the cache {cache_folder()}: {error.strerror or error}. Set {CACHE_VARIABLE} to a writable folder"
    )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a file of the cache, so that only one process fetches it. Creates its folder.

    Raises CorpusError if the cache is not writable.
    """
    from filelock import FileLock

    make_folder(path.parent)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire()
    except OSError as error:
        raise unwritable(error) from error
    try:
        yield
    finally:
        lock.release()


def store(path: Path, data: bytes) -> None:
    """Write a file of the cache atomically.

    Raises CorpusError if the cache is not writable.
    """
    make_folder(path.parent)
    try:
        files.write(path, data)
    except OSError as error:
        raise unwritable(error) from error
