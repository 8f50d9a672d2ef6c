"""Open a run folder as a `Writer`."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from lilliput.errors import RecipeError, RunError
from lilliput.models import ModelSettings, build_empty
from lilliput.runs.folder import RunFolder
from lilliput.runs.weights import best_weights, learn_counts, put_weights
from lilliput.runtime import choose_device
from lilliput.writer.writer import Writer


def load(run: str | Path, note: Callable[[str], None] = print, bits: Literal[32, 8] = 32, *, texts: int = 1) -> Writer:
    """Open a run folder for use. It needs nothing but the folder and runs no code from it.

    With 8 `bits`, on a CPU, the weights are rounded (`evaluation.rounding`), and the writer picks the faster arithmetic
    for this number of `texts` at once. `note` gets a line about that choice, and about each damaged file that has a
    substitute: the weights of a checkpoint, the default sampling options, or no names of labels. Raises RunError or
    CheckpointError if the folder is not a run or has no usable weights.
    """
    folder = RunFolder(Path(run))
    facts = folder.read_model("repeat the command that made the run to write it again")
    try:
        settings = TypeAdapter[ModelSettings](ModelSettings).validate_python(facts["settings"])
        model = build_empty(settings, int(facts["vocab_size"]), int(facts["context"]))
    except (KeyError, TypeError, ValueError, OverflowError, RecipeError) as error:
        reason = " ".join(str(error).split())
        if advice := folder.advice():
            raise RunError(f"{folder.path}: {advice}") from None
        raise RunError(f"{folder.model}: does not describe a model this version knows ({reason})") from None
    put_weights(model, best_weights(folder, note))
    tokenizer = folder.load_tokenizer()
    learn_counts(model, folder, tokenizer)
    sampling = folder.read_sampling(note)
    model.to(choose_device()).eval()
    labels = _labels(folder, note)
    return Writer(model, tokenizer, sampling, folder.path, fast=True, bits=bits, texts=texts, note=note, labels=labels)


def _labels(folder: RunFolder, note: Callable[[str], None]) -> dict[str, str]:
    if not folder.facts.exists():
        return {}
    try:
        labels = folder.read_facts().get("labels", {})
        return dict(TypeAdapter(dict[str, str]).validate_python(labels, strict=True))
    except (RunError, ValidationError) as error:
        note(f"{error if isinstance(error, RunError) else folder.facts}; labels are not known by name")
        return {}
