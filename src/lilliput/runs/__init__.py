"""The run folder and its checkpoints."""

from lilliput.runs.checkpoint import (
    Checkpoint,
    Progress,
    load_checkpoint,
    newest_checkpoint,
    prune_checkpoints,
    save_checkpoint,
)
from lilliput.runs.folder import RunFolder
from lilliput.runs.outcome import read_evaluation

__all__ = [
    "Checkpoint",
    "Progress",
    "RunFolder",
    "load_checkpoint",
    "newest_checkpoint",
    "prune_checkpoints",
    "read_evaluation",
    "save_checkpoint",
]
