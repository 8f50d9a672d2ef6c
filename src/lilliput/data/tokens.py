"""The token file: a text's ids as a NumPy array on disk, read through a memory map.

NumPy's own `.npy` format is the header, so any tool can read the file.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import RunError

Tokens = NDArray[np.uint16] | NDArray[np.uint32]


def write_tokens(path: Path, ids: Tokens) -> None:
    """Write `ids` (1-D, unsigned) to `path`, aside first and then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    with aside.open("wb") as file:
        np.save(file, ids, allow_pickle=False)
    aside.replace(path)


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
