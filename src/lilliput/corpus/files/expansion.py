"""Read packed files, with a limit on their unpacked size."""

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, cast

from lilliput.errors import CorpusError

COMPRESSED = (".gz", ".xz")
"""Suffixes of single compressed files."""
PACKED = (*COMPRESSED, ".zip")
BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)
# Prose compresses to a third, poems to a quarter; only repetition, as in decompression bombs, exceeds this ratio.
_MOST_EXPANSION = 200
_ALWAYS_ALLOWED = 64 << 20


def open_packed(file: IO[bytes], suffix: str) -> IO[bytes]:
    """Open a file that is compressed as its suffix says; the caller closes both."""
    return cast(IO[bytes], gzip.open(file) if suffix == ".gz" else lzma.open(file))


def chunks(name: str, stream: IO[bytes], packed: int, size: int) -> Iterator[bytes]:
    """Yield an unpacked stream, of `packed` bytes on disk, in chunks of `size` bytes.

    Raises CorpusError if it is damaged or exceeds `most_expansion`.
    """
    most, done = most_expansion(packed), 0
    try:
        while chunk := stream.read(size):
            done += len(chunk)
            if done > most:
                raise expands_too_much(name, most)
            yield chunk
    except BROKEN as error:
        raise cannot_unpack(name, error) from error


def expand(name: str, packed: int, opened: Callable[[], IO[bytes]]) -> bytes:
    """Unpack a file of `packed` bytes. Raises CorpusError if it is damaged or exceeds `most_expansion`."""
    most = most_expansion(packed)
    try:
        with opened() as stream:
            data = stream.read(most + 1)
    except BROKEN as error:
        raise cannot_unpack(name, error) from error
    if len(data) > most:
        raise expands_too_much(name, most)
    return data


def most_expansion(packed: int) -> int:
    """Return the largest allowed unpacked size of a file of `packed` bytes."""
    return max(_ALWAYS_ALLOWED, _MOST_EXPANSION * packed)


def cannot_unpack(name: str, error: Exception) -> CorpusError:
    """Return the error for a damaged packed file."""
    reason = str(error).split("\n")[0] or type(error).__name__
    return CorpusError(f"{name} cannot be unpacked ({reason}): download or pack the file again")


def expands_too_much(name: str, most: int) -> CorpusError:
    """Return the error for a packed file that exceeds `most_expansion`."""
    return CorpusError(f"{name} unpacks to more than {most:,} bytes: unpack it by hand if it is safe")
