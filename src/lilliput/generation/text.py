"""Turn new tokens into pieces of text: whole characters, up to the end of the text.

Text that may become a stop string, and white space that the end may drop, is held back until the next tokens decide.
"""

import re
from dataclasses import dataclass, replace

from lilliput.errors import GenerationError
from lilliput.generation.patterns import Pattern
from lilliput.generation.settings import SamplingSettings, Unit


@dataclass(frozen=True, slots=True)
class Piece:
    """The text that one more token adds; it may be empty."""

    text: str
    tokens: int
    """Number of tokens generated so far."""
    token: int | None = None
    """Id of the token; None for the text released at the end."""
    probability: float | None = None
    """Probability of the token in the model, before all filters."""
    tokens_per_second: float = 0.0
    """Average speed so far."""
    top: tuple[tuple[int, float], ...] = ()
    """The most likely tokens at its position (`Token.top`)."""


_CLOSING = "\"'\u2019\u201d\u00bb)\\]\u300d\u300f"
_MARKS = f"(?:[.!?\u2026]+[{_CLOSING}]*(?=\\s)|[\u3002\uff01\uff1f]+[{_CLOSING}]*)"
"""The end of a sentence; marks of scripts without a space after them end it at once."""
_EMPTY_LINE = r"\S.*?(?=\s*?\n[^\S\n]*\n)"
_ENDS: dict[Unit, re.Pattern[str]] = {
    # Includes the white space that ends it: the next word begins after that.
    "word": re.compile(r"\S+\s"),
    "line": re.compile(r"\S[^\n]*?(?=[^\S\n]*\n)"),
    # A text that begins with a mark: the mark alone is a sentence.
    "sentence": re.compile(rf"{_MARKS}|\S.*?{_MARKS}", re.DOTALL),
    "paragraph": re.compile(_EMPTY_LINE, re.DOTALL),
    "stanza": re.compile(_EMPTY_LINE, re.DOTALL),
}
_BETWEEN: dict[Unit, re.Pattern[str]] = {
    "word": re.compile(r"\s"),
    "line": re.compile(r"\n"),
    "sentence": re.compile(rf"[.!?\u2026\u3002\uff01\uff1f]+[{_CLOSING}]*(?:\s+|\Z)"),
    "paragraph": re.compile(r"\n[^\S\n]*\n"),
    "stanza": re.compile(r"\n[^\S\n]*\n"),
}
_OPEN = re.compile(rf"[.!?\u2026\u3002\uff01\uff1f]*[{_CLOSING}]*\s*\Z")


def cut(text: str, settings: SamplingSettings, prompt: str = "", pattern: Pattern | None = None) -> tuple[str, bool]:
    """Return a whole text up to its end, and whether the settings or the pattern ended it."""
    limits = _Limits(settings, prompt)
    shown = limits.add(text)
    if limits.over:
        return shown, True
    return shown + limits.finish(), pattern is not None and pattern.complete(text)


class TextEnding:
    """Cuts the pieces of a text at its end, which the settings define.

    `until` ends the line, sentence or paragraph that the prompt has begun. With a `pattern`, the text ends when it
    matches and cannot continue.
    """

    def __init__(self, settings: SamplingSettings, prompt: str = "", pattern: Pattern | None = None) -> None:
        self.over = False
        """Whether the text has ended; then no further piece may be pushed."""
        self._limits = _Limits(settings, prompt)
        self._most_tokens, self._pattern = settings.max_tokens, pattern
        self._last: Piece | None = None
        self._written = ""

    def push(self, piece: Piece) -> Piece:
        """Return the piece with the text that is certain to come before the end."""
        text, self._last = self._limits.add(piece.text), piece
        self.over = self._limits.over
        if self._pattern is not None:
            self._written += piece.text
            if not self.over and self._pattern.complete(self._written):
                text, self.over = text + self._limits.finish(), True
        return piece if text == piece.text else replace(piece, text=text)

    def finish(self) -> Piece | None:
        """Return the text held back after the last piece, if any."""
        rest = self._limits.finish()
        if self._last is None or not rest:
            return None
        return replace(self._last, text=rest, token=None, probability=None, top=())

    def check(self) -> None:
        """Raise GenerationError if the text ended before it matched the pattern."""
        if self._pattern is not None and not self.over and not self._pattern.matches(self._written):
            raise GenerationError(
                f"after {self._most_tokens} tokens the text does not match yet, but still could: raise max_tokens"
            )


class _Limits:
    """Finds the end of a text that arrives in parts: stop strings, units of text, a number of characters."""

    def __init__(self, settings: SamplingSettings, prompt: str) -> None:
        self.over = False
        self._settings = settings
        self._held = ""
        self._shown = 0
        if settings.until is not None:
            prompt = _BETWEEN[settings.until].split(prompt)[-1]
        self._before = _visible(prompt)

    def add(self, text: str) -> str:
        """Add a piece; return the text that is certain to come before the end."""
        settings = self._settings
        if settings.until is None and settings.max_characters is None and not settings.stop:
            return text
        self._held += text
        ends, limit = self._ends()
        # A possible stop string may begin before an end that is already certain.
        open_from = len(self._held) - max((_overlap(self._held, stop) for stop in settings.stop), default=0)
        if (ends and min(ends) <= open_from) or limit:
            self.over = True
            return self._show(min(ends))
        if settings.until is not None:
            match = _OPEN.search(self._held)
            open_from = min(open_from, match.start() if match else open_from)
        return self._show(min([open_from, *ends]))

    def finish(self) -> str:
        """Return the rest of the text after the last piece."""
        return self._show(min([len(self._held), *self._ends()[0]]))

    def _show(self, count: int) -> str:
        shown, self._held = self._held[:count], self._held[count:]
        self._shown += count
        self._before = _visible(self._before + shown)
        return shown

    def _ends(self) -> tuple[list[int], bool]:
        """Return the possible ends of the text in `_held`, and whether it has reached `max_characters`."""
        settings, ends, full = self._settings, [], False
        if settings.max_characters is not None and self._shown + len(self._held) >= settings.max_characters:
            full = True
            self._held = self._held[: settings.max_characters - self._shown]
            ends.append(len(self._held))
        stops = [(start, start + len(stop)) for stop in settings.stop if (start := self._held.find(stop)) >= 0]
        ends += [start for start, _ in stops]
        if settings.until is not None:
            # Text after a stop string is ignored, even in the same piece.
            held = self._held[: min((end for _, end in stops), default=None)]
            text = self._before + held if self._before else held.lstrip()
            match = _ENDS[settings.until].match(text)
            if match:
                ends.append(max(0, match.end() + len(held) - len(text)))
        return ends, full


def _visible(text: str) -> str:
    """Return one letter in place of the text, and the white space at its end; empty if the text is blank."""
    end = len(text.rstrip())
    return "x" + text[end:] if end else ""


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest suffix of `text` that is a prefix of `stop`, but not all of it."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
