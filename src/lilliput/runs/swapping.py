"""Replaces the run in a folder by another; an interruption leaves one of the two complete.

The earlier run is moved into `.old`, its facts.json last; then the new run is moved in, its facts.json last. So the
locations of the two facts.json show how far an interrupted replacement got.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

from lilliput import files

FACTS: Final = "facts.json"
# Everything that Lilliput writes into a run folder. It never deletes other files there.
OURS: Final = (
    "recipe.toml",
    "model.json",
    "tokenizer",
    "weights.safetensors",
    "first.safetensors",
    "manifest.json",
    "environment.json",
    "tokens",
    "metrics.jsonl",
    "samples.jsonl",
    "evaluation.json",
    "checkpoints",
    "loss.png",
    "loss.svg",
    "tensorboard",
    "wandb",
    FACTS,
)
FORMER: Final = ".old"


def replace_run(folder: Path, new: Path) -> None:
    """Move the run in `new` into `folder` and delete the earlier one; if that fails, restore the earlier one."""
    if not (folder / FACTS).exists():
        clear(folder)
    former = folder / FORMER
    files.remove(former)
    files.make_folder(former)
    try:
        _move(folder, former)
        _move(new, folder)
    except BaseException:
        settle_run(folder)
        raise
    files.flush_folder(folder)
    with suppress(OSError):
        files.remove(former)


def settle_run(folder: Path) -> None:
    """Finish an interrupted replacement: restore the earlier run, unless the new one is complete.

    Errors are ignored: the next start tries again.
    """
    former = folder / FORMER
    with suppress(OSError):
        new_is_complete = (former / FACTS).exists() and (folder / FACTS).exists()
        if former.exists() and not new_is_complete:
            if (former / FACTS).exists():
                # The earlier run is complete in `.old`, so the files here are new.
                clear(folder)
                (former / FACTS).rename(folder / FACTS)
            _move(former, folder)
        files.remove(former)


def clear(folder: Path) -> None:
    """Delete the files of a run except its lock, and no other files."""
    for name in OURS:
        files.remove(folder / name)


def _move(source: Path, target: Path) -> None:
    for name in OURS:
        if (source / name).exists() or (source / name).is_symlink():
            (source / name).rename(target / name)
