"""Packed files: opened, read as far as they may grow, and the errors for one that is broken or grows further."""

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, cast

from lilliput.errors import CorpusError

COMPRESSED = (".gz", ".xz")
"""Suffixes of one file that is packed."""
PACKED = (*COMPRESSED, ".zip")
BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)
# Text packs to a third, poems to a fourth; a repeated line to a thousandth. More than this is no text of this world.
_MOST_EXPANSION = 200
_ALWAYS_ALLOWED = 64 << 20


def open_packed(file: IO[bytes], suffix: str) -> IO[bytes]:
    """Return what is in a file that is packed as its suffix says; the caller closes both."""
    return cast(IO[bytes], gzip.open(file) if suffix == ".gz" else lzma.open(file))


def chunks(name: str, stream: IO[bytes], packed: int, size: int) -> Iterator[bytes]:
    """Yield what is in a stream, of which `packed` bytes are on the disk, in chunks of `size` bytes.

    Raises CorpusError if it is broken or grows beyond all measure.
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
    """Unpack a file that takes `packed` bytes. Raises CorpusError if it is broken or grows beyond all measure."""
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
    """Return how many bytes a file of `packed` bytes may unpack to."""
    return max(_ALWAYS_ALLOWED, _MOST_EXPANSION * packed)


def cannot_unpack(name: str, error: Exception) -> CorpusError:
    """Return the error for a packed file that is broken."""
    reason = str(error).split("\n")[0] or type(error).__name__
    return CorpusError(f"{name} cannot be unpacked ({reason}): fetch or pack the file again")


def expands_too_much(name: str, most: int) -> CorpusError:
    """Return the error for a packed file that unpacks to more than it may."""
    return CorpusError(f"{name} unpacks to more than {most:,} bytes: unpack it by hand if that is really meant")
