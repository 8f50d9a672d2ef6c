"""Tables for the terminal: an evaluation, and lists of recipes or corpora.

A table too wide for the terminal would cut figures or break words; it becomes one block per row, each cell on a line
after its heading.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lilliput.corpus import shortened
from lilliput.evaluation.baselines import bought, named_baselines, verdict
from lilliput.report.console import percent
from lilliput.report.terminal import printable

PART_NAMES = {"network": "network alone", "counts": "counts and guesses alone"}
READABLE_WIDTH = 16
"""Minimum width of a column of words."""
GAP = 2
"""Spaces between columns; the box draws one of them."""


class DataTable:
    """Rows under headings: a table if it fits, otherwise blocks."""

    def __init__(self, rows: Sequence[Mapping[str, object]], columns: Mapping[str, str]) -> None:
        self.columns = columns
        self.numeric = {key for key in columns if rows and all(_is_number(row.get(key)) for row in rows)}
        self.cells = [{key: _cell(row.get(key)) for key in columns} for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render for a width; called by rich."""
        gaps = GAP * (len(self.columns) - 1)
        if sum(map(self._least_width, self.columns)) + gaps > options.max_width:
            yield self._blocks()
        else:
            # A measurement never exceeds the given width, so pass one more than the maximum.
            wider = options.update(max_width=options.max_width + 1)
            roomy = Measurement.get(console, wider, self._table({})).maximum <= options.max_width
            # By default rich shrinks all columns equally, and drops the last one.
            yield self._table(
                {} if roomy else {key: self._least_width(key) for key in self.columns if self._whole(key)}
            )

    def _whole(self, key: str) -> bool:
        return key in self.numeric or key == next(iter(self.columns))

    def _least_width(self, key: str) -> int:
        """Return the minimum width of a column: figures and names whole, words readable."""
        longest = max((cell_len(row[key]) for row in self.cells), default=0)
        heading = max((cell_len(word) for word in self.columns[key].split()), default=0)
        return max(heading, longest if self._whole(key) else min(longest, READABLE_WIDTH))

    def _table(self, widths: Mapping[str, int]) -> Table:
        table = Table(box=SIMPLE_HEAD, padding=(0, GAP - 1, 0, 0), pad_edge=False, show_edge=False)
        for key, heading in self.columns.items():
            table.add_column(
                # A heading may wrap between words even if the cells may not.
                Text(heading, no_wrap=False),
                justify="right" if key in self.numeric else "left",
                no_wrap=self._whole(key),
                overflow="fold",
                width=widths.get(key),
            )
        for row in self.cells:
            table.add_row(*(Text(row[key]) for key in self.columns))
        return table

    def _blocks(self) -> Group:
        lines: list[RenderableType] = []
        for row in self.cells:
            first, *others = self.columns
            lines.append(Text(row[first], style="bold", overflow="fold"))
            for key in others:
                if row[key]:
                    lines.append(Padding(Text(f"{self.columns[key]}: {row[key]}", overflow="fold"), (0, 0, 0, 2)))
        return Group(*lines)


def table(rows: Sequence[Mapping[str, object]], columns: Sequence[str] | Mapping[str, str]) -> DataTable:
    """Return rows under headings, to print with rich.

    `columns` lists the keys to show, or maps them to headings. Numbers are right-aligned with thousands separators; the
    first column is never folded, so that it can be copied.
    """
    headings = columns if isinstance(columns, Mapping) else {key: key.replace("_", " ") for key in columns}
    return DataTable(rows, headings)


def print_evaluation(console: Console, evaluation: Mapping[str, Any]) -> None:
    """Print the table of an evaluation, the baselines and the verdict, and for answers a few wrong ones."""
    baselines = evaluation["baselines"]
    share = evaluation["sampled_share"]
    if "exact_match" in evaluation:
        console.print(answers_table(evaluation))
    else:
        sentence = verdict(evaluation["bits_per_character"], baselines)
        console.print(evaluation_table(evaluation["windows"], baselines, sentence))
        if worth := bought(evaluation.get("parts", {}), evaluation["bits_per_character"]):
            console.print(f"{worth[0].upper()}{worth[1:]}.", soft_wrap=True)
    if "lines" in evaluation:
        console.print(lines_table(evaluation["lines"]))
    if unknown := evaluation.get("unknown_characters"):
        console.print(
            f"{percent(unknown)} of the characters of this text are not in the training text: the model cannot know "
            "them, and longer training does not help.",
            soft_wrap=True,
        )
    if share < 1:
        alike = "" if "exact_match" in evaluation else ", the baselines on the same pieces"
        console.print(
            f"Measured on {percent(share)} of the held-out data, in pieces from all over it{alike}, to keep the time "
            "budget; lilliput eval RUN measures all of it.",
            soft_wrap=True,
        )


def evaluation_table(
    windows: Mapping[str, Mapping[str, Any]], baselines: Mapping[str, Any] | None = None, verdict: str = ""
) -> Group:
    """Return the figures of a model in each definition, the baselines below them, and the verdict.

    `windows` and `baselines` have the shape of `lilliput eval --json`: the definitions "separate" and "sliding" with
    the keys of `Score.as_dict`, and the result of `Baselines.as_dict`. Each part of a mixture has a row.
    """
    rows: list[dict[str, object]] = []
    for definition, score in windows.items():
        row: dict[str, object] = {"name": f"{definition} windows"}
        row |= {"loss": _figure(score["loss"], 4), "perplexity": _figure(score["perplexity"], 3)}
        row |= {key: _figure(score[key], 3) for key in ("bits_per_character", "bits_per_byte")}
        rows.append(row)
        for part, figures in score.get("parts", {}).items():  # runs of earlier versions have none
            row = {"name": f"  {PART_NAMES.get(part, part)}", "loss": _figure(figures["loss"], 4)}
            rows.append(row | {"bits_per_character": _figure(figures["bits_per_character"], 3)})
    for name, bits in named_baselines(baselines or {}).items():
        rows.append({"name": name, "bits_per_character": _figure(bits, 3)})
    columns = {
        "name": "",
        "loss": "nats per token",
        "perplexity": "perplexity",
        "bits_per_character": "bits per character",
        "bits_per_byte": "bits per byte",
    }
    shown = DataTable(rows, columns)
    shown.numeric = set(columns) - {"name"}
    parts: list[RenderableType] = [shown]
    if verdict:
        parts += [Text(""), Text(verdict[0].upper() + verdict[1:] + ".", style="bold")]
    return Group(*parts)


def lines_table(lines: Mapping[str, Mapping[str, float]]) -> DataTable:
    """Return the figures of lines drawn after held-out prompts, after and before the tuning."""
    shares = {
        "rhyme": "rhymed",
        "sufficient": "well rhymed",
        "real_words": "real words",
        "distinct_pairs": "distinct pairs",
        "top_ending": "top ending",
    }
    rows: list[dict[str, object]] = []
    for name, figures in lines.items():
        row: dict[str, object] = {"name": name, "lines": int(figures["lines"])}
        row |= {key: percent(figures[key]) for key in shares}
        rows.append(row | {"log_prior": _figure(figures["log_prior"], 1)})
    return table(rows, {"name": "", "lines": "lines", **shares, "log_prior": "log p before"})


def answers_table(evaluation: Mapping[str, Any]) -> Group:
    """Return the figures of a model for answers, the baseline below them, the verdict, and a few wrong answers.

    `evaluation` has the shape of `lilliput eval --json`: the keys of `AnswerScore.as_dict`, `baselines` and `wrong`.
    """
    baseline = evaluation["baselines"]["most_frequent_answer"]
    ours, theirs = evaluation["exact_match"], baseline["exact_match"]
    rows: list[dict[str, object]] = [
        {
            "name": "this model",
            "exact_match": percent(ours),
            "loss": _figure(evaluation["loss"], 4),
            "perplexity": _figure(evaluation["perplexity"], 3),
        },
        {"name": "always the most frequent answer", "exact_match": percent(theirs)},
    ]
    columns = {"name": "", "exact_match": "answers right", "loss": "nats per token", "perplexity": "perplexity"}
    shown = DataTable(rows, columns)
    shown.numeric = set(columns) - {"name"}
    counts = f"{evaluation['right']:,} of {evaluation['problems']:,} answers are right ({percent(ours)})"
    better = "Better than guessing" if ours > theirs else "NOT better than guessing yet"
    verdict = f"{better}: {counts}, against {percent(theirs)} by always giving the most frequent answer."
    parts: list[RenderableType] = [shown, Text(""), Text(verdict, style="bold")]
    if wrong := evaluation["wrong"]:
        parts += [Text(""), Text("Some wrong answers:")]
        parts += [Padding(table(_wrong_rows(wrong), ["prompt", "expected", "given"]), (0, 0, 0, 2))]
    return Group(*parts)


def _wrong_rows(wrong: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{key: shortened(printable(text).replace("\n", "\u23ce")) for key, text in row.items()} for row in wrong]


def share(value: float | None) -> str:
    """Return a share with one digit as a percentage; nothing for None."""
    return "" if value is None else f"{value:.1%}"


def _figure(value: float | None, digits: int) -> str:
    return "not finite" if value is None else f"{value:,.{digits}f}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
