"""GPT-2's vocabulary: 50,257 tokens of byte-level BPE, with the ids of tiktoken (Radford et al. 2019, section 2.2).

The ranks come from a file: `gpt2.tiktoken` (one token in base64 and its rank per line) or `vocab.bpe` (the merges as
OpenAI first published them). tiktoken's downloader is not used. Text that looks like a special token is ordinary text.

tiktoken replaces lone surrogates by U+FFFD; here their bytes become tokens, so that every Python string survives.
"""

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lilliput.beside import Beside
from lilliput.errors import DependencyError, TokenizerError
from lilliput.tokenizers.base import PieceTokenizer
from lilliput.tokenizers.escape import to_nibbles
from lilliput.tokenizers.ids import Ids
from lilliput.tokenizers.pretokenize import cut
from lilliput.tokenizers.settings import Normalization
from lilliput.tokenizers.storage import FILE, Stored, broken, write_file

if TYPE_CHECKING:
    import tiktoken

RANKS_FILE = "gpt2.tiktoken"
END_OF_TEXT = "<|endoftext|>"
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_SURROGATE = re.compile("([\ud800-\udfff])")
_THREADS = min(8, os.cpu_count() or 1)
_WORTH_THREADS = 1 << 20  # characters; shorter texts are prompts, or pieces that are already encoded in parallel

# GPT-2 writes bytes as printable characters, in this order: first those printable in Latin-1, then the others.
_PRINTED = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_BYTE_ORDER = (*_PRINTED, *(value for value in range(256) if value not in _PRINTED))
_WRITTEN = [chr(value) for value in _PRINTED] + [chr(256 + rank) for rank in range(256 - len(_PRINTED))]
_BYTE_OF = dict(zip(_WRITTEN, _BYTE_ORDER, strict=True))


def read_ranks(path: Path) -> list[bytes]:
    """Read the tokens, ordered by rank, from a tiktoken file or a merges file.

    TokenizerError: the file is missing, damaged or in neither format.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise TokenizerError(f"cannot read the GPT-2 vocabulary {path}: {error.strerror}") from error
    try:
        # Only the first line can be the header: a later one that begins with "#" is a merge.
        tokens = _from_merges(lines[1:]) if lines and lines[0].startswith(b"#version") else _from_tiktoken(lines)
    except (ValueError, KeyError) as error:
        raise TokenizerError(f"{path} is not a GPT-2 vocabulary: give gpt2.tiktoken or vocab.bpe") from error
    if len(set(tokens)) != len(tokens) or not {bytes([value]) for value in range(256)}.issubset(tokens):
        raise TokenizerError(f"{path} is damaged (tokens are missing or occur twice): fetch it again")
    return tokens


def _from_merges(lines: list[bytes]) -> list[bytes]:
    tokens = [bytes([value]) for value in _BYTE_ORDER]
    for line in filter(None, lines):
        left, right = line.decode("utf-8").split(" ")
        tokens.append(bytes(_BYTE_OF[character] for character in left + right))
    return tokens


def _from_tiktoken(lines: list[bytes]) -> list[bytes]:
    tokens: list[bytes] = []
    for line in filter(None, lines):
        token, rank = line.split()
        if int(rank) != len(tokens):
            raise ValueError("ranks are not in order")
        tokens.append(base64.b64decode(token, validate=True))
    return tokens


def _to_tiktoken(tokens: Sequence[bytes]) -> bytes:
    return b"".join(b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(tokens))


def _encoding(tokens: Sequence[bytes]) -> "tiktoken.Encoding":
    try:
        import tiktoken
    except Exception as error:
        raise DependencyError("tiktoken", "gpt2", "the gpt2 tokenizer", error) from error
    return tiktoken.Encoding(
        "gpt2",
        pat_str=PATTERN,
        mergeable_ranks={token: rank for rank, token in enumerate(tokens)},
        special_tokens={END_OF_TEXT: len(tokens)},
    )


class GPT2Tokenizer(PieceTokenizer):
    """Byte-level BPE; the last id is the end-of-text token, to which no text is encoded."""

    def __init__(self, tokens: Sequence[bytes], normalize: Sequence[Normalization] = ()) -> None:
        super().__init__("gpt2", [*map(to_nibbles, tokens), END_OF_TEXT], normalize)
        self.special = (len(tokens),)
        self._tokens = tuple(tokens)
        self._encoding = _encoding(tokens)

    @classmethod
    def from_file(cls, path: Path, normalize: Sequence[Normalization] = ()) -> "GPT2Tokenizer":
        """Build the tokenizer from `gpt2.tiktoken` or `vocab.bpe`.

        TokenizerError: the file is missing or damaged. DependencyError: tiktoken is not installed.
        """
        return cls(read_ranks(path), normalize)

    @classmethod
    def restore(cls, stored: Stored, folder: Path) -> "GPT2Tokenizer":
        """Restore a saved tokenizer from its ranks file. TokenizerError: that file is missing or was changed."""
        path = folder / RANKS_FILE
        tokens = read_ranks(path)
        if hashlib.sha256(_to_tiktoken(tokens)).hexdigest() != stored.ranks_sha256:
            raise broken(path, f"it does not match {FILE}")
        return cls(tokens, stored.normalize)

    def save(self, folder: Path) -> None:
        """Save the ranks with tokenizer.json and vocabulary.txt, so that loading needs no other file."""
        super().save(folder)
        write_file(folder / RANKS_FILE, _to_tiktoken(self._tokens))

    def _encode(self, text: str) -> Ids:
        arrays = []
        for index, part in enumerate(_SURROGATE.split(text)):
            if index % 2:
                data = part.encode("utf-8", "surrogatepass")
                ids = [self._encoding.encode_single_token(bytes([value])) for value in data]
                arrays.append(np.asarray(ids, dtype=self.dtype))
            else:
                arrays += self._encode_plain(part)
        return np.concatenate(arrays) if arrays else np.empty(0, dtype=self.dtype)

    def _encode_plain(self, text: str) -> list[Ids]:
        parts = list(cut(text))
        if len(text) < _WORTH_THREADS:
            return self._encode_parts(parts)
        shares = [Beside(partial(self._encode_parts, parts[first::_THREADS])) for first in range(_THREADS)]
        rows = zip_longest(*(share.result() for share in shares))
        return [ids for row in rows for ids in row if ids is not None]

    def _encode_parts(self, parts: list[str]) -> list[Ids]:
        # An array takes a tenth of a list's memory. With no special token disallowed, all of them are plain text.
        encoded = (self._encoding.encode_to_numpy(part, disallowed_special=()) for part in parts)
        return [ids.astype(self.dtype) for ids in encoded]

    def _stored(self) -> Stored:
        checksum = hashlib.sha256(_to_tiktoken(self._tokens)).hexdigest()
        return Stored(kind=self.kind, normalize=self.normalize, counts=self.counts, ranks_sha256=checksum)
