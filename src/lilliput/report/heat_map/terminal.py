"""A text as a heat-map in the terminal, and the figures and words below it."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from lilliput.corpus import shortened
from lilliput.evaluation.surprise import TextSurprise, TokenSurprise, WordSurprise, whole_characters
from lilliput.report.heat_map.colours import AMBER, BLACK, MOST_BITS, ORANGE, blended
from lilliput.report.terminal import printable
from lilliput.report.terminal_tables import DataTable, table

WORDS_SHOWN = 8
"""Words listed as most and as least surprising."""
_FIRST_BITS = 2
"""Surprise from which on a token has a colour: a terminal does not say what its own background is, and faint colours
need it."""
_RED_BITS = 5
"""Surprise that is red on terminals with sixteen colours, where amber and orange are both yellow."""
_SHOWN_WORD = 40


def coloured_text(tokens: Sequence[TokenSurprise], *, sixteen: bool = False) -> Text:
    """Return the text of the tokens, each on the colour of its surprise, for terminals with `sixteen` colours or more.

    The end of a surprising line is marked.
    """
    text = Text()
    for token in whole_characters(tokens):
        style = _style(token.bits or 0.0, sixteen)
        for number, line in enumerate(printable(token.text).split("\n")):
            if number:
                text.append("\u21b5" if style else "", style).append("\n")
            text.append(line, style)
    return text


def print_heat_map(console: Console, surprise: TextSurprise) -> None:
    """Print a text, on colours and with a legend if the console has colours."""
    end = "" if surprise.text.endswith("\n") else "\n"
    if console.color_system is None:
        console.print(Text(printable(surprise.text)), soft_wrap=True, end=end)
        return
    sixteen = console.color_system == "standard"
    console.print(coloured_text(surprise.tokens, sixteen=sixteen), soft_wrap=True, end=end)
    legend = Text("\nbits of surprise: ")
    for bits in range(_FIRST_BITS, MOST_BITS + 1):
        legend.append(f" {bits} ", _style(bits, sixteen))
    console.print(legend.append(" or more"), soft_wrap=True)


def _style(bits: float, sixteen: bool) -> str:
    if bits < _FIRST_BITS:
        return ""
    if sixteen:
        return "black on yellow" if bits < _RED_BITS else "white on red"
    share = min(1.0, (bits - _FIRST_BITS) / (MOST_BITS - _FIRST_BITS))
    return f"{BLACK} on {blended(AMBER, ORANGE, share)}"


def print_surprise(console: Console, surprise: TextSurprise) -> None:
    """Print the figures of a text and its most and least surprising words."""
    console.print(
        f"{surprise.bits_per_character:.3f} bits per character, {surprise.bits_per_token:.3f} bits per token "
        f"({len(surprise.text):,} characters, {len(surprise.tokens):,} tokens)",
        soft_wrap=True,
    )
    surprising, expected = surprise.extreme_words(WORDS_SHOWN)
    if surprising:
        console.print()
        console.print(_words("most surprising words", surprising))
        console.print()
        console.print(_words("least surprising words", expected))


def _words(heading: str, words: Sequence[WordSurprise]) -> DataTable:
    rows = [
        {"word": shortened(printable(word.text), _SHOWN_WORD), "bits": f"{word.bits:.1f}", "line": word.line}
        for word in words
    ]
    shown = table(rows, {"word": heading, "bits": "bits", "line": "line"})
    shown.numeric = {"bits", "line"}
    return shown
