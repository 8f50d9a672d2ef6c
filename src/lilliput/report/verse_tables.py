"""Verse in the terminal: lines with their rhymes and syllables in the margin, and tables of measures."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from lilliput.report.terminal import printable
from lilliput.report.terminal_tables import DataTable, share, table
from lilliput.verse.forms import SCHEMES, Stanza

_COLUMNS = {
    "name": "",
    "lines": "lines",
    "rhyme": "rhymed",
    "sufficient": "well rhymed",
    "metre": "in metre",
    "unique_endings": "unique endings",
    "top_ending": "top ending",
    "new_pairs": "new pairs",
}


def verse_table(measures: Mapping[str, Mapping[str, Any]]) -> DataTable:
    """Return a table of `VerseMeasures.as_dict()`, one row for each name."""
    rows: list[dict[str, object]] = []
    for name, figures in measures.items():
        row: dict[str, object] = {"name": name.replace("_", "-"), "lines": figures["lines"]}
        for key in ("rhyme", "metre"):
            row[key] = _with_interval(figures[key], figures[f"{key}_interval"])
        row |= {key: share(figures[key]) for key in ("sufficient", "unique_endings", "top_ending", "new_pairs")}
        rows.append(row)
    columns = {key: heading for key, heading in _COLUMNS.items() if any(row[key] != "" for row in rows)}
    return table(rows, columns)


def scheme_table(measures: Mapping[str, Mapping[str, Any]]) -> DataTable | None:
    """Return a table of the rhyme schemes of quatrains; None without a quatrain."""
    rows: list[dict[str, object]] = []
    for name, figures in measures.items():
        shares = figures["schemes"]
        row: dict[str, object] = {key: share(shares.get(key, 0.0)) for key in SCHEMES}
        rows.append({"name": name.replace("_", "-")} | row)
    if not any(figures["schemes"] for figures in measures.values()):
        return None
    return table(rows, {"name": "quatrains"} | {key: key for key in SCHEMES})


def marked_lines(stanzas: Sequence[Stanza], most: int) -> Text:
    """Return the first stanzas, up to `most` lines, with the letter of the rhyme and the syllables before each line."""
    text = Text()
    shown = 0
    for stanza in stanzas:
        if shown >= most:
            break
        text.append("\n" if shown else "")
        for line, letter in zip(stanza.lines, stanza.scheme, strict=True):
            fewest, most_syllables = line.syllables
            count = f"{fewest}" if fewest == most_syllables else f"{fewest}-{most_syllables}"
            text.append(f"{letter} {count:>5}  ", "dim").append(printable(line.text) + "\n")
            shown += 1
    return text


def _with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None or interval is None:
        return ""
    return f"{100 * value:.1f}±{50 * (interval[1] - interval[0]):.1f}%"
