"""The run folder: everything that a run is, in files that other programs can read.

recipe.toml            the recipe as it was resolved
model.json             the architecture: settings, vocabulary size, context
tokenizer/             the tokenizer and its vocabulary for people
weights.safetensors    the best weights so far, listed in manifest.json
facts.json             the text (checksum, counts), the floors, the tokens per character
environment.json       machine and package versions
tokens/                the encoded text
metrics.jsonl          one line per step and per evaluation
samples.jsonl          one line per sample
evaluation.json        the final evaluation
checkpoints/           states to continue from
loss.png, loss.svg     the loss curves
"""

import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from lilliput.errors import CheckpointError, CorpusError, RunError
from lilliput.runs.manifest import check_manifest, write_manifest, write_whole

WEIGHTS = "weights.safetensors"
# Everything that Lilliput writes into a run folder; nothing else there is ever deleted.
_OURS = frozenset(
    {
        "recipe.toml",
        "model.json",
        "tokenizer",
        "weights.safetensors",
        "manifest.json",
        "facts.json",
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
    }
)
_LOCK = ".lock"
# A lone surrogate is no UTF-8, but as a backslash escape it is JSON.
_ESCAPE = "backslashreplace"


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


class RunFolder:
    """The files of one run, by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.aside = path / ".part"
        self.recipe = path / "recipe.toml"
        self.model = path / "model.json"
        self.tokenizer = path / "tokenizer"
        self.facts = path / "facts.json"
        self.environment = path / "environment.json"
        self.training_tokens = path / "tokens" / "training.npy"
        self.validation_tokens = path / "tokens" / "validation.npy"
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples.jsonl"
        self.evaluation = path / "evaluation.json"
        self.checkpoints = path / "checkpoints"

    def claim(self) -> FileLock:
        """Make the folder and lock it against other processes; release the lock when done.

        Raises RunError if another process holds it, or if the folder holds something that is not a run.
        """
        if self.path.is_dir() and not self._is_run() and any(self.path.iterdir()):
            raise RunError(f"{self.path}: not empty and not a run; choose another folder with --out")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / _LOCK)
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(
                f"{self.path}: in use by another process; wait for it, or choose another folder with --out"
            ) from None
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written ({error.strerror}); choose another with --out") from None
        return lock

    def _is_run(self) -> bool:
        # The lock is the first thing that is made; a copy without hidden files is known by what a run always has.
        always = (self.facts, self.recipe, self.tokenizer)
        ours = (self.path / _LOCK).exists() or self.aside.is_dir()
        return ours or all(path.exists() for path in always)

    def release(self, lock: FileLock) -> None:
        """Let go of the folder; one in which nothing came to be is taken away."""
        lock.release()
        if not self.facts.exists():
            (self.path / _LOCK).unlink(missing_ok=True)
            if not any(self.path.iterdir()):
                self.path.rmdir()

    @contextmanager
    def staged(self, keep: bool = False) -> Iterator["RunFolder"]:
        """Yield a folder for the beginnings of a run, which take the place of the earlier run if all goes well.

        facts.json comes last, so it vouches for the rest. With `keep` an interruption leaves the beginnings there, and
        the next call finds them.
        """
        aside = RunFolder(self.aside)
        if not keep:
            shutil.rmtree(aside.path, ignore_errors=True)
        aside.path.mkdir(exist_ok=True)
        try:
            yield aside
            self.clear()
            for path in sorted(aside.path.iterdir(), key=lambda path: path.name == self.facts.name):
                path.rename(self.path / path.name)
            keep = False
        except CorpusError:
            keep = False  # a text that cannot be used has no beginnings worth keeping
            raise
        finally:
            if not keep:
                shutil.rmtree(aside.path, ignore_errors=True)

    def clear(self) -> None:
        """Delete everything of the run but its lock, and nothing that is not the run's."""
        for name in _OURS:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def read_json(self, path: Path) -> dict[str, Any]:
        """Read one of the folder's JSON files. Raises RunError if it is missing or broken."""
        if self.path.is_file():
            raise RunError(f"{self.path}: a file, and not a run folder; lilliput train makes one")
        if not self.path.is_dir():
            raise RunError(f"{self.path}: there is no such run; lilliput train TEXT --out {self.path} makes one")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{self.path}: not a run, {path.name} is missing") from None
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: broken ({error}); continue from a backup or train again with --fresh") from None
        if not isinstance(values, dict):
            raise RunError(f"{path}: broken (not a JSON object); continue from a backup or train again with --fresh")
        return values

    def read_facts(self) -> dict[str, Any]:
        """Read what is known of the run's text. Raises RunError if it is missing or broken."""
        facts = self.read_json(self.facts)
        for section, key in (("text", "sha256"), ("training", "tokens"), ("validation", "tokens")):
            if not isinstance(facts.get(section), dict) or key not in facts[section]:
                raise RunError(f"{self.facts}: broken ({section}.{key} is missing); train again with --fresh")
        if not isinstance(facts.get("floors"), dict):
            raise RunError(f"{self.facts}: broken (floors are missing); train again with --fresh")
        return facts

    def write_json(self, path: Path, values: Mapping[str, Any]) -> None:
        """Write one of the folder's JSON files."""
        write_whole(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode("utf-8", _ESCAPE))

    def append_lines(self, path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows to one of the folder's JSON-lines files."""
        with path.open("a", encoding="utf-8", errors=_ESCAPE) as file:
            file.writelines(_line(row) for row in rows)

    def read_lines(self, path: Path) -> list[dict[str, Any]]:
        """Read a JSON-lines file; a last line that was cut off by a crash is left out."""
        if not path.exists():
            return []
        rows: list[dict[str, Any]] = []
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
        return rows

    def cut_lines(self, path: Path, last_step: int) -> None:
        """Drop the rows after `last_step`: the steps that a crash left without a checkpoint are done again."""
        rows = self.read_lines(path)
        kept = [row for row in rows if row.get("step", 0) <= last_step]
        if path.exists():
            write_whole(path, "".join(_line(row) for row in kept).encode("utf-8", _ESCAPE))

    def write_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Replace the weights that the run is used with."""
        write_whole(self.path / WEIGHTS, save({name: tensor.cpu().contiguous() for name, tensor in weights.items()}))
        write_manifest(self.path, [WEIGHTS])

    def read_weights(self) -> dict[str, Tensor]:
        """Read the best weights. Raises CheckpointError if they are missing or damaged."""
        check_manifest(self.path)
        try:
            return load_file(self.path / WEIGHTS)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{self.path / WEIGHTS}: unreadable ({error})") from None

    def count_parameters(self) -> int | None:
        """Return the number of trained values, without reading them; None if there are no weights yet."""
        try:
            with safe_open(self.path / WEIGHTS, "numpy") as file:
                return sum(math.prod(map(int, file.get_slice(name).get_shape())) for name in list(file.keys()))
        except (OSError, SafetensorError):
            return None
