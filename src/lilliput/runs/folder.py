"""The run folder: a complete run, in files that other programs can read.

recipe.toml            the recipe as it was resolved
model.json             the architecture: its format, settings, vocabulary size, context
tokenizer/             the tokenizer and its vocabulary for people
weights.safetensors    the best weights so far
first.safetensors      the initial weights, if they come from another run
facts.json             the text (checksum, counts), the baselines, the tokens per character
manifest.json          the SHA-256 of all that the run depends on, a copy of the recipe, the version of Lilliput
environment.json       machine and package versions
tokens/                the encoded text, and the starts of its segments if it has several
metrics.jsonl          one line per step and per evaluation
samples.jsonl          one line per sample
evaluation.json        the final evaluation
checkpoints/           states to continue from
loss.png, loss.svg     the loss curves
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from lilliput import files
from lilliput.data.tokens import Tokens, read_starts, read_tokens, starts_file
from lilliput.errors import CheckpointError, RecipeError, RunError, TokenizerError
from lilliput.generation.settings import SampleSettings
from lilliput.recipe import Recipe, explain, make_recipe, read_values, renamed
from lilliput.rows import read_rows
from lilliput.runs.listed_files import RESTORE, ListedFiles
from lilliput.runs.manifest import MANIFEST, Manifest
from lilliput.segments import WHOLE, Starts
from lilliput.tokenizers import Tokenizer
from lilliput.tokenizers import load as load_tokenizer

WEIGHTS = "weights.safetensors"
FIRST_WEIGHTS = "first.safetensors"
_MODEL_FORMAT = 2
"""The format of model.json. Format 1 is unnamed; since 2, contexts of words distinguish capitals."""
# UTF-8 cannot encode a lone surrogate; its backslash escape is valid JSON.
_ESCAPE = "backslashreplace"


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


class RunFolder(ListedFiles):
    """The files of one run, by name."""

    listed = ("facts.json", "tokenizer/*.json", "tokenizer/*.tiktoken", "tokens/*.npy")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
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

    def has_learnt(self) -> bool:
        """Return whether there are weights."""
        return (self.path / WEIGHTS).exists() or self.checkpoints.exists()

    # The recipe.

    def write_recipe(self, recipe: Recipe) -> None:
        """Write the recipe of the run, and a copy of it into the manifest."""
        manifest, values = self.manifest(), recipe.as_dict()
        if manifest.recipe != values:
            manifest.recipe = values
            manifest.write(self.path)
        recipe.write(self.recipe)

    def read_recipe(self) -> Recipe:
        """Return the recipe of the run. Raises RunError if it is lost."""
        copy = self._recipe_copy()
        where = self.recipe if copy is None else self.path / MANIFEST
        try:
            return make_recipe(renamed(read_values(where) if copy is None else copy), where=str(where))
        except RecipeError as error:
            advice = self.advice()
            raise RunError(f"{self.path}: {advice}" if advice else str(error)) from None

    def _recipe_copy(self) -> dict[str, Any] | None:
        with suppress(CheckpointError):
            return self.manifest().recipe
        return None

    def lost_recipe(self) -> bool:
        """Return whether recipe.toml differs from the copy in the manifest."""
        try:
            copy = self.manifest().recipe
            return copy is not None and files.read_toml(self.recipe) != copy
        except CheckpointError:
            return False
        except (OSError, ValueError):
            return True

    def read_sampling(self, note: Callable[[str], None]) -> SampleSettings:
        """Return the run's sampling options: those of recipe.toml, else those of its copy, else the defaults.

        `note` gets a line about each changed file; changes never prevent the use of a run.
        """
        copy, kept = self._recipe_copy(), None
        with suppress(ValueError):
            kept = None if copy is None else _sampling(copy)
        try:
            given = _sampling(files.read_toml(self.recipe))
        except (OSError, ValueError) as error:
            instead = "the copy of it in manifest.json is used" if kept else "the default sampling options are used"
            note(f"{self.recipe}: {self.advice() or files.reason_of(error)}; {instead}")
            return kept or SampleSettings()
        if kept is not None and given != kept:
            note(f"{self.recipe}: its [sample] section was edited after training; the edited values are used")
        return given

    # The other files.

    def read_tokens(self, path: Path, vocab_size: int | None = None) -> Tokens:
        """Open one of the run's token files, as `data.tokens.read_tokens` does. Raises RunError if it is damaged."""
        self.check(path)
        return read_tokens(path, vocab_size)

    def read_starts(self, path: Path, tokens: int) -> Starts:
        """Return the starts of the segments in a token file. Raises RunError if they are lost or damaged."""
        file = starts_file(path)
        if not file.exists():
            listed = False
            with suppress(CheckpointError):
                listed = file.relative_to(self.path).as_posix() in self.manifest().sums
            if not listed:
                return WHOLE
        return read_starts(path, tokens, self.read_tokens)

    def load_tokenizer(self) -> Tokenizer:
        """Load the run's tokenizer. Raises TokenizerError or RunError if it is missing or damaged."""
        try:
            for path in sorted(self.tokenizer.glob("*.*")):
                self.check(path)
            return load_tokenizer(self.tokenizer)
        except TokenizerError:
            if advice := self.advice():
                raise RunError(f"{self.path}: {advice}") from None
            raise

    def read_json(self, path: Path, remedy: str = RESTORE) -> dict[str, Any]:
        """Read one of the folder's JSON files. Raises RunError, with the remedy, if it is missing or broken."""
        if self.path.is_file():
            raise RunError(f"{self.path}: a file, not a run folder. Create a run: lilliput train TEXT")
        if not self.path.is_dir():
            raise RunError(f"no run at {self.path}. Create one: lilliput train TEXT --out {self.path}")
        try:
            values = files.read_json(path)
        except FileNotFoundError:
            raise RunError(f"{self.path}: not a run, {path.name} is missing") from None
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: broken ({files.reason_of(error)}); {remedy}") from None
        self.check(path, remedy)
        return values

    def read_facts(self) -> dict[str, Any]:
        """Read facts.json. Raises RunError if it is missing or broken."""
        facts = self.read_json(self.facts)
        facts.setdefault("baselines", facts.pop("floors", None))  # their name in earlier versions
        for section, key in (("text", "sha256"), ("training", "tokens"), ("validation", "tokens")):
            if not isinstance(facts.get(section), dict) or key not in facts[section]:
                raise RunError(f"{self.facts}: broken ({section}.{key} is missing); {RESTORE}")
        if not isinstance(facts.get("baselines"), dict):
            raise RunError(f"{self.facts}: broken (baselines are missing); {RESTORE}")
        return facts

    def write_json(self, path: Path, values: Mapping[str, Any]) -> None:
        """Write one of the folder's JSON files."""
        files.write(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode("utf-8", _ESCAPE))

    def model_format(self) -> int:
        """Return the format of model.json, or that of this version for a new run.

        Raises RunError if this version cannot read it.
        """
        try:
            number = self.read_json(self.model).get("format", 1)
        except RunError:
            return _MODEL_FORMAT
        if number not in range(1, _MODEL_FORMAT + 1):
            unknown = "in a format that this version cannot read; upgrade with pip install --upgrade lilliput"
            raise RunError(f"{self.model}: {self.advice() or unknown}")
        return int(number)

    def read_model(self, remedy: str = RESTORE) -> dict[str, Any]:
        """Read the architecture; its settings have the keys of this version. Raises RunError."""
        values = self.read_json(self.model, remedy)
        if "settings" in values:
            values["settings"] = renamed({"model": values["settings"]})["model"]
        return values

    def write_model(self, values: Mapping[str, Any]) -> None:
        """Write the architecture, and list it in the manifest."""
        values = {"format": self.model_format(), **values}
        self._replace(self.model, (json.dumps(values, indent=2) + "\n").encode())

    def write_evaluation(self, values: Mapping[str, Any]) -> None:
        """Write the final evaluation, and list it in the manifest."""
        self._replace(self.evaluation, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode(errors=_ESCAPE))

    def append_lines(self, path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows to one of the folder's JSON-lines files."""
        if lines := "".join(map(_line, rows)):
            files.append(path, lines.encode("utf-8", _ESCAPE))

    def read_lines(self, path: Path, note: Callable[[str], None] = print) -> list[dict[str, Any]]:
        """Read one of the folder's JSON-lines files, as `rows.read_rows` does."""
        return read_rows(path, note)

    def cut_lines(self, path: Path, last_step: int, note: Callable[[str], None] = print) -> None:
        """Drop the rows after `last_step`: steps after the last checkpoint are repeated."""
        kept = [row for row in read_rows(path, note) if row["step"] <= last_step]
        if path.exists():
            files.write(path, "".join(map(_line, kept)).encode("utf-8", _ESCAPE))

    def write_weights(self, weights: Mapping[str, Tensor], name: str = WEIGHTS) -> None:
        """Replace the best weights, or the initial ones."""
        self._replace(self.path / name, save({key: tensor.cpu().contiguous() for key, tensor in weights.items()}))

    def read_weights(self, name: str = WEIGHTS) -> dict[str, Tensor]:
        """Read the best weights, or the initial ones.

        Raises CheckpointError if they are missing or damaged.
        """
        path, manifest = self.path / name, Manifest.read(self.path)
        if name not in manifest.sums:
            raise CheckpointError(f"{path}: {'not listed in ' + MANIFEST if path.exists() else 'missing'}")
        if not manifest.knows(self.path, name):
            raise CheckpointError(f"{path}: damaged (its SHA-256 does not match manifest.json)")
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path}: unreadable ({error})") from None


def _sampling(values: Mapping[str, Any]) -> SampleSettings:
    """Return the sampling options among a recipe's values. Raises ValueError."""
    if "sample" not in values:
        raise ValueError("it has no [sample] section")
    try:
        return SampleSettings.model_validate(renamed(values)["sample"])
    except ValidationError as error:
        raise ValueError(f"[sample]: {explain(error, SampleSettings)}") from None
