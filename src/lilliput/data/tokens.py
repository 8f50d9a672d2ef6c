"""The token file: a text's ids as a NumPy array on disk, read through a memory map.

NumPy's own `.npy` format is the header, so any tool can read the file. Where the text has several segments, a file
beside it, `.starts.npy`, says where they begin.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import RunError
from lilliput.files import make_folder, writing
from lilliput.segments import Starts, starts_of

Tokens = NDArray[np.uint16] | NDArray[np.uint32]


def write_tokens(path: Path, ids: Tokens) -> None:
    """Write `ids` (1-D, unsigned) to `path`, whole or not at all."""
    make_folder(path.parent)
    with writing(path) as file:
        write_header(file, ids.dtype, len(ids))
        file.write(np.ascontiguousarray(ids).data)


def joined(parts: Sequence[Tokens]) -> Tokens:
    """Return segments one behind the other; a single one is not copied."""
    return parts[0] if len(parts) == 1 else cast(Tokens, np.concatenate(parts))


def write_segments(path: Path, parts: Sequence[Tokens]) -> None:
    """Write the tokens of the segments of a text to `path`, and where they begin if there are several."""
    write_tokens(path, joined(parts))
    if len(parts) > 1:
        write_tokens(starts_file(path), np.array(starts_of(map(len, parts)), np.uint32))


def write_header(file: IO[bytes], dtype: "np.dtype[np.unsignedinteger]", tokens: int) -> int:
    """Write the header of a token file over the old one, and return its length, which is always the same."""
    file.seek(0)
    content = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (tokens,)}
    np.lib.format.write_array_header_1_0(file, content)
    return file.tell()


def read_tokens(path: Path, vocab_size: int | None = None) -> Tokens:
    """Open a token file as a read-only memory map; `vocab_size`, if given, is what its ids have to be below.

    Raises RunError if it is missing or broken.
    """
    try:
        ids: Tokens = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise RunError(
            f"{path}: the token file is missing or broken ({error}); copy it back, or start over with --fresh"
        ) from None
    if ids.ndim != 1 or ids.dtype.kind != "u":
        raise RunError(f"{path}: not a token file (it holds {ids.dtype} of {ids.ndim} axes); start over with --fresh")
    if vocab_size is not None and len(ids) and int(ids.max()) >= vocab_size:
        raise RunError(
            f"{path}: not this run's token file (it holds the id {ids.max()}, the vocabulary has {vocab_size} tokens); "
            "copy the right one back, or start over with --fresh"
        )
    return ids


def read_starts(path: Path, tokens: int, read: Callable[[Path], Tokens] = read_tokens) -> Starts:
    """Return where the segments of the text in `path` begin, which has `tokens` tokens; `read` opens their file.

    Raises RunError if that is missing or broken.
    """
    file = starts_file(path)
    starts: list[int] = read(file).tolist()
    ends = [*starts, tokens]
    if ends[0] != 0 or any(stop <= start for start, stop in pairwise(ends)):
        raise RunError(f"{file}: does not fit its tokens; start over with --fresh")
    return starts


def starts_file(path: Path) -> Path:
    """Return the file that says where the segments of the text in a token file begin, if there are several."""
    return path.with_suffix(".starts.npy")
