"""Generate only texts that match regular expressions.

A token is allowed if the text with it matches, or can still become a match (`regex`, "partial matches"). Tokens with a
common prefix are tested together: if "th" cannot match, "the" is not tried. A text must match all patterns. Tokens that
are part of a character are never allowed, since the character is not known yet.

Allowed characters, lengths of lines and first letters of lines are patterns too.

Vectors of one axis: V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import regex

from lilliput.errors import GenerationError
from lilliput.generation.filters import Filter, Logits, only
from lilliput.generation.settings import SamplingSettings
from lilliput.tokenizers import TextStream, Tokenizer
from lilliput.tokenizers.escape import BROKEN, unescape

_BEFORE_A_LETTER = r"""[ \t]{0,8}(?:["'\u00ab\u201c\u2018\u2014-][ \u00a0\u202f]?){0,2}"""
"""Optional characters before the first letter of a line; bounded, or a model might never write the letter."""


def patterns(settings: SamplingSettings) -> list[str]:
    """Return the regular expressions that express the settings."""
    expressions = [] if settings.match is None else [settings.match]
    if settings.allow is not None:
        expressions.append(f"[{regex.escape(settings.allow, literal_spaces=True)}]*")
    if settings.forbid is not None:
        expressions.append(f"[^{regex.escape(settings.forbid, literal_spaces=True)}]*")
    if settings.line_length is not None:
        line = f"[^\\n]{{0,{settings.line_length}}}"
        expressions.append(f"(?:{line}\\n)*+{line}")
    if settings.acrostic is not None:
        expressions.append("".join(f"{line_from(letter)}\\n" for letter in settings.acrostic))
    return expressions


def line_from(letter: str) -> str:
    """Return the regular expression of a line that begins with a letter, perhaps after marks and spaces."""
    return f"{_BEFORE_A_LETTER}(?i:{regex.escape(letter)})[^\\n]*"


@dataclass
class _Node:
    """A node in the prefix tree of all tokens' texts."""

    ids: list[int] = field(default_factory=list)
    """The tokens whose text ends here."""
    following: dict[str, "_Node"] = field(default_factory=dict)


_CACHE_SIZE = 256
"""Texts whose allowed tokens are cached."""


class Pattern:
    """Regular expressions that a text must match. Raises GenerationError for an invalid expression."""

    def __init__(self, tokenizer: Tokenizer, expressions: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        try:
            self._compiled = [regex.compile(expression) for expression in expressions]
        except regex.error as error:
            raise GenerationError(f"sampling: match: {error}; write a regular expression") from None
        self._root = _Node()
        for id, piece in enumerate(tokenizer.pieces):
            text = unescape(piece)
            if not text or (BROKEN in text and BROKEN not in piece):
                continue
            node = self._root
            for character in text:
                node = node.following.setdefault(character, _Node())
            node.ids.append(id)
        self._cache: dict[tuple[str, str], list[int]] = {}

    def filter(self, start: int, rest: str = "") -> Filter:
        """Return a filter that forbids tokens after which the text from position `start` cannot match.

        The token at `start` begins with `rest` (escaped), which is not part of that text. The filter raises
        GenerationError if no token can lead to a match, except at `start` if there is a rest.
        """

        def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
            text = TextStream(self._tokenizer, len(rest)).push_all(ids[start:])
            prefix = rest if len(ids) == start else ""
            allowed = self._allowed(text, unescape(prefix))
            if not allowed and not prefix:
                raise GenerationError(
                    f"after {text[-40:]!r} no token of the vocabulary leads to a match; loosen match, allow, forbid, "
                    "line_length or acrostic"
                )
            return only(logits_V, allowed)

        return keep

    def complete(self, text: str) -> bool:
        """Return whether the text matches and cannot continue."""
        return self.matches(text) and not self._allowed(text)

    def matches(self, text: str) -> bool:
        """Return whether the whole text matches."""
        return all(compiled.fullmatch(text) for compiled in self._compiled)

    def _allowed(self, text: str, prefix: str = "") -> list[int]:
        """Return the tokens that may follow a text; they begin with `prefix`, which is not part of the text."""
        if (text, prefix) not in self._cache:
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            allowed: list[int] = []
            node: _Node | None = self._root
            for character in prefix:
                node = node.following.get(character) if node else None
            open_nodes = [(node, text)] if node else []
            while open_nodes:
                node, before = open_nodes.pop()
                for character, following in node.following.items():
                    longer = before + character
                    if all(compiled.fullmatch(longer, partial=True) for compiled in self._compiled):
                        allowed += following.ids
                        open_nodes.append((following, longer))
            self._cache[text, prefix] = allowed
        return self._cache[text, prefix]
