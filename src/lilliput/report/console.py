"""The console view of a training run.

On a terminal it is a live line, in a notebook one display with a growing curve; elsewhere (a pipe, a log file, a
continuous-integration job) a few plain lines without carriage returns. All output goes to standard error: standard
output is for `--json` and generated text.

The view is called often and rarely redraws: `step` costs almost nothing until the next update is due. `due` says so in
advance, so that the caller need not fetch the loss from an accelerator.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from textwrap import indent
from types import TracebackType
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn
from rich.rule import Rule
from rich.text import Text

from lilliput.report import screen
from lilliput.report.notebook import NotebookDisplay
from lilliput.report.terminal import printable

LIVE_SECONDS = 0.2
NOTEBOOK_SECONDS = 1.0
PLAIN_SECONDS = 10.0


class TrainingView:
    """The progress of a training run; a context manager.

    `console` is standard error by default; `clock` returns seconds and can be replaced in tests. With `quiet`, for one
    run among many, only progress and the end are shown, without notes, evaluations and samples.
    """

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic, *, quiet: bool = False
    ) -> None:
        self.console = console or screen.Console(stderr=True, highlight=False)
        self._notebook: NotebookDisplay | None = None
        if self.console.is_jupyter:
            self._notebook = NotebookDisplay()
            # A notebook claims to be a terminal (FORCE_COLOR), but shows plain text only.
            plain: dict[str, Any] = {"force_jupyter": False, "force_terminal": False, "color_system": None}
            self.console = Console(file=self._notebook, width=self.console.width, highlight=False, **plain)
        self._quiet = quiet
        self._clock = clock
        self._live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._progress: Progress | None = None
        self._started = clock()
        self._shown: float | None = None
        self._validation: float | None = None
        self._network: float | None = None
        self._stage: str | None = None
        self._stage_began = self._started

    def __enter__(self) -> "TrainingView":
        self._started = self._clock()
        if self._live:
            wide = self.console.width >= 100
            self._progress = Progress(
                BarColumn(bar_width=None if wide else 8),
                *([TaskProgressColumn()] if wide else []),
                TextColumn("{task.fields[line]}", markup=False),
                _Times(self._elapsed, both=wide),
                console=self.console,
                refresh_per_second=4,
                # Otherwise rich would redirect everything printed on standard output to standard error.
                redirect_stdout=False,
                expand=True,
            )
            self._progress.add_task("", total=1.0, line="starting", left=None)
            with suppress(OSError):
                self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._progress is not None:
            with suppress(OSError):
                self._progress.stop()
            self._progress = None
        if self._notebook is not None:
            self._notebook.close_log()

    def due(self) -> bool:
        """Whether `step` would show something now."""
        every = LIVE_SECONDS if self._live else NOTEBOOK_SECONDS if self._notebook is not None else PLAIN_SECONDS
        return self._shown is None or self._clock() - self._shown >= every

    def step(
        self,
        step: int,
        total_steps: int | None,
        progress: float,
        loss: float,
        learning_rate: float,
        tokens_per_second: float,
        seconds_left: float | None,
    ) -> None:
        """Show a step if an update is due or the run has ended.

        `total_steps` is None for a run with a time budget; `progress` is the finished share, 0 to 1; `loss` is in nats
        per token.
        """
        if not self.due() and progress < 1:
            return
        self._shown = self._clock()
        if self._notebook is not None:
            self._notebook.curve.add("training", step, loss)
        steps = f"step {step:,}" if total_steps is None else f"step {step:,}/{total_steps:,}"
        parts = [steps, *self._losses(loss)]
        speed = f"{tokens_per_second:,.0f} tokens/s"
        if self._progress is not None:
            if self.console.width >= 80:
                parts.append(speed)
            task = self._progress.task_ids[0]
            self._progress.update(task, completed=progress, line="  ".join(parts), left=seconds_left)
            return
        parts += [speed, f"learning rate {learning_rate:.2g}", f"{progress:.0%}", f"elapsed {clock(self._elapsed())}"]
        if seconds_left is not None:
            parts.append(f"left {clock(seconds_left)}")
        self._print_passing("  ".join(parts), progress)

    def _losses(self, loss: float) -> list[str]:
        """Return the losses of a line, with comparable ones side by side."""
        if self._validation is None:
            return [f"loss {loss:.3f}"]
        if self._network is None:
            return [f"loss {loss:.3f}", f"val {self._validation:.3f}"]
        alone = f"network alone: loss {loss:.3f}, val {self._network:.3f}"
        narrow = self._progress is not None and self.console.width < 100
        return [alone] if narrow else [alone, f"with counts and guesses: val {self._validation:.3f}"]

    def preparing(self, what: str, progress: float) -> None:
        """Show the progress of preparing a text, from 0 to 1; each stage `what` starts at 0."""
        now = self._clock()
        left = None  # unknown for a stage that has just begun
        if what != self._stage:
            self._stage, self._stage_began = what, now
        elif not self.due():
            return
        elif progress:
            left = (now - self._stage_began) * (1 - progress) / progress
        self._shown = now
        line = f"{what} the text"
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=progress, line=line, left=left)
            return
        self._print_passing(f"{line}  {progress:.0%}" + ("" if left is None else f"  left {clock(left)}"), progress)

    def evaluated(
        self,
        step: int,
        validation_loss: float,
        *,
        best: bool = False,
        bits_per_character: float | None = None,
        exact_match: float | None = None,
        rhyme: float | None = None,
        network_loss: float | None = None,
        network_training_loss: float | None = None,
    ) -> None:
        """Show an evaluation: nats per token, and if given bits per character the share of right answers, or of
        lines that rhyme.

        `network_loss` and `network_training_loss` are those of the network alone, on the same text and on a part of the
        training text; the former is None if the network is the only part of the model.
        """
        self._validation, self._network = validation_loss, network_loss
        if self._notebook is not None:
            self._notebook.curve.add("validation", step, validation_loss)
            if network_loss is not None:
                self._notebook.curve.add("validation, network alone", step, network_loss)
        line = f"step {step:,}  validation {validation_loss:.4f}"
        if network_loss is not None:
            line += " with counts and guesses"
        if bits_per_character is not None:
            line += f"  {bits_per_character:.3f} bits per character"
        if network_loss is not None:
            line += f"  network alone {network_loss:.4f}"
        if network_training_loss is not None:
            line += f"  on training text {network_training_loss:.4f}"
        if exact_match is not None:
            line += f"  {percent(exact_match)} right"
        if rhyme is not None:
            line += f"  {percent(rhyme)} of the lines rhyme"
        if not self._quiet:
            self._print(line + "  (best so far)" * best)

    def sample(self, text: str, step: int, validation_loss: float | None = None) -> None:
        """Show a sample under a heading with its step and validation loss."""
        if self._quiet:
            return
        title = f"sample at step {step:,}"
        if validation_loss is not None:
            title += f", validation {validation_loss:.3f}"
        text = printable(text).strip("\n")
        if self._notebook is not None:
            self._notebook.sample(title, text)
        if self._live:
            self._put(Rule(title, style="dim", align="left"), Padding(Text(text), (0, 2)), "")
        else:
            self._print(f"--- {title}\n{indent(text, '  ')}\n---")

    def note(self, text: str) -> None:
        """Show a line."""
        if not self._quiet:
            self._print(printable(text))

    def finished(self, steps: int, seconds: float, best_validation_loss: float | None = None) -> None:
        """Show the end of the run."""
        if self._progress is not None:
            # A run that stopped early is finished too: a bar that stops at half would look like a hang.
            self._progress.update(self._progress.task_ids[0], completed=1.0, left=None)
        best = "" if best_validation_loss is None else f", best validation {best_validation_loss:.4f} nats per token"
        if best and self._network is not None:
            best += " with counts and guesses"
        line = f"finished: {steps:,} step{'s' * (steps != 1)} in {clock(seconds)}{best}"
        if self._notebook is not None:
            self._notebook.finish(line)
        self._print(line)

    def _elapsed(self) -> float:
        return self._clock() - self._started

    def _print_passing(self, line: str, progress: float) -> None:
        """Show a line of progress; in a notebook it replaces the previous one."""
        if self._notebook is not None:
            self._notebook.status(line, progress)
        else:
            self._print(line)

    def _print(self, line: str) -> None:
        self._put(Text(line))

    def _put(self, *parts: RenderableType) -> None:
        # A closed terminal or a full disk under a log file is no reason to stop.
        with suppress(OSError):
            # A log file has no width, so lines are not wrapped.
            self.console.print(*parts, soft_wrap=not self._live)


class _Times(ProgressColumn):
    """Elapsed and remaining time."""

    def __init__(self, elapsed: Callable[[], float], *, both: bool) -> None:
        super().__init__()
        self._elapsed = elapsed
        self._both = both

    def render(self, task: Task) -> Text:
        """Return the times of a task; without room for both, only the remaining time."""
        left = task.fields["left"]
        times = [clock(self._elapsed())] if self._both or left is None else []
        times += [] if left is None else [f"left {clock(left)}"]
        return Text(" ".join(times), style="cyan", no_wrap=True)


def clock(seconds: float) -> str:
    """Return a duration as 1:05 or 2:03:04."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(share: float) -> str:
    """Return a share as a percentage, rounded so that only exactly 1 gives 100% and only exactly 0 gives 0%."""
    if share in (0, 1):
        return f"{share:.0%}"
    digits = next((digits for digits in range(1, 5) if 0 < round(share, digits + 2) < 1), 5)
    return f"{share:.{digits}%}"
