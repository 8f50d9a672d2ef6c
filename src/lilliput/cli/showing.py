"""Output shared by several commands: the evaluation table and the download bar."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lilliput.training.events import Finished


def show_evaluation(finished: "Finished") -> None:
    """Print the evaluation table of a finished run, the path of its picture, and the command that writes with it."""
    from lilliput.report.screen import Console
    from lilliput.report.terminal_tables import print_evaluation

    assert finished.evaluation is not None
    console = Console(highlight=False)
    print_evaluation(console, finished.evaluation)
    if (finished.folder / "loss.png").is_file():
        console.print(f"loss curves: {finished.folder / 'loss.png'}", soft_wrap=True)
    purpose = "to ask:     " if "exact_match" in finished.evaluation else "to write:   "
    another = "" if "exact_match" in finished.evaluation else "  (--seed 2 writes another text)"
    console.print(f'{purpose} lilliput sample {finished.folder} --prompt "..."{another}', soft_wrap=True)


@contextmanager
def download_progress() -> Iterator[Callable[[int, int | None], None]]:
    """Yield a callable (bytes done, total bytes) that draws a progress bar on a terminal, from its first call on."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    from lilliput.report.screen import Console

    columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        tasks: list[TaskID] = []

        def progress(done: int, total: int | None) -> None:
            if not tasks:
                tasks.append(bar.add_task("", total=total))
            bar.update(tasks[0], completed=done, total=total)

        yield progress
