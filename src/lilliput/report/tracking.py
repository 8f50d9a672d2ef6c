"""Send metrics and samples to an external tracker: TensorBoard, or Weights & Biases.

Both are optional and write into the run folder. Weights & Biases works offline unless the user sets WANDB_MODE, so that
nothing leaves the machine by default; `wandb sync` uploads such a run later. Left out: uploading the weights.
"""

import html
import importlib
import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from lilliput.errors import DependencyError

TrackerName = Literal["tensorboard", "wandb"]
_MODULES: dict[TrackerName, str] = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}


class Tracker(Protocol):
    """A receiver of metrics and samples."""

    def log(self, step: int, values: dict[str, float]) -> None:
        """Record values of a step."""

    def text(self, step: int, sample: str) -> None:
        """Record a sample of a step."""

    def close(self) -> None:
        """Write buffered values; the tracker must not be used afterwards."""


def require_trackers(names: Sequence[TrackerName]) -> None:
    """Raise DependencyError if a tracker is not installed or broken, before the run starts."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise DependencyError(name, "trackers", f"tracking with {name}")
        try:
            importlib.import_module(_MODULES[name])
        except Exception as error:
            raise DependencyError(name, "trackers", f"tracking with {name}", error) from error


def open_trackers(names: Sequence[TrackerName], folder: Path, settings: Mapping[str, Any]) -> list[Tracker]:
    """Open trackers that write into the run folder; `settings` is the run's recipe as plain values.

    Raises DependencyError, before opening any, if one is not installed or broken.
    """
    kinds: dict[TrackerName, type[TensorBoard | WeightsAndBiases]]
    kinds = {"tensorboard": TensorBoard, "wandb": WeightsAndBiases}
    require_trackers(names)
    return [kinds[name](folder, settings) for name in names]


class TensorBoard:
    """Event files in `tensorboard/` of the run folder."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder / "tensorboard"))
        self._writer.add_text("recipe", _preformatted(json.dumps(settings, indent=2, default=str)), 0)

    def log(self, step: int, values: dict[str, float]) -> None:
        """Record values of a step."""
        for key, value in values.items():
            self._writer.add_scalar(key, value, step)

    def text(self, step: int, sample: str) -> None:
        """Record a sample of a step."""
        self._writer.add_text("sample", _preformatted(sample), step)

    def close(self) -> None:
        """Write buffered values."""
        self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases in `wandb/` of the run folder."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        import wandb

        mode: Any = os.environ.get("WANDB_MODE", "offline")
        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project="lilliput",
            name=folder.resolve().name,
            dir=str(folder),
            config=dict(settings),
            mode=mode,
            # wandb would wrap standard output; offline its banner is useless.
            settings=wandb.Settings(console="off", silent=mode == "offline", x_disable_stats=True),
        )

    def log(self, step: int, values: dict[str, float]) -> None:
        """Record values of a step; a step lower than the last one is dropped by wandb with a warning."""
        self._run.log(dict(values), step=step)

    def text(self, step: int, sample: str) -> None:
        """Record a sample of a step."""
        import wandb

        self._run.log({"sample": wandb.Html(f"<pre>{html.escape(sample)}</pre>", inject=False)}, step=step)

    def close(self) -> None:
        """Write buffered values."""
        self._run.finish()


def _preformatted(text: str) -> str:
    # TensorBoard renders Markdown; an indent of four spaces keeps the text verbatim.
    return "\n".join("    " + line for line in text.splitlines())
