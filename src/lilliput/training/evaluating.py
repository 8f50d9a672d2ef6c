"""The evaluation of a run that is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lilliput.corpus.settings import AUTOMATIC, ReadSettings
from lilliput.models import Mixture
from lilliput.runs import RunFolder
from lilliput.training.data.prepare import open_training_data
from lilliput.writer import Writer


def evaluate_run(
    writer: Writer,
    run: Path,
    text: str | None = None,
    settings: ReadSettings = AUTOMATIC,
    note: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure a run on all that it held out, or on another text or file of prompts, with the floors for it.

    The other is read as `settings` say, and `note` is told how.

    Raises CorpusError if the text cannot be read or is too short, RunError if the run's files are broken.
    """
    training_data = open_training_data(RunFolder(run), writer.model.context, isinstance(writer.model, Mixture))
    return training_data.report(writer, None) if text is None else training_data.report_on(writer, text, settings, note)
