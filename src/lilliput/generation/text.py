"""Turn new tokens into pieces of text: whole characters, up to the end of the text.

Text that may become a stop string, and white space that the end may drop, is held back until the next tokens decide.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lilliput.errors import GenerationError
from lilliput.generation.patterns import Pattern
from lilliput.generation.sampling import Token
from lilliput.generation.settings import SamplingSettings, Unit
from lilliput.tokenizers import TextStream


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


def pieces(tokens: Iterator[Token], stream: TextStream) -> Iterator[Piece]:
    """Yield a piece for each token; a character that is never completed is left out."""
    began = time.perf_counter()
    for count, token in enumerate(tokens, 1):
        speed = count / max(1e-9, time.perf_counter() - began)
        yield Piece(stream.push(token.id), count, token.id, token.probability, speed)


def ended(
    pieces: Iterator[Piece], settings: SamplingSettings, prompt: str = "", pattern: Pattern | None = None
) -> Iterator[Piece]:
    """Yield the pieces up to the end that the settings define; draw no token after it.

    `until` ends the line, sentence or paragraph that the prompt has begun. With a `pattern`, the text ends when it
    matches and cannot continue. Raises GenerationError if the text does not match at the end.
    """
    ending, last, written = _Ending(settings, prompt), None, ""
    for piece in pieces:
        text, last = ending.add(piece.text), piece
        if pattern is not None:
            written += piece.text
            if not ending.over and pattern.complete(written):
                yield replace(piece, text=text + ending.finish())
                return
        yield piece if text == piece.text else replace(piece, text=text)
        if ending.over:
            return
    rest = ending.finish()
    if last is not None and rest:
        yield replace(last, text=rest, token=None, probability=None)
    if pattern is not None and not pattern.matches(written):
        raise GenerationError(
            f"after {settings.max_tokens} tokens the text does not match yet, but still could: raise max_tokens"
        )


def cut(text: str, settings: SamplingSettings, prompt: str = "", pattern: Pattern | None = None) -> tuple[str, bool]:
    """Return a whole text up to its end, and whether the settings or the pattern ended it."""
    ending = _Ending(settings, prompt)
    shown = ending.add(text)
    if ending.over:
        return shown, True
    return shown + ending.finish(), pattern is not None and pattern.complete(text)


class _Ending:
    """Finds the end of a text that arrives in pieces."""

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
