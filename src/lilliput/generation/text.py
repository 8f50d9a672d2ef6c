"""From new tokens to pieces of text: whole characters, and where a text ends.

What may become a stop string, or is white space that the end may leave out, is held back until it is known.
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
    """What one more token adds to a text, perhaps nothing yet."""

    text: str
    tokens: int
    """So many were generated up to here."""
    token: int | None = None
    """Its id; None for what was left at the end."""
    probability: float | None = None
    """What the model gave it, before all filters."""
    tokens_per_second: float = 0.0
    """Up to here."""


_CLOSING = "\"'\u2019\u201d\u00bb)\\]\u300d\u300f"
_MARKS = f"(?:[.!?\u2026]+[{_CLOSING}]*(?=\\s)|[\u3002\uff01\uff1f]+[{_CLOSING}]*)"
"""The end of a sentence; marks of scripts that set no blank behind them end one at once."""
_EMPTY_LINE = r"\S.*?(?=\s*?\n[^\S\n]*\n)"
_ENDS: dict[Unit, re.Pattern[str]] = {
    # With what it ends by: the next word begins behind it.
    "word": re.compile(r"\S+\s"),
    "line": re.compile(r"\S[^\n]*?(?=[^\S\n]*\n)"),
    # A mark that stands first is a sentence by itself, whatever comes with it.
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
    """Yield a piece for each token; what never becomes a character is left out."""
    began = time.perf_counter()
    for count, token in enumerate(tokens, 1):
        speed = count / max(1e-9, time.perf_counter() - began)
        yield Piece(stream.push(token.id), count, token.id, token.probability, speed)


def ended(
    pieces: Iterator[Piece], settings: SamplingSettings, prompt: str = "", pattern: Pattern | None = None
) -> Iterator[Piece]:
    """Yield the pieces up to where the settings end the text; what is drawn after that is never asked for.

    A line, sentence or paragraph that the prompt left open is the one that ends; a text that matches `pattern` ends
    where nothing can follow. Raises GenerationError, at the end, if it does not match.
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
    """Return a whole text up to where the settings end it, and whether they, or the pattern, do."""
    ending = _Ending(settings, prompt)
    shown = ending.add(text)
    if ending.over:
        return shown, True
    return shown + ending.finish(), pattern is not None and pattern.complete(text)


class _Ending:
    """Text as it comes, up to its end."""

    def __init__(self, settings: SamplingSettings, prompt: str) -> None:
        self.over = False
        self._settings = settings
        self._held = ""
        self._shown = 0
        if settings.until is not None:
            prompt = _BETWEEN[settings.until].split(prompt)[-1]
        self._before = _visible(prompt)

    def add(self, text: str) -> str:
        """Return what is sure to belong to the text."""
        settings = self._settings
        if settings.until is None and settings.max_characters is None and not settings.stop:
            return text
        self._held += text
        ends, limit = self._ends()
        # What may become a stop string counts from where it begins: it may begin before an end that is already there.
        open_from = len(self._held) - max((_overlap(self._held, stop) for stop in settings.stop), default=0)
        if (ends and min(ends) <= open_from) or limit:
            self.over = True
            return self._show(min(ends))
        if settings.until is not None:
            found = _OPEN.search(self._held)
            open_from = min(open_from, found.start() if found else open_from)
        return self._show(min([open_from, *ends]))

    def finish(self) -> str:
        """Return what is left when nothing more comes."""
        return self._show(min([len(self._held), *self._ends()[0]]))

    def _show(self, count: int) -> str:
        shown, self._held = self._held[:count], self._held[count:]
        self._shown += count
        self._before = _visible(self._before + shown)
        return shown

    def _ends(self) -> tuple[list[int], bool]:
        """Return where in what is held the text would end, and whether it has as many characters as it may."""
        settings, ends, full = self._settings, [], False
        if settings.max_characters is not None and self._shown + len(self._held) >= settings.max_characters:
            full = True
            self._held = self._held[: settings.max_characters - self._shown]
            ends.append(len(self._held))
        stops = [(place, place + len(stop)) for stop in settings.stop if (place := self._held.find(stop)) >= 0]
        ends += [place for place, _ in stops]
        if settings.until is not None:
            # Text behind a stop string is ignored, even if it came in the same piece.
            held = self._held[: min((end for _, end in stops), default=None)]
            text = self._before + held if self._before else held.lstrip()
            found = _ENDS[settings.until].match(text)
            if found:
                ends.append(max(0, found.end() + len(held) - len(text)))
        return ends, full


def _visible(text: str) -> str:
    """Return a letter that stands for the text, with the white space behind it; nothing if there is nothing to see."""
    end = len(text.rstrip())
    return "x" + text[end:] if end else ""


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of `text` with which `stop` begins."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
