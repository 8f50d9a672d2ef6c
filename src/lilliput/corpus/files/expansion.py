"""How far a packed file may grow when it is unpacked, and the errors for one that is broken or grows further."""

import lzma
import zipfile
import zlib
from collections.abc import Callable
from typing import IO

from lilliput.errors import CorpusError

BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)
# Text packs to a third, poems to a fourth; a repeated line to a thousandth. More than this is no text of this world.
_MOST_EXPANSION = 200
_ALWAYS_ALLOWED = 64 << 20


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
    """Return the bytes that so many packed bytes may come to."""
    return max(_ALWAYS_ALLOWED, _MOST_EXPANSION * packed)


def cannot_unpack(name: str, error: Exception) -> CorpusError:
    """Return the error for a packed file that is broken."""
    reason = str(error).split("\n")[0] or type(error).__name__
    return CorpusError(f"{name} cannot be unpacked ({reason}): fetch or pack the file again")


def expands_too_much(name: str, most: int) -> CorpusError:
    """Return the error for a packed file that unpacks to more than it may."""
    return CorpusError(f"{name} unpacks to more than {most:,} bytes: unpack it by hand if that is really meant")
