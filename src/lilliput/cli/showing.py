"""What several verbs show: an evaluation, and downloads."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lilliput.training.events import Finished


def show_evaluation(finished: "Finished") -> None:
    """Print the evaluation table of a finished run, and where its picture and its next words are."""
    from rich.console import Console

    assert finished.evaluation is not None
    console = Console(highlight=False)
    print_evaluation(console, finished.evaluation)
    if (finished.folder / "loss.png").is_file():
        console.print(f"loss curves: {finished.folder / 'loss.png'}", soft_wrap=True)
    what = "to ask:     " if "exact_match" in finished.evaluation else "to write:   "
    another = "" if "exact_match" in finished.evaluation else "  (--seed 2 writes another text)"
    console.print(f'{what} lilliput sample {finished.folder} --prompt "..."{another}', soft_wrap=True)


def print_evaluation(console: Any, evaluation: dict[str, Any]) -> None:
    """Print the table of an evaluation, the floors and the verdict; of answers also some that are wrong."""
    from lilliput.evaluation.floors import bought, verdict
    from lilliput.report.console import percent
    from lilliput.report.tables import answers_table, evaluation_table

    floors = evaluation["floors"]
    share = evaluation["sampled_share"]
    if "exact_match" in evaluation:
        console.print(answers_table(evaluation))
    else:
        sentence = verdict(evaluation["bits_per_character"], floors)
        console.print(evaluation_table(evaluation["windows"], floors, sentence))
        if worth := bought(evaluation.get("parts", {}), evaluation["bits_per_character"]):
            console.print(f"{worth[0].upper()}{worth[1:]}.", soft_wrap=True)
    if unknown := evaluation.get("unknown_characters"):
        console.print(
            f"{percent(unknown)} of the characters of this text are not in the training text; the model has learnt "
            "nothing of them, and longer training would not help.",
            soft_wrap=True,
        )
    if share < 1:
        alike = "" if "exact_match" in evaluation else " and the baselines on the same pieces"
        console.print(
            f"Measured on {percent(share)} of what is held out, in pieces from all over{alike}, to keep within the "
            "time budget; lilliput eval RUN measures all of it.",
            soft_wrap=True,
        )


@contextmanager
def download_progress() -> Iterator[Callable[[int, int | None], None]]:
    """Yield a callable (bytes done, bytes in all) that draws a bar on a terminal once something is downloaded."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        tasks: list[TaskID] = []

        def progress(done: int, total: int | None) -> None:
            if not tasks:
                tasks.append(bar.add_task("", total=total))
            bar.update(tasks[0], completed=done, total=total)

        yield progress
