"""The console view of a training run.

On a terminal it is a live line of rich, in a notebook one display that is updated; elsewhere (a pipe, a log file, a
continuous-integration job) plain lines, few and without carriage returns. All of it goes to standard error: standard
output belongs to `--json` and to written text.
The view is called often and shows little: `step` costs next to nothing until the next picture is due, and `due` tells
beforehand, so that a caller need not fetch the loss from an accelerator for nothing.
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
from lilliput.report.notebook import NotebookText
from lilliput.report.terminal import printable

LIVE_SECONDS = 0.2
NOTEBOOK_SECONDS = 1.0
PLAIN_SECONDS = 10.0


class TrainingView:
    """Show a run while it trains; a context manager.

    `console` is by default standard error; `clock` gives seconds and is there for tests. A `quiet` one, for one run of
    many, shows how far the run is and when it ended, without notes, evaluations and samples.
    """

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic, *, quiet: bool = False
    ) -> None:
        self.console = console or screen.Console(stderr=True, highlight=False)
        self._notebook: NotebookText | None = None
        if self.console.is_jupyter:
            self._notebook = NotebookText()
            # A notebook says that it is a terminal (FORCE_COLOR), and shows plain text only.
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
                # Standard output is not ours: rich would send what is printed there to standard error.
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
            self._notebook.status("")

    def due(self) -> bool:
        """Say whether `step` would show something now."""
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
        """Show a step, if a picture is due or the run is at its end.

        `total_steps` is None for a run that is bounded by time; `progress` is the share done, 0 to 1; `loss` is in nats
        per token.
        """
        if not self.due() and progress < 1:
            return
        self._shown = self._clock()
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
        self._print_passing("  ".join(parts))

    def _losses(self, loss: float) -> list[str]:
        """Return the losses of a line: those that can be compared stand together."""
        if self._validation is None:
            return [f"loss {loss:.3f}"]
        if self._network is None:
            return [f"loss {loss:.3f}", f"val {self._validation:.3f}"]
        alone = f"network alone: loss {loss:.3f}, val {self._network:.3f}"
        narrow = self._progress is not None and self.console.width < 100
        return [alone] if narrow else [alone, f"with counts and guesses: val {self._validation:.3f}"]

    def preparing(self, what: str, progress: float) -> None:
        """Show how far the preparation of a text is, as a share from 0 to 1; each `what` begins anew."""
        now = self._clock()
        left = None  # of a stage that has just begun nothing can be said
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
        self._print_passing(f"{line}  {progress:.0%}" + ("" if left is None else f"  left {clock(left)}"))

    def evaluated(
        self,
        step: int,
        validation_loss: float,
        *,
        best: bool = False,
        bits_per_character: float | None = None,
        exact_match: float | None = None,
        network_loss: float | None = None,
        network_training_loss: float | None = None,
    ) -> None:
        """Show an evaluation: nats per token, and where they are known bits per character and the share right.

        `network_loss` and `network_training_loss` are those of the network alone, on the same text and on a part of the
        training text; the former is None where the network is all that there is.
        """
        self._validation, self._network = validation_loss, network_loss
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
        if not self._quiet:
            self._print(line + "  (best so far)" * best)

    def sample(self, text: str, step: int, validation_loss: float | None = None) -> None:
        """Show a sample under a rule that names its step and validation loss."""
        if self._quiet:
            return
        title = f"sample at step {step:,}"
        if validation_loss is not None:
            title += f", validation {validation_loss:.3f}"
        text = printable(text).strip("\n")
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
            # A run that stopped early is as finished as any other: a bar that stands still at half would say it hangs.
            self._progress.update(self._progress.task_ids[0], completed=1.0, left=None)
        best = "" if best_validation_loss is None else f", best validation {best_validation_loss:.4f} nats per token"
        if best and self._network is not None:
            best += " with counts and guesses"
        self._print(f"finished: {steps:,} step{'s' * (steps != 1)} in {clock(seconds)}{best}")

    def _elapsed(self) -> float:
        return self._clock() - self._started

    def _print_passing(self, line: str) -> None:
        """Show how far the run is, which in a notebook takes the place of the line before."""
        if self._notebook is not None:
            self._notebook.status(line)
        else:
            self._print(line)

    def _print(self, line: str) -> None:
        self._put(Text(line))

    def _put(self, *parts: RenderableType) -> None:
        # A terminal that is closed, or a full disk under a log file, is no reason to stop.
        with suppress(OSError):
            # A log file has no width: a line stays a line there.
            self.console.print(*parts, soft_wrap=not self._live)


class _Times(ProgressColumn):
    """Time gone and time left."""

    def __init__(self, elapsed: Callable[[], float], *, both: bool) -> None:
        super().__init__()
        self._elapsed = elapsed
        self._both = both

    def render(self, task: Task) -> Text:
        """Return the times of a task; time left alone where there is no room for both."""
        left = task.fields["left"]
        times = [clock(self._elapsed())] if self._both or left is None else []
        times += [] if left is None else [f"left {clock(left)}"]
        return Text(" ".join(times), style="cyan", no_wrap=True)


def clock(seconds: float) -> str:
    """Return a time as 1:05 or 2:03:04."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(share: float) -> str:
    """Return a share as a percentage that says 100 only where it is all, and 0 only where it is nothing."""
    if share in (0, 1):
        return f"{share:.0%}"
    digits = next((digits for digits in range(1, 5) if 0 < round(share, digits + 2) < 1), 5)
    return f"{share:.{digits}%}"
