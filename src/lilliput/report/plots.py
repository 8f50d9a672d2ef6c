"""Loss curves as PNG and SVG.

The left axis is bits per character if known: it compares runs with different tokenizers, and is the unit of the
baselines. A single run also gets nats per token on the right. Runs on answers have nats per token on the left and the
share of right answers on the right. The colours are those of Okabe & Ito ("Color Universal Design", 2008), which
colour-blind readers can distinguish. Left out: interactive windows; figures are drawn without pyplot and need no
display.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import RunError
from lilliput.files import make_folder, writing
from lilliput.report.console import percent
from lilliput.report.curves import RunCurve, read_curve
from lilliput.report.terminal import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["RunCurve", "plot_runs", "read_curve"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
INK, QUIET = "#222222", "#6b6b6b"
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "lilliput",
}
DRAWN_POINTS = 1500
"""Maximum number of points of a line: more would not be visible and would only make the SVG larger."""


def plot_runs(runs: Sequence[RunCurve], out: Path, *, against: Literal["steps", "seconds"] = "steps") -> list[Path]:
    """Draw the losses of one or more runs and their learning rates; return the two files, PNG and SVG.

    `out` names either file; the other has the same stem. Unless every run has `characters_per_token`, the axis is nats
    per token, without baselines. Raises RunError if there is nothing to draw or the files are not writable.
    """
    if not runs or any(len(run.steps) == 0 for run in runs):
        raise RunError("there is nothing to plot: give at least one run, and only runs with training steps")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    in_bits = all(run.characters_per_token for run in runs)
    longest = max(run.seconds[-1] for run in runs)
    scale, x_label = 1.0, "step"
    if against == "seconds":
        scale, x_label = (60.0, "minutes of training") if longest > 180 else (1.0, "seconds of training")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 5.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4.6, 1])
        curves = [_Drawn.of(run, against, scale, in_bits) for run in runs]
        for index, curve in enumerate(curves):
            _draw_run(upper, lower, curve, COLOURS[index % len(COLOURS)], single=len(runs) == 1)
        baselines = _baselines(runs) if in_bits else {}
        _limit(upper, curves, baselines)
        _draw_baselines(upper, baselines, max(float(curve.x[-1]) for curve in curves))
        _draw_shares(upper, curves)
        _label(upper, lower, runs, curves, in_bits=in_bits)
        lower.set_xlabel(x_label)
        return write_figure(figure, out)


@dataclass(frozen=True)
class _Drawn:
    """A run in the units of the plot."""

    name: str
    x: NDArray[np.float64]
    losses: NDArray[np.float64]
    rates: NDArray[np.float64]
    validation_x: NDArray[np.float64]
    validation: NDArray[np.float64]
    share_label: str
    """What `share` is a share of: right answers, or lines that rhyme."""
    share_x: NDArray[np.float64]
    share: NDArray[np.float64]
    network_x: NDArray[np.float64]
    network: NDArray[np.float64]
    unit: float
    """Nats per token of one unit of the plot."""

    @classmethod
    def of(cls, run: RunCurve, against: str, scale: float, in_bits: bool) -> "_Drawn":
        unit = math.log(2) * (run.characters_per_token or 1.0) if in_bits else 1.0
        steps = np.asarray(run.steps, dtype=float)
        x = steps if against == "steps" else np.asarray(run.seconds, dtype=float) / scale
        validation = np.asarray(run.validation, dtype=float).reshape(-1, 2)
        share = np.asarray(run.exact_match or run.rhyme, dtype=float).reshape(-1, 2)
        network = np.asarray(run.network, dtype=float).reshape(-1, 2)
        return cls(
            run.name,
            x,
            np.asarray(run.losses, dtype=float) / unit,
            np.asarray(run.learning_rates, dtype=float),
            np.interp(validation[:, 0], steps, x),
            validation[:, 1] / unit,
            "lines that rhyme" if run.rhyme else "answers right",
            np.interp(share[:, 0], steps, x),
            share[:, 1],
            np.interp(network[:, 0], steps, x),
            network[:, 1] / unit,
            unit,
        )


def smoothed(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Return the mean of each value and its neighbours, up to `reach` on either side."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    indices = np.arange(len(values))
    # At the start, where the curve falls steeply, both sides shrink: a one-sided mean would bend it. At the end only
    # the right side shrinks: a mean of one or two values would end the curve in a spike.
    before = np.minimum(reach, indices)
    after = np.minimum(before, len(values) - 1 - indices)
    means: NDArray[np.float64] = (sums[indices + after + 1] - sums[indices - before]) / (before + after + 1)
    return means


def _draw_run(upper: "Axes", lower: "Axes", curve: _Drawn, colour: str, *, single: bool) -> None:
    finite = np.isfinite(curve.losses)
    x, losses = curve.x[finite], curve.losses[finite]
    shown = np.unique(np.linspace(0, max(0, len(x) - 1), min(len(x), DRAWN_POINTS)).astype(int))
    upper.plot(x[shown], losses[shown], color=colour, alpha=0.22, linewidth=0.6, zorder=1)
    mean = smoothed(losses, len(losses) // 100)
    training: dict[str, Any] = {"linewidth": 1.6} if single else {"linewidth": 1.0, "linestyle": (0, (3, 1.2))}
    upper.plot(x[shown], mean[shown], color=colour, zorder=2, **training)
    marked: dict[str, Any] = {"marker": "o", "markersize": 3.5} if len(curve.validation) <= 60 else {}
    validation_colour = COLOURS[1] if single else colour
    upper.plot(curve.validation_x, curve.validation, color=validation_colour, linewidth=1.7, zorder=3, **marked)
    if len(curve.network):
        alone = COLOURS[2] if single else colour
        upper.plot(curve.network_x, curve.network, color=alone, linewidth=1.2, linestyle=(0, (4, 1.5)), zorder=2.5)
    if np.isfinite(curve.validation).any():
        best = int(np.nanargmin(curve.validation))
        at = (float(curve.validation_x[best]), float(curve.validation[best]))
        upper.plot(*at, marker="*", markersize=13, color=validation_colour, markeredgecolor="white", zorder=5)
    lower.plot(curve.x, curve.rates, color=colour, linewidth=1.3)


def _draw_shares(upper: "Axes", curves: Sequence[_Drawn]) -> None:
    labels = dict.fromkeys(curve.share_label for curve in curves if len(curve.share))
    if not labels:
        return
    right = upper.twinx()
    right.spines["right"].set_visible(True)
    right.set_ylim(0, 1.02)
    right.set_ylabel(", ".join(labels))
    right.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    for index, curve in enumerate(curves):
        colour = COLOURS[2] if len(curves) == 1 else COLOURS[index % len(COLOURS)]
        marked: dict[str, Any] = {"marker": "s", "markersize": 3.5, "linewidth": 1.4, "linestyle": (0, (1, 1))}
        right.plot(curve.share_x, curve.share, color=colour, zorder=4, **marked)


def _baselines(runs: Sequence[RunCurve]) -> dict[str, float]:
    """Return each different baseline once, with the run's name if runs on different texts disagree."""
    values: dict[str, set[float]] = {}
    for run in runs:
        for label, bits in run.baselines.items():
            values.setdefault(label, set()).add(bits)
    return {
        label if len(values[label]) == 1 else f"{label} ({run.name})": bits
        for run in runs
        for label, bits in run.baselines.items()
    }


def _limit(upper: "Axes", curves: Sequence[_Drawn], baselines: dict[str, float]) -> None:
    """Limit the axis to the relevant range, without the steep fall of the first steps."""
    lows, highs = list(baselines.values()), [value * 1.06 for value in baselines.values()]
    for curve in curves:
        settled = np.concatenate([curve.losses[len(curve.losses) // 20 :], curve.validation, curve.network])
        settled = settled[np.isfinite(settled)]
        if len(settled):
            lows.append(float(np.quantile(settled, 0.002)))
            highs.append(float(np.quantile(settled, 0.98)))
    if not lows:
        return
    bottom, top = min(lows), max(highs)
    margin = 0.06 * (top - bottom) or 0.1
    upper.set_ylim(bottom - margin, top + margin)


def _draw_baselines(upper: "Axes", baselines: dict[str, float], right: float) -> None:
    bottom, top = upper.get_ylim()
    for label, bits in baselines.items():
        upper.axhline(bits, color=QUIET, linewidth=1.1, linestyle=(0, (5, 3)), zorder=1.5)
        crowded = any(0 < other - bits < 0.06 * (top - bottom) for other in baselines.values())
        upper.annotate(
            f"{label}: {bits:.3f}",
            (right, bits),
            xytext=(0, -4 if crowded else 3),
            textcoords="offset points",
            ha="right",
            va="top" if crowded else "baseline",
            color=QUIET,
            fontsize=9,
            bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.5},
            zorder=6,
        )


def _label(upper: "Axes", lower: "Axes", runs: Sequence[RunCurve], curves: Sequence[_Drawn], *, in_bits: bool) -> None:
    from matplotlib.ticker import FuncFormatter

    single = len(runs) == 1
    upper.set_ylabel("bits per character" if in_bits else "nats per token")
    # The right axis is that of shares, if there are any.
    if single and in_bits and not len(curves[0].share):
        unit = curves[0].unit
        functions: Any = (lambda bits: bits * unit, lambda nats: nats / unit)
        right = upper.secondary_yaxis("right", functions=functions)
        right.set_ylabel("nats per token")
    # Above the axes, where no curve crosses it.
    upper.legend(
        handles=_handles(curves[0]) if single else _handles_of_many(curves),
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=2 if not single or len(curves[0].network) else len(_handles(curves[0])),
        frameon=False,
        fontsize=9,
    )
    if single:
        title = f"{printable(runs[0].name)}: {runs[0].steps[-1]:,} steps in {_duration(runs[0].seconds[-1])}"
        # Leave room for the legend, which has two lines if there are two validation losses.
        upper.set_title(title, loc="left", color=INK, pad=42 if len(curves[0].network) else 26)
    for axes in (upper, lower):
        axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
        axes.set_axisbelow(True)
    lower.set_ylabel("learning\nrate", fontsize=9)
    lower.set_ylim(bottom=0)
    lower.margins(x=0.015)
    lower.set_yticks(sorted({0.0, max(float(curve.rates.max()) for curve in curves)}))
    lower.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}"))
    lower.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _handles(curve: _Drawn) -> list["Line2D"]:
    from matplotlib.lines import Line2D

    several = len(curve.network) > 0
    training = "training, network alone (smoothed)" if several else "training (smoothed)"
    handles = []
    if np.isfinite(curve.losses).any():
        handles.append(Line2D([], [], color=COLOURS[0], linewidth=1.6, label=training))
    if several:
        label = "validation, network alone"
        handles.append(Line2D([], [], color=COLOURS[2], linewidth=1.2, linestyle=(0, (4, 1.5)), label=label))
    if len(curve.validation):
        label = "validation, with counts and guesses" if several else "validation"
        handles.append(Line2D([], [], color=COLOURS[1], marker="o", markersize=3.5, label=label))
    if np.isfinite(curve.validation).any():
        label = f"best validation: {np.nanmin(curve.validation):.3f}"
        star: dict[str, Any] = {"marker": "*", "markersize": 11, "markeredgecolor": "white", "linestyle": ""}
        handles.append(Line2D([], [], color=COLOURS[1], label=label, **star))
    if len(curve.share):
        label = f"{curve.share_label}: {percent(float(curve.share[-1]))}"
        handles.append(Line2D([], [], color=COLOURS[2], marker="s", linestyle=(0, (1, 1)), label=label))
    return handles


def _handles_of_many(curves: Sequence[_Drawn]) -> list["Line2D"]:
    from matplotlib.lines import Line2D

    handles = []
    for index, curve in enumerate(curves):
        best = f": best {np.nanmin(curve.validation):.3f}" if np.isfinite(curve.validation).any() else ""
        if len(curve.share):
            best += f", {curve.share_label}: {percent(float(curve.share[-1]))}"
        handles.append(
            Line2D([], [], color=COLOURS[index % len(COLOURS)], linewidth=2, label=printable(curve.name) + best)
        )
    handles.append(Line2D([], [], color=QUIET, linewidth=1, linestyle=(0, (3, 1.2)), label="training (smoothed)"))
    if any(len(curve.network) for curve in curves):
        label = "validation, network alone"
        handles.append(Line2D([], [], color=QUIET, linewidth=1.2, linestyle=(0, (4, 1.5)), label=label))
    handles.append(Line2D([], [], color=QUIET, linewidth=1.7, marker="o", markersize=3.5, label="validation"))
    return handles


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,} min {rest} s" if minutes else f"{rest} s"


def write_figure(figure: "Figure", out: Path) -> list[Path]:
    """Write a figure as PNG and as SVG and return the files. Raises RunError if they are not writable."""
    stem = out.with_suffix("") if out.suffix.lower() in (".png", ".svg") else out
    # Not with_suffix: "run.v2" is a name, not a name with a suffix.
    files = [stem.with_name(stem.name + suffix) for suffix in (".png", ".svg")]
    try:
        make_folder(out.parent)
        with writing(files[0]) as file:
            figure.savefig(file, format="png", dpi=160)
        with writing(files[1]) as file:
            figure.savefig(file, format="svg", metadata={"Date": None})
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"cannot write {files[0]}: {reason}. Choose another path with --out") from None
    return files
