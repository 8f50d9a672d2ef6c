"""A recipe: all settings of a training run, in one flat TOML or JSON file.

Each section holds the settings of one part and is defined beside that part. This module combines, reads, writes,
validates and compares them. It reports all errors of a file at once, each with its key and, for an unknown key, the
closest known one.
"""

import copy
import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tomli_w
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from lilliput import files
from lilliput.corpus import shortened
from lilliput.data.settings import DataSettings
from lilliput.errors import RecipeError
from lilliput.generation.settings import SampleSettings
from lilliput.models.settings import KINDS, GPTSettings, ModelSettings
from lilliput.objectives.settings import FEWEST_BLOCKS, ObjectiveSettings
from lilliput.optimization.settings import OptimizerSettings, ScheduleSettings
from lilliput.settings import Settings
from lilliput.tokenizers import TokenizerSettings

# Keys that may change when a run continues, since they do not change a step. Texts are compared by checksum.
_FREE_KEYS = frozenset(
    {"name", "description", "planned", "data.corpus", "data.validation"}
    | {
        f"training.{key}"
        for key in ("steps", "minutes", "evaluate_every", "patience", "keep_every", "extend", "trackers")
    }
)

RENAMED_KEYS = {
    "model.members": "model.ensemble",
    "training.go_on": "training.extend",
    "training.track": "training.trackers",
    "sample.length": "sample.max_tokens",
    "sample.characters": "sample.max_characters",
}
"""Keys of earlier versions and their new names. A recipe with an old key is refused; in the recipe of a run the old key
is read as the new one."""

_LONGEST_VALUE, _LONGEST_MESSAGE, _ENOUGH = 80, 240, 1500
"""Maximum characters in error messages: of a value, of an error, and of all errors before the rest is cut."""


class TrainingSettings(OptimizerSettings, ScheduleSettings):
    """Length of the training, batches, and when to evaluate."""

    steps: Annotated[int, Field(ge=1, le=2**30)] | None = None
    """Total optimiser steps."""
    minutes: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """Time budget in minutes, also for the schedule. Set either this or `steps`."""
    batch: Annotated[int, Field(ge=1)] = 12
    """Rows (windows) per forward pass."""
    accumulation: Annotated[int, Field(ge=1)] = 1
    """Forward passes per step; a step uses batch x accumulation rows."""
    clip: Annotated[float, Field(ge=0)] = 1.0
    """Maximum norm of the gradient; 0 means no clipping."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    compile: bool = False
    processes: Annotated[int, Field(ge=1, le=256)] | None = None
    """Number of processes that share the rows of a step; by default chosen for machine and model."""
    evaluate_every: Annotated[int, Field(ge=1)] | None = None
    """Steps between evaluations (with checkpoint and sample); by default ten per run."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop after this many evaluations without a new best."""
    keep_every: Annotated[int, Field(ge=1)] | None = None
    """Steps between checkpoints to keep, beside the best and the last two."""
    extend: bool = False
    """Let the same command on a finished run train for the whole length once more."""
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = ()

    @field_validator("trackers", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_length(self) -> "TrainingSettings":
        if self.steps is not None and self.minutes is not None:
            raise ValueError("give steps or minutes, not both")
        if self.steps is None and self.minutes is None:
            raise ValueError("give steps or minutes")
        return self


class ExpectedSettings(Settings):
    """Measured results of the recipe, for readers only."""

    minutes: Annotated[float, Field(gt=0)]
    """Duration of the whole command."""
    machine: str
    figures: dict[str, float] = Field(default_factory=dict)
    """Results by name, medians over several seeds."""


class Recipe(Settings):
    """A complete description of a training run."""

    name: Annotated[str, Field(min_length=1, pattern=r"^[^/\\]*[^/\\.][^/\\]*$")]
    description: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    planned: tuple[str, ...] = ()
    """Keys chosen by the planner, not by hand."""
    data: DataSettings = DataSettings()
    tokenizer: TokenizerSettings = TokenizerSettings()
    model: ModelSettings = GPTSettings()
    training: TrainingSettings
    objective: ObjectiveSettings = ObjectiveSettings()
    sample: SampleSettings = SampleSettings()
    expected: ExpectedSettings | None = None

    @field_validator("model", mode="before")
    @classmethod
    def _gpt_unless_said(cls, value: object) -> object:
        return {"kind": "gpt"} | value if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _can_name_line_endings(self) -> "Recipe":
        model = self.model
        fits = isinstance(model, GPTSettings) and model.layers >= FEWEST_BLOCKS
        if self.objective.line_endings and (not fits or model.counts or model.ensemble > 1):
            raise ValueError(
                f"objective.line_endings needs model.kind 'gpt' with at least {FEWEST_BLOCKS} layers, without counts "
                "and without an ensemble: set model.counts=false, model.ensemble=1 and model.layers"
            )
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return plain values without unset keys (TOML has no null)."""
        return self.model_dump(mode="json", exclude_none=True)

    def write(self, path: Path) -> None:
        """Write the recipe as TOML."""
        files.write(path, self.as_toml().encode())

    def as_toml(self) -> str:
        """Return the recipe as the text of a TOML file."""
        return tomli_w.dumps(self.as_dict())


def is_recipe(path: Path) -> bool:
    """Return whether a JSON file is a recipe, not data: it has a section of a recipe."""
    try:
        values = files.read_json(path)
    except (OSError, ValueError):
        return False
    sections = {key for key in Recipe.model_fields if isinstance(values.get(key), dict)}
    return bool(sections - {"data"}) or ("data" in sections and bool(values["data"].keys() & DataSettings.model_fields))


def read_recipe(path: str | Path, settings: Mapping[str, Any] | None = None) -> Recipe:
    """Read a TOML or JSON recipe; `settings` (dotted key -> value) override its values.

    Raises RecipeError for an unreadable file and for invalid keys and values.
    """
    return make_recipe(read_values(Path(path)), settings, where=str(path))


def read_values(path: Path) -> dict[str, Any]:
    """Read a TOML or JSON recipe without validating it. Raises RecipeError for an unreadable file."""
    try:
        values = files.read_json(path) if path.suffix == ".json" else files.read_toml(path)
    except FileNotFoundError:
        raise RecipeError(f"no recipe file {path}") from None
    except (OSError, ValueError) as error:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise RecipeError(f"{path}: not a readable {kind} file: {files.reason_of(error)}") from None
    values.setdefault("name", path.stem)
    return values


def named_recipe(name: str, settings: Mapping[str, Any] | None = None) -> Recipe:
    """Return a built-in recipe. Raises RecipeError for an unknown name."""
    if name not in recipe_names():
        raise RecipeError(f"no recipe named {name!r}{_did_you_mean(name, recipe_names())}; see lilliput recipes")
    return make_recipe(files.parse_toml(recipe_source(name)), settings, where=f"recipe {name}")


def recipe_names() -> list[str]:
    """Return the names of the built-in recipes."""
    folder = resources.files("lilliput") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def recipe_source(name: str) -> str:
    """Return the file of a built-in recipe, with its comments."""
    return (resources.files("lilliput") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")


def make_recipe(values: Mapping[str, Any], settings: Mapping[str, Any] | None = None, where: str = "recipe") -> Recipe:
    """Validate `values`, overridden by `settings` (dotted key -> value).

    Raises RecipeError with all errors in one line.
    """
    try:
        merged = copy.deepcopy(dict(values))
        for key, value in (settings or {}).items():
            put_setting(merged, key, value)
        if settings:
            _settle_length(merged, settings)
        return Recipe.model_validate(merged)
    except ValidationError as error:
        raise RecipeError(f"{where}: {explain(error, Recipe)}") from None
    except RecursionError:
        raise RecipeError(f"{where}: sections are nested too deeply. A recipe has at most three levels") from None


def plan_again(values: Mapping[str, Any], settings: Mapping[str, Any], old: Recipe) -> dict[str, Any]:
    """Return `values` of a new plan with the planned values of `old`, so that a run continues by its first plan.

    Values set by hand, then or now (`settings`), stay: if they differ, the recipe has changed.
    """
    kept, before = copy.deepcopy(dict(values)), dict(_flatten(old.as_dict()))
    for key, _ in list(_flatten(values)):
        if key in old.planned and key in before and key not in settings:
            put_setting(kept, key, before[key])
    return kept


def parse_setting(text: str) -> tuple[str, Any]:
    """Split `model.layers=6` into key and value; a value that is not valid TOML is a plain string."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {shown(text)}: write KEY=VALUE, for example --set model.layers=6")
    try:
        parsed = files.parse_toml(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return key.strip(), value
    except ValueError:
        raise RecipeError(f"--set {shortened(key)}: {shown(value)} is nested too deeply or too long") from None
    # A line end in the value would start more keys.
    return key.strip(), parsed["value"] if len(parsed) == 1 else value


def differences(old: Recipe, new: Recipe) -> list[str]:
    """List the changed settings that affect a training step, as `key: old -> new`."""
    before, after = dict(_flatten(old.as_dict())), dict(_flatten(new.as_dict()))
    return [
        f"{key}: {before.get(key, 'not set')} -> {after.get(key, 'not set')}"
        for key in sorted(before.keys() | after.keys())
        if key not in _FREE_KEYS and not key.startswith(("sample.", "expected.")) and before.get(key) != after.get(key)
    ]


def varying(recipes: Sequence[Recipe]) -> dict[str, list[Any]]:
    """Return the settings that differ between recipes, with the value in each; None means not set."""
    flat = [dict(_flatten(recipe.as_dict())) for recipe in recipes]
    keys = sorted({key for values in flat for key in values if key != "planned" and not key.startswith("expected.")})
    by_key = {key: [values.get(key) for values in flat] for key in keys}
    return {key: values for key, values in by_key.items() if any(value != values[0] for value in values)}


def renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a recipe with the keys of earlier versions renamed."""
    result = copy.deepcopy(dict(values))
    for former, key in RENAMED_KEYS.items():
        section, name = former.split(".")
        inner = result.get(section)
        if isinstance(inner, dict) and name in inner:
            put_setting(result, key, inner.pop(name))
    if isinstance(planned := result.get("planned"), list):
        result["planned"] = [RENAMED_KEYS.get(str(key), key) for key in planned]
    return result


def _settle_length(values: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Let a length from the command line replace the recipe's length, in steps or minutes."""
    training = values.get("training", {})
    if "training.minutes" in settings and "training.steps" not in settings:
        training.pop("steps", None)
    if "training.steps" in settings and "training.minutes" not in settings:
        training.pop("minutes", None)


def put_setting(values: dict[str, Any], key: str, value: Any) -> None:
    """Store a value under its dotted key in nested tables."""
    *path, last = key.split(".")
    for part in path:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            raise RecipeError(f"--set {shortened(key)}: {shortened(part)} is a value, not a section")
        values = inner
    values[last] = value


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def explain(error: ValidationError, root: type[BaseModel]) -> str:
    """Return the errors of a validation of `root` in one line, each with its key; suggests the closest known key."""
    errors = error.errors(include_url=False)
    messages: list[str] = []
    for item in errors:
        if sum(map(len, messages)) > _ENOUGH:
            messages.append(f"and {len(errors) - len(messages)} more errors")
            break
        messages.append(shortened(_explain(item, root), _LONGEST_MESSAGE))
    return "; ".join(messages)


def shown(value: object) -> str:
    """Return the `repr` of a given value for a message, shortened."""
    try:
        return shortened(repr(value), _LONGEST_VALUE)
    except (ValueError, RecursionError):  # thousands of digits or levels
        return f"a {type(value).__name__} that is too long to show"


def _explain(item: ErrorDetails, root: type[BaseModel]) -> str:
    path = [shortened(str(part)) for part in item["loc"] if part not in KINDS]
    key = ".".join(path) or "recipe"
    section = "" if root is Recipe else "sample."
    match item["type"]:
        case "extra_forbidden" if section + key in RENAMED_KEYS:
            return f"{key}: the key is now {RENAMED_KEYS[section + key].removeprefix(section)}"
        case "extra_forbidden":
            return f"{key}: unknown key{_did_you_mean(path[-1], _known_keys(root, item['loc'][:-1]))}"
        case "missing":
            return f"{key}: missing"
        case "value_error":
            return f"{key}: {item['ctx']['error']}"
        case "union_tag_invalid":
            return f"{key}.kind: should be one of {item['ctx']['expected_tags']}, not {shown(item['ctx']['tag'])}"
    return f"{key}: {item['msg'][0].lower()}{item['msg'][1:]}, not {shown(item['input'])}"


def _did_you_mean(word: str, candidates: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _known_keys(root: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the valid keys at a location, which has the kind of a model after `model`."""
    classes = [root]
    for part in location:
        if part in KINDS:
            classes = [cls for cls in classes if part in get_args(cls.model_fields["kind"].annotation)]
        else:
            fields = [cls.model_fields[part] for cls in classes if part in cls.model_fields]
            classes = [cls for field in fields for cls in _model_classes(field.annotation)]
    return [name for cls in classes for name in cls.model_fields]


def _model_classes(annotation: Any) -> list[type[BaseModel]]:
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return [cls for inner in get_args(annotation) for cls in _model_classes(inner)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
