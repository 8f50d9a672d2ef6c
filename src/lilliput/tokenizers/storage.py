"""A saved tokenizer: a folder with tokenizer.json, which `load` reads, and vocabulary.txt, for people.

The JSON format does not depend on the libraries: pieces in the order of their ids, then merges or scores. So a file can
still be read when the library that trained it has changed. Loading executes no code from it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from lilliput import files
from lilliput.errors import TokenizerError
from lilliput.settings import Settings
from lilliput.tokenizers.escape import NIBBLE_RUN, NIBBLES, to_hex
from lilliput.tokenizers.settings import Kind, Normalization

FILE = "tokenizer.json"
VOCABULARY_FILE = "vocabulary.txt"
FORMAT: Final = "lilliput.tokenizer"
VERSION: Final = 1


class Stored(Settings):
    """The contents of tokenizer.json."""

    format: Literal["lilliput.tokenizer"] = FORMAT
    version: Literal[1] = VERSION
    kind: Kind
    normalize: tuple[Normalization, ...]
    pieces: tuple[str, ...] = ()  # empty where the kind implies them
    merges: tuple[tuple[int, int], ...] = ()  # bpe: ids of the two pieces of each merge, by priority
    scores: tuple[float, ...] = ()  # unigram: log probability of each piece
    ranks_sha256: str | None = None  # gpt2: checksum of the ranks file in the same folder
    counts: tuple[int, ...] | None = None
    reverse_lines: bool = False


def write(folder: Path, stored: Stored, pieces: Sequence[str]) -> None:
    """Write both files. TokenizerError: cannot write to the folder."""
    write_file(folder / FILE, json.dumps(stored.model_dump()).encode())
    write_file(folder / VOCABULARY_FILE, _for_people(stored, pieces).encode())


def write_file(path: Path, content: bytes) -> None:
    """Write one file of a tokenizer's folder. TokenizerError: cannot write it."""
    try:
        files.make_folder(path.parent)
        files.write(path, content)
    except OSError as error:
        raise TokenizerError(f"cannot write {path}: {error.strerror or error}") from error


def _for_people(stored: Stored, pieces: Sequence[str]) -> str:
    lines = ["# id, token (␣ is a space, ‹c3a9› are bytes in hexadecimal), count in the training text\n"]
    counts = stored.counts or (None,) * len(pieces)
    for number, (piece, count) in enumerate(zip(pieces, counts, strict=True)):
        lines.append(f"{number}\t{visible(piece)}\t{'-' if count is None else count}\n")
    return "".join(lines)


def visible(piece: str) -> str:
    """Return a piece on one line, with visible spaces, line ends, control characters and bytes."""
    shown = ""
    for index, part in enumerate(NIBBLE_RUN.split(piece)):
        if index % 2:
            shown += f"‹{to_hex(part)}›"
        else:
            shown += "".join(map(_visible_character, part))
    return shown


def _visible_character(character: str) -> str:
    if character == " ":
        return "␣"
    if character.isprintable() and character != "\\":
        return character
    return character.encode("unicode_escape").decode("ascii")


def read(folder: Path) -> Stored:
    """Read and check tokenizer.json.

    TokenizerError: it is missing, damaged, of another program or of a newer version.
    """
    path = folder / FILE
    try:
        content = files.read_json(path)
    except OSError as error:
        raise TokenizerError(f"no tokenizer in {folder} ({error.strerror}): give the folder it was saved to") from error
    except ValueError as error:
        raise broken(path, f"it is not JSON: {files.reason_of(error)}") from error
    if content.get("format") != FORMAT:
        raise TokenizerError(f"{path} was not written by Lilliput: give the folder that a tokenizer was saved to")
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise TokenizerError(f"{path} has version {version}, this program reads up to {VERSION}: upgrade lilliput")
    try:
        stored = Stored.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise broken(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    fault = _fault(stored)
    if fault:
        raise broken(path, fault)
    return stored


def broken(path: Path, fault: str) -> TokenizerError:
    """Return the error for a damaged file."""
    return TokenizerError(f"{path} is damaged ({fault}): restore it from a copy or train again")


def _fault(stored: Stored) -> str | None:
    """Return what would make the tokenizer lossy or break it later, or None."""
    if stored.kind in ("byte", "gpt2"):
        return None
    pieces = stored.pieces
    alphabet = {piece for piece in pieces if len(piece) == 1}
    if len(set(pieces)) != len(pieces) or "" in pieces:
        return "a piece is empty or occurs twice"
    if not alphabet.issuperset(NIBBLES):
        return "nibbles are missing"
    if not alphabet.issuperset("".join(pieces)):
        return "a piece has a character that is not itself a piece"
    if stored.kind == "char" and len(alphabet) != len(pieces):
        return "a piece is longer than one character"
    if stored.kind == "unigram" and len(stored.scores) != len(pieces):
        return "the number of scores is not that of the pieces"
    if stored.counts is not None and len(stored.counts) != len(pieces):
        return "the number of counts is not that of the pieces"
    spellings = set(pieces)
    size = len(pieces)
    for left, right in stored.merges:
        if not (0 <= left < size and 0 <= right < size and pieces[left] + pieces[right] in spellings):
            return "a merge refers to a missing piece"
    return None
