"""Checkpoints: everything that the next step depends on, as safetensors and JSON under a SHA-256 manifest.

A step is a function of (weights, optimiser state, objective state, recipe, step number), so nothing else needs to be
saved: no generator state, no position in the data. The best checkpoint and the last two are kept, and every n-th if the
recipe asks for it.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, ConfigDict, Field, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from lilliput import files
from lilliput.errors import CheckpointError, RunError
from lilliput.runs.manifest import check_manifest, upgrade, write_manifest

_NAME = re.compile(r"step-(\d{8,})")


def _either(name: str, former: str) -> Any:
    """Accept the former name of a field, in checkpoints of earlier versions."""
    return Field(validation_alias=AliasChoices(name, former))


@dataclass
class Progress:
    """The progress of a run: the part of a checkpoint that is not tensors."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    step: int = 0
    seconds: float = 0.0
    """Time spent on the run so far, in all sessions."""
    opening_seconds: float = 0.0
    """The `seconds` before the first step."""
    tokens: int = 0
    best_step: int = 0
    best_loss: float | None = None
    """The validation loss at the best step."""
    best_score: float | None = None
    """The score of the best step; higher is better."""
    stale_evaluations: int = 0
    """Evaluations since the best one."""
    evaluated_seconds: float = 0.0
    """The `seconds` at the last evaluation."""
    seconds_per_reported_token: float = 0.0
    """Cost of the final evaluation, measured once per run."""
    evaluation_limit: int | None = None
    """Number of validation tokens to score in an evaluation during training; None means all."""
    rounds: int = 1
    """The run is this many times as long as its settings say."""
    scaler: dict[str, int | float] = field(default_factory=dict)
    """State of the float16 loss scaler."""
    spike_detector: Annotated[dict[str, int | float], _either("spike_detector", "guard")] = field(default_factory=dict)
    """State of the detector of loss spikes."""
    spikes: Annotated[list[int], _either("spikes", "troubles")] = field(default_factory=list)
    """The steps with a loss spike, oldest first; each has halved the learning rate."""
    accumulation: int | None = None
    """Micro-batches per shard of a step, if the number in the recipe did not fit into memory."""
    ended: float | None = None
    """The time budget, in seconds, that the run has used up; the same budget does not continue it."""
    length: float | None = None
    """The planned length of the run, in steps or minutes; the schedule depends on it."""
    shards: Annotated[int | None, _either("shards", "shares")] = None
    """Number of shards of a step, each with its own dropout; fixed at the start of the run."""

    def __post_init__(self) -> None:
        """Fill in the best score, which checkpoints of earlier versions lack: there the lowest loss was the best."""
        if self.best_score is None and self.best_loss is not None:
            self.best_score = -self.best_loss


_PROGRESS = TypeAdapter(Progress)


@dataclass(frozen=True)
class Checkpoint:
    """A state to continue from."""

    progress: Progress
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    objective: Mapping[str, Tensor] = field(default_factory=dict)


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint into a new folder inside `folder` and return its path. Raises OSError, which names a path."""
    path = folder / f"step-{checkpoint.progress.step:08d}"
    with files.filling(path) as inner:
        # The errors of safetensors, if it writes the file, name no path.
        files.write(inner / "weights.safetensors", save(_plain(checkpoint.weights)))
        files.write(inner / "optimizer.safetensors", save(_plain(checkpoint.optimizer)))
        if checkpoint.objective:
            files.write(inner / "objective.safetensors", save(_plain(checkpoint.objective)))
        files.write(inner / "state.json", (json.dumps(asdict(checkpoint.progress), indent=2) + "\n").encode())
        write_manifest(inner)
    return path


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint.

    Raises CheckpointError if a part is missing or damaged, and RunError if a later version wrote it.
    """
    manifest = check_manifest(path)
    try:
        progress = _PROGRESS.validate_json((path / "state.json").read_bytes())
        weights, optimizer = load_file(path / "weights.safetensors"), load_file(path / "optimizer.safetensors")
        objective = path / "objective.safetensors"
        return Checkpoint(progress, weights, optimizer, load_file(objective) if objective.exists() else {})
    except ValidationError as error:
        if advice := upgrade(manifest.version):
            raise RunError(f"{path}: {advice}") from None
        key = ".".join(map(str, error.errors()[0]["loc"]))
        raise CheckpointError(f"{path}: its state.json has an unknown or impossible {key}") from None
    except SafetensorError as error:
        raise CheckpointError(f"{path}: unreadable ({error})") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: unreadable ({files.reason_of(error)})") from None


def checkpoint_steps(folder: Path) -> list[int]:
    """Return the steps at which there are checkpoints, newest first."""
    if not folder.is_dir():
        return []
    matches = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return sorted((int(match[1]) for match in matches if match), reverse=True)


def newest_checkpoint(folder: Path, note: Callable[[str], None], length: float | None = None) -> Checkpoint | None:
    """Return the newest intact checkpoint, or None if there are none; `note` gets a line about each broken one.

    `length` is the current length of the run, in steps or minutes. If it differs from that of the checkpoint, `note`
    gets a warning that later steps may differ.

    Raises CheckpointError if there are checkpoints and all are broken.
    """
    steps = checkpoint_steps(folder)
    broken = []
    for step in steps:
        try:
            checkpoint = load_checkpoint(folder / f"step-{step:08d}")
        except CheckpointError as error:
            broken.append(f"checkpoint of step {step} is broken ({error}); falling back to the one before")
            continue
        if broken and length is not None and checkpoint.progress.length not in (None, length):
            broken[-1] += (
                f": the length of the run has changed since step {step}, and with it the schedule, so later steps "
                "may differ"
            )
        for line in broken:
            note(line)
        return checkpoint
    for line in broken:
        note(line)
    if steps:
        raise CheckpointError(f"{folder}: every checkpoint is broken; start over with --fresh")
    return None


def prune_checkpoints(folder: Path, best: int, keep: Callable[[int], bool]) -> None:
    """Delete all checkpoints except the last two, the best, and those for which `keep` (step -> bool) is true.

    If deleting a checkpoint fails, the next call tries again.
    """
    for step in checkpoint_steps(folder)[2:]:
        if step != best and not keep(step):
            with suppress(OSError):
                files.remove(folder / f"step-{step:08d}")


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
