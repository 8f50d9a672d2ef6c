"""Texts that have to match: regular expressions, kept to from the first character on.

A token is allowed if the text with it is a match, or may still become one (`regex`, "partial matches"). Tokens that
begin alike are tried together: where "th" leads nowhere, "the" is not asked for. Several patterns have to be matched at
once. Tokens that are part of a character are never allowed, since no one knows of what.

Allowed characters, lengths of lines and first letters of lines are patterns too.

Vectors of one axis: V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import regex

from lilliput.errors import GenerationError
from lilliput.generation.filters import Filter, Logits
from lilliput.generation.settings import SamplingSettings
from lilliput.tokenizers import TextStream, Tokenizer
from lilliput.tokenizers.escape import BROKEN, unescape

_BEFORE_A_LETTER = r"""[ \t]{0,8}(?:["'\u00ab\u201c\u2018\u2014-][ \u00a0\u202f]?){0,2}"""
"""What may stand in front of the first letter of a line; without bounds a model might never come to the letter."""


def patterns(settings: SamplingSettings) -> list[str]:
    """Return the regular expressions that the settings come to."""
    found = [] if settings.match is None else [settings.match]
    if settings.allow is not None:
        found.append(f"[{regex.escape(settings.allow, literal_spaces=True)}]*")
    if settings.forbid is not None:
        found.append(f"[^{regex.escape(settings.forbid, literal_spaces=True)}]*")
    if settings.line_length is not None:
        line = f"[^\\n]{{0,{settings.line_length}}}"
        found.append(f"(?:{line}\\n)*+{line}")
    if settings.acrostic is not None:
        lines = (f"{_BEFORE_A_LETTER}(?i:{regex.escape(letter)})[^\\n]*\\n" for letter in settings.acrostic)
        found.append("".join(lines))
    return found


@dataclass
class _Node:
    """A place in the tree of all tokens' texts."""

    ids: list[int] = field(default_factory=list)
    """The tokens whose text ends here."""
    following: dict[str, "_Node"] = field(default_factory=dict)


_MOST_KNOWN = 256


class Pattern:
    """Regular expressions that a text has to match. Raises GenerationError for an expression that is none."""

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
        self._known: dict[tuple[str, str], list[int]] = {}

    def behind(self, start: int, rest: str = "") -> Filter:
        """Return a filter that forbids what leads to no match of the text behind the first `start` tokens.

        The next token begins with a `rest` that is no part of that text, in escaped form. The filter raises
        GenerationError if nothing leads to a match, but for that token, which need not be there.
        """

        def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
            text = TextStream(self._tokenizer, len(rest)).push_all(ids[start:])
            given = rest if len(ids) == start else ""
            allowed = self._allowed(text, unescape(given))
            if not allowed and not given:
                raise GenerationError(
                    f"behind {text[-40:]!r} no token of the vocabulary leads to a match; loosen match, allow, forbid, "
                    "line_length or acrostic"
                )
            result_V = np.full_like(logits_V, -np.inf)
            result_V[allowed] = logits_V[allowed]
            return result_V

        return keep

    def complete(self, text: str) -> bool:
        """Tell whether the text matches and nothing can follow."""
        return self.matches(text) and not self._allowed(text)

    def matches(self, text: str) -> bool:
        """Tell whether the text is a match as it is."""
        return all(compiled.fullmatch(text) for compiled in self._compiled)

    def _allowed(self, text: str, given: str = "") -> list[int]:
        """Return the tokens that may follow a text; what is `given` of them is no part of it."""
        if (text, given) not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found: list[int] = []
            node: _Node | None = self._root
            for character in given:
                node = node.following.get(character) if node else None
            open_nodes = [(node, text)] if node else []
            while open_nodes:
                node, before = open_nodes.pop()
                for character, following in node.following.items():
                    longer = before + character
                    if all(compiled.fullmatch(longer, partial=True) for compiled in self._compiled):
                        found += following.ids
                        open_nodes.append((following, longer))
            self._known[text, given] = found
        return self._known[text, given]
