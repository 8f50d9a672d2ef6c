"""From the arguments of a command to a task: a text, prompts with answers, or a recipe, and the settings."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lilliput.corpus import (
    Corpus,
    Examples,
    LargeText,
    ReadProgress,
    ReadSettings,
    known_corpora,
    label_alike,
    label_documents,
    open_corpus,
    open_examples,
    open_source,
    read_named_validation,
    require_examples,
)
from lilliput.corpus.settings import SplitKind
from lilliput.corpus.splitting import split_kind
from lilliput.data.arithmetic import make_problems
from lilliput.errors import RecipeError, RunError
from lilliput.planning.plan import Plan, make_plan
from lilliput.planning.throughput import machine_speed
from lilliput.recipe import Recipe, is_recipe, make_recipe, named_recipe, read_recipe, recipe_names
from lilliput.runs.folder import RunFolder
from lilliput.training.data.prepare import Measure, Source


@dataclass(frozen=True)
class Task:
    """A recipe, its training data, its validation data (None: a part of the former), and a name for the run."""

    name: str
    recipe: Recipe
    corpus: Source
    validation: Measure | None
    plan: Plan | None = None
    """Where no recipe was given."""
    chose_split: bool = False
    """Whether the recipe left it open how the text is split."""

    def recipe_for(self, folder: Path) -> Recipe:
        """Return the recipe to train in a folder; a run in it keeps its plan and its split."""
        begun = RunFolder(folder)
        if not _exists(begun.facts):
            return self.recipe
        try:
            former = begun.read_recipe()
        except RunError:
            return self.recipe  # whether it is the run's is found out there
        recipe = self.recipe if self.plan is None else self.plan.recipe(former)
        begun_by = former.data.split.by
        # Earlier versions split every text by position; what else is there was asked for.
        return _split_by(recipe, begun_by) if self.chose_split and begun_by in ("position", "items") else recipe


def resolve(
    targets: Sequence[str],
    *,
    corpus: str | None = None,
    validation: str | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: ReadProgress | None = None,
) -> Task:
    """Find out whether `targets` are texts or a recipe, and open everything that training needs.

    `corpus` replaces the text of a recipe; `settings` are dotted keys and values laid over the recipe.
    Raises RecipeError or CorpusError for what does not exist or does not fit.
    """
    task = _resolve(targets, corpus, validation, settings, progress)
    if task.recipe.data.split.by != "automatic":
        return task
    by = split_kind(task.corpus, task.recipe.data.split) if isinstance(task.corpus, Corpus) else "position"
    return replace(task, recipe=_split_by(task.recipe, by), chose_split=True)


def _split_by(recipe: Recipe, by: SplitKind) -> Recipe:
    split = recipe.data.split.model_copy(update={"by": by})
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"split": split})})


def _resolve(
    targets: Sequence[str],
    corpus: str | None,
    validation: str | None,
    settings: Mapping[str, Any] | None,
    progress: ReadProgress | None,
) -> Task:
    if not targets:
        raise RecipeError("no text or recipe given; name a file, a known corpus or a recipe")
    values = dict(settings or {})
    if validation is not None:
        values["data.validation"] = validation
    if _is_recipe(targets):
        return _from_recipe(targets[0], corpus, values, progress)
    if corpus is not None:
        raise RecipeError(f"--corpus replaces the text of a recipe, but {targets[0]} is a text; give only one of them")
    values["data.corpus"] = [str(target) for target in targets]
    source = _open(targets, progress, read_settings(values))
    name = _run_name(targets[0])
    plan = make_plan(name, source, values, machine_speed)
    recipe = plan.recipe()
    return _labelled(Task(name, recipe, source, _validation(recipe, source, targets, progress), plan))


def read_settings(settings: Mapping[str, Any]) -> ReadSettings:
    """Return the settings for reading the texts, before there is a recipe."""
    given = {key: value for key, value in settings.items() if key.split(".")[0] == "data"}
    return make_recipe({"name": "text", "training": {"steps": 1}}, given).data


def _is_recipe(targets: Sequence[str]) -> bool:
    if len(targets) != 1:
        return False
    path = Path(targets[0])
    if path.suffix == ".json":
        return is_recipe(path)
    return path.suffix == ".toml" or (targets[0] in recipe_names() and not path.exists())


def _from_recipe(target: str, corpus: str | None, settings: dict[str, Any], progress: ReadProgress | None) -> Task:
    if corpus is not None:
        settings["data.corpus"] = [corpus]
    path = Path(target)
    recipe = read_recipe(path, settings) if path.suffix in (".toml", ".json") else named_recipe(target, settings)
    # The expected figures belong to the unchanged recipe; a run has its own.
    recipe = recipe.model_copy(update={"expected": None})
    if recipe.data.arithmetic is not None:
        return Task(recipe.name, recipe, *make_problems(recipe.data.arithmetic, recipe.seed))
    if not recipe.data.corpus:
        raise RecipeError(f"{target}: data.corpus names no text; set it in the recipe or give --corpus FILE")
    name = recipe.name if corpus is None else f"{recipe.name}-{_run_name(corpus)}"
    source = _open(recipe.data.corpus, progress, recipe.data)
    return _labelled(Task(name, recipe, source, _validation(recipe, source, recipe.data.corpus, progress)))


def _open(targets: Sequence[str], progress: ReadProgress | None, settings: ReadSettings) -> Source:
    first = Path(targets[0])
    if _exists(first / "tokenizer") and _exists(first / "facts.json"):
        raise RecipeError(
            f"{first} is a run, not a text: repeat the command that made it to continue, or run lilliput sample {first}"
        )
    names = {info.name for info in known_corpora()}
    if len(targets) == 1 and targets[0] not in names and not _exists(first):
        # A mistyped recipe would be looked for as a text; say what it may have been.
        near = difflib.get_close_matches(targets[0], [*names, *recipe_names()], n=1, cutoff=0.6)
        if near and near[0] in recipe_names():
            raise RecipeError(f"{targets[0]}: no such file, corpus or recipe (did you mean {near[0]!r}?)")
    return open_source(targets, progress, settings)


def _validation(
    recipe: Recipe, source: Source, targets: Sequence[str], progress: ReadProgress | None
) -> Measure | None:
    """Open the validation data: that of the recipe, or of the named corpus."""
    if recipe.data.validation is not None and isinstance(source, Examples):
        return require_examples(recipe.data.validation, recipe.data)
    if recipe.data.validation is not None:
        return open_examples(recipe.data.validation, recipe.data) or open_corpus(
            [recipe.data.validation], progress, recipe.data
        )
    named = {info.name for info in known_corpora()}
    if len(targets) == 1 and targets[0] in named and not _exists(Path(targets[0])):
        return read_named_validation(targets[0])
    return None


def _labelled(task: Task) -> Task:
    """Return the task with the labels that its recipe asks for."""
    kind = task.recipe.data.labels
    if kind is None:
        return task
    if isinstance(task.corpus, Examples):
        raise RecipeError("data.labels works on texts only: put the label into the prompts")
    if isinstance(task.corpus, LargeText):  # its labels are found, and put in, while it is read
        return replace(task, corpus=replace(task.corpus, label_kind=kind))
    corpus = label_documents(task.corpus, kind)
    validation = task.validation
    if isinstance(validation, Corpus):
        validation = label_alike(validation, kind, corpus.labels)
    return replace(task, corpus=corpus, validation=validation)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False


def _run_name(target: str) -> str:
    return "stdin" if target == "-" else Path(target).name.split(".")[0] or "text"
