"""The evaluation of a run that is there."""

from pathlib import Path
from typing import Any

from lilliput.models import Mixture
from lilliput.runs import RunFolder
from lilliput.training.prepare import open_material
from lilliput.writer import Writer


def evaluate_run(writer: Writer, run: Path, text: str | None = None) -> dict[str, Any]:
    """Measure a run on all that it held out, or on another text or file of prompts, with the floors for it.

    Raises CorpusError if the text cannot be read or is too short, RunError if the run's files are broken.
    """
    material = open_material(RunFolder(run), writer.model.context, isinstance(writer.model, Mixture))
    return material.report(writer, None) if text is None else material.report_on(writer, text)
