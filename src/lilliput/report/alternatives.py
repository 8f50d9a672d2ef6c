"""The plot of a sweep: one line per alternative, with a dot per run, the median and the range."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lilliput.report.plots import COLOURS, INK, QUIET, STYLE, write_figure


def plot_alternatives(rows: Sequence[Mapping[str, Any]], out: Path) -> list[Path]:
    """Draw the rows of a sweep's summary, the best at the top; return the two files, PNG and SVG.

    Raises RunError if the files are not writable.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    answers = "exact_match" in rows[0]
    key, label = ("exact_match", "share of answers right") if answers else ("bits_per_character", "bits per character")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 1.2 + 0.42 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for height, row in enumerate(reversed(rows)):
            values = [value for value in row["values"] if value is not None]
            if row[key] is None or not values:
                position = (0.02, height)
                axes.annotate("not finite", position, xycoords=("axes fraction", "data"), va="center", color=QUIET)
                continue
            best = height == len(rows) - 1
            colour = COLOURS[0] if best else QUIET
            reach = [[row[key] - row["least"]], [row["greatest"] - row[key]]]
            axes.errorbar(row[key], height, xerr=reach, fmt="D", color=colour, capsize=4, markersize=6, linewidth=1.4)
            axes.plot(values, [height] * len(values), "o", color=colour, alpha=0.45, markersize=4)
            axes.annotate(
                f"{row[key]:.3f}", (row[key], height), xytext=(0, 7), textcoords="offset points", ha="center",
                color=INK, fontsize=8,
            )  # fmt: skip
        axes.set_yticks(range(len(rows)), [row["alternative"] for row in reversed(rows)])
        axes.set_ylim(-0.6, len(rows) - 0.2)
        axes.spines["right"].set_visible(False)
        axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
        # A label of the figure: next to long names the axes are too narrow for it.
        figure.supxlabel(f"{label} (diamond: median; bar: least to greatest)", fontsize=9)
        return write_figure(figure, out)
