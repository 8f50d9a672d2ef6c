"""Encode a text that comes in pieces into a token file: on all cores, with little memory, and resumable.

The ids are exactly those of the whole text, because pieces are joined until they end at a safe cut for the tokenizer
(`Tokenizer.cuts_before`). They are appended to a `.npy` file with a temporary name. A small file beside it records the
progress, the text and the tokenizer. Every few seconds both are flushed to the disk, the tokens first. The next call
truncates what was written after the last entry, reads the text up to there again, and does not encode it again.

Left out: a text without a safe cut. It is one piece and needs memory for all of it.
"""

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Semaphore
from typing import IO

import numpy as np

from lilliput import files
from lilliput.beside import Beside
from lilliput.data.tokens import Tokens, write_header
from lilliput.errors import CorpusError, RunError
from lilliput.tokenizers import Tokenizer

EncodingProgress = Callable[[int, int], None]
"""Called with the number of encoded characters and the total."""

MOST_LEARNT = 32_000_000
"""Maximum number of characters of a large text for the training of a tokenizer."""
_ENTRY_SECONDS = 5.0
_AT_ONCE = min(8, os.cpu_count() or 1)
_READ_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class EncodingState:
    """The progress of a token file."""

    text: str
    tokenizer: str
    characters: int = 0
    tokens: int = 0
    complete: bool = False


def encode_stream(
    pieces: Iterable[str],
    tokenizer: Tokenizer,
    path: Path,
    *,
    text: str,
    characters: int,
    progress: EncodingProgress | None = None,
) -> EncodingState:
    """Write the ids of a text to `path`, count them in `tokenizer.counts`, and return the final state.

    `pieces` are the whole text from its start, `characters` is its length, and `text` its checksum. The call continues
    an interrupted one with the same text and tokenizer; after a finished one it does nothing. An exception from
    `progress` ends the call without losing finished work.

    Raises CorpusError if the text does not have the announced length, RunError if the file is not writable.
    """
    fresh = EncodingState(text, tokenizer.fingerprint)
    try:
        files.make_folder(path.parent)
        done = _saved_state(path, fresh, tokenizer.dtype)
        if not done.complete:
            if not done.tokens:
                files.remove(_part(path))
            with _part(path).open("r+b" if done.tokens else "w+b") as file:
                done = _append(file, pieces, tokenizer, path, done, characters, progress)
            files.settle(_part(path), path)
            done = replace(done, complete=True)
            _write_entry(path, done)
        tokenizer.count(_read_back(path))
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}. Free some space or choose another folder, then "
            "repeat the command to continue"
        ) from error
    return done


def spread_sample(pieces: Iterable[str], characters: int, most: int = MOST_LEARNT) -> Iterator[str]:
    """Yield the same share of the start of every piece, at most `most` characters in total.

    This is the training text of a tokenizer for a large text. A text of up to `most` characters is yielded whole.
    """
    share = min(1.0, most / max(1, characters))
    for piece in pieces:
        length = int(len(piece) * share)
        if length < len(piece):
            length = max(piece.rfind(" ", 0, length), piece.rfind("\n", 0, length), 0) or length
        yield piece[:length]


def _append(
    file: IO[bytes],
    pieces: Iterable[str],
    tokenizer: Tokenizer,
    path: Path,
    done: EncodingState,
    characters: int,
    progress: EncodingProgress | None,
) -> EncodingState:
    start = write_header(file, tokenizer.dtype, 0)
    file.seek(start + done.tokens * tokenizer.dtype.itemsize)
    file.truncate()
    units = _units(_skip(pieces, done.characters), tokenizer.cuts_before)
    last = time.monotonic()
    try:
        for length, ids in _encoded(units, tokenizer):
            file.write(ids.data)
            done = replace(done, characters=done.characters + length, tokens=done.tokens + len(ids))
            if time.monotonic() - last > _ENTRY_SECONDS:
                _settle(file, path, done)
                last = time.monotonic()
            if progress:
                progress(done.characters, characters)
    except BaseException:
        with suppress(OSError):  # the disk may be full
            _settle(file, path, done)
        raise
    if done.characters != characters:
        raise CorpusError(
            f"the text has {done.characters:,} characters now and had {characters:,} before: do not change its files "
            "during training, and start again"
        )
    if write_header(file, tokenizer.dtype, done.tokens) != start:
        raise AssertionError("NumPy's header grew in spite of its padding")
    _settle(file, path, done)
    return done


def _encoded(units: Iterator[str], tokenizer: Tokenizer) -> Iterator[tuple[int, Tokens]]:
    """Yield the length and the ids of every unit, in order; units are encoded while the next ones are read."""
    waiting: deque[tuple[int, Beside[Tokens]]] = deque()
    slots = Semaphore(_AT_ONCE)
    while True:
        waiting += (
            (len(unit), Beside(partial(tokenizer.encode, unit), slots))
            for unit in islice(units, _AT_ONCE + 1 - len(waiting))
        )
        if not waiting:
            return
        length, ids = waiting.popleft()
        yield length, ids.result()


def _skip(pieces: Iterable[str], characters: int) -> Iterator[str]:
    """Yield the pieces without their first characters."""
    for piece in pieces:
        if characters < len(piece):
            yield piece[characters:]
        characters = max(0, characters - len(piece))


def _units(pieces: Iterable[str], cuts_before: str) -> Iterator[str]:
    """Join pieces up to a safe cut: after a visible character and before one of `cuts_before`."""
    waiting: list[str] = []
    for piece in pieces:
        if waiting and piece and piece[0] in cuts_before and not waiting[-1][-1].isspace():
            yield "".join(waiting)
            waiting = []
        if piece:
            waiting.append(piece)
    if waiting:
        yield "".join(waiting)


def _saved_state(path: Path, fresh: EncodingState, dtype: "np.dtype[np.unsignedinteger]") -> EncodingState:
    """Return the state that an earlier call with the same text and tokenizer reached, otherwise `fresh`."""
    try:
        entry = EncodingState(**files.read_json(_entry(path)))
        file = path if entry.complete else _part(path)
        enough = not file.is_symlink() and file.stat().st_size >= entry.tokens * dtype.itemsize
    except (OSError, ValueError, TypeError):
        return fresh
    same = (entry.text, entry.tokenizer) == (fresh.text, fresh.tokenizer)
    return entry if same and enough else fresh


def _settle(file: IO[bytes], path: Path, done: EncodingState) -> None:
    file.flush()
    os.fsync(file.fileno())
    _write_entry(path, done)


def _write_entry(path: Path, done: EncodingState) -> None:
    files.write(_entry(path), json.dumps(asdict(done)).encode())


def _read_back(path: Path) -> Iterator[Tokens]:
    """Yield the ids in parts; a memory map would count as memory of this process."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        _, _, dtype = np.lib.format.read_array_header_1_0(file)
        while data := file.read(_READ_AT_ONCE):
            yield np.frombuffer(data, dtype)


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _entry(path: Path) -> Path:
    return path.with_name(path.name + ".json")
