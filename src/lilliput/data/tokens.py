"""The token file: a text's ids as a NumPy array on disk, read through a memory map.

The format is NumPy's `.npy`, so any tool can read the file. If the text has several segments, a second file,
`.starts.npy`, holds their starts.
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
    """Write `ids` (1-D, unsigned) to `path` atomically."""
    make_folder(path.parent)
    with writing(path) as file:
        write_header(file, ids.dtype, len(ids))
        file.write(np.ascontiguousarray(ids).data)


def joined(parts: Sequence[Tokens]) -> Tokens:
    """Return the concatenated segments; a single one is not copied."""
    return parts[0] if len(parts) == 1 else cast(Tokens, np.concatenate(parts))


def write_segments(path: Path, parts: Sequence[Tokens]) -> None:
    """Write the tokens of the segments of a text to `path`, and the starts of several segments to a second file."""
    write_tokens(path, joined(parts))
    if len(parts) > 1:
        write_tokens(starts_file(path), np.array(starts_of(map(len, parts)), np.uint32))


def write_header(file: IO[bytes], dtype: "np.dtype[np.unsignedinteger]", tokens: int) -> int:
    """Write the header of a token file over the old one, and return its length, which never changes."""
    file.seek(0)
    content = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (tokens,)}
    np.lib.format.write_array_header_1_0(file, content)
    return file.tell()


def read_tokens(path: Path, vocab_size: int | None = None) -> Tokens:
    """Open a token file as a read-only memory map; with `vocab_size`, check that all ids are below it.

    Raises RunError if the file is missing or damaged.
    """
    try:
        ids: Tokens = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise RunError(
            f"{path}: the token file is missing or damaged ({error}); copy it back, or start over with --fresh"
        ) from None
    if ids.ndim != 1 or ids.dtype.kind != "u":
        raise RunError(f"{path}: not a token file ({ids.dtype} with {ids.ndim} axes); start over with --fresh")
    if vocab_size is not None and len(ids) and int(ids.max()) >= vocab_size:
        raise RunError(
            f"{path}: belongs to another run (it has the id {ids.max()}, the vocabulary has {vocab_size} tokens); "
            "copy the right file back, or start over with --fresh"
        )
    return ids


def read_starts(path: Path, tokens: int, read: Callable[[Path], Tokens] = read_tokens) -> Starts:
    """Return the segment starts of the text in `path`, which has `tokens` tokens; `read` opens the second file.

    Raises RunError if that file is missing or damaged.
    """
    file = starts_file(path)
    starts: list[int] = read(file).tolist()
    ends = [*starts, tokens]
    if ends[0] != 0 or any(stop <= start for start, stop in pairwise(ends)):
        raise RunError(f"{file}: does not match its tokens; start over with --fresh")
    return starts


def starts_file(path: Path) -> Path:
    """Return the path of the file with the segment starts of a token file."""
    return path.with_suffix(".starts.npy")
