"""A run is never lost: whichever operation on a file fails or is the last one, the same command goes on."""

import builtins
import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from lilliput.errors import LilliputError
from lilliput.models import build
from lilliput.objectives.next_token import NextToken
from lilliput.optimization.optimizers import build_optimizers
from lilliput.recipe import Recipe
from lilliput.runs import recorder
from lilliput.runs.claiming import claim, release
from lilliput.runs.folder import RunFolder
from lilliput.runs.recorder import Recorder
from lilliput.tokenizers import train as train_tokenizer
from lilliput.training import train
from lilliput.training.data import prepare
from lilliput.training.events import Event, Note
from lilliput.training.state import State
from lilliput.writer import load
from tests.runs.test_folder import tree
from tests.training.building import corpus, recipe

TEXT = corpus(300)
CHANGING = ("os.mkdir", "os.rename", "os.replace", "os.unlink", "os.rmdir", "os.fsync", "os.truncate")


class Killed(BaseException):
    """The process dies here: nothing more is done to any file."""


class Disk:
    """Counts what is done to files, and lets the `fails`-th operation fail: with an error, or as the last one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: int, killed: bool) -> None:
        self.fails = fails
        self.killed = killed
        self.done = 0
        for name in CHANGING:
            module, function = name.split(".")
            monkeypatch.setattr(os, function, self._counted(getattr(os, function)))
        for module in (io, builtins):
            monkeypatch.setattr(module, "open", self._opening(open))

    def count(self, place: object) -> None:
        if str(place).endswith(".lock"):
            return
        self.done += 1
        if self.killed and self.done >= self.fails:
            raise Killed
        if self.done == self.fails:
            raise OSError((errno.ENOSPC, errno.EIO)[self.fails // 2 % 2], "it fails", str(place))

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.count(arguments[0])
            return function(*arguments, **options)

        return counted

    def _opening(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def opening(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if mode in ("r", "rb"):
                return function(file, mode, *arguments, **options)
            self.count(file)
            return Watched(function(file, mode, *arguments, **options), self)

        return opening


class Watched:
    """A file whose writing is counted."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file = file
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, content: bytes) -> int:
        try:
            self._disk.count("a file")
        except BaseException:
            self._file.write(content[: len(content) // 2])
            raise
        return int(self._file.write(content))


class Steps:
    """In place of a session: opens the run, takes steps that cost nothing, and saves after each."""

    def __init__(self, recipe: Recipe, run: RunFolder, recorder: Recorder, training_data: Any, *others: object) -> None:
        torch.manual_seed(recipe.seed)
        self.recorder, self.steps = recorder, recipe.training.steps or 0
        self.model = build(recipe.model, training_data.tokenizer.vocab_size, training_data.window)
        first = {name: parameter.detach().clone() for name, parameter in self.model.named_parameters()}
        optimizers = build_optimizers(self.model, recipe.training)
        self.notes: list[str] = []
        self.state = State(
            run, recorder, self.model, NextToken(), optimizers, lambda: first, recipe.training, self.notes.append
        )
        settings = recipe.model.model_dump(mode="json")
        size, context = training_data.tokenizer.vocab_size, training_data.window
        recorder.model({"settings": settings, "vocab_size": size, "context": context})

    def events(self) -> Iterator[Event]:
        assert self.notes == []
        while self.state.progress.step < self.steps:
            step = self.state.progress.step = self.state.progress.step + 1
            with torch.no_grad():
                for parameter in self.model.parameters():
                    parameter.fill_(step)
            self.recorder.metrics([{"step": step, "loss": 1 / step}])
            self.state.keep_best()
            self.state.progress.best_step = step
            self.state.save()
        yield Note("done")


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, measure, known = train_tokenizer("char", TEXT.text), prepare.held_out_facts, []

    def measured_once(*arguments: Any, **options: Any) -> dict[str, Any]:
        if not known:
            known.append(measure(*arguments, **options))
        return dict(known[0])

    monkeypatch.setattr(prepare, "_train_tokenizer", lambda recipe, texts: tokenizer)
    monkeypatch.setattr(prepare, "held_out_facts", measured_once)
    monkeypatch.setattr(recorder, "describe_environment", dict)
    monkeypatch.setattr(train, "Session", Steps)


def tiny(steps: int, **settings: Any) -> Recipe:
    return recipe(**{"training.steps": steps, "data.window": 4, "model.width": 4, "model.heads": 1} | settings)


def go(folder: Path, recipe: Recipe, **options: Any) -> None:
    for _ in train.train(recipe, TEXT, None, folder, **options):
        pass


def what_it_writes_with(folder: Path) -> float:
    """Open a run for use; these steps make all weights the number of the step."""
    return next(load(folder, pytest.fail).model.parameters()).detach().flatten()[0].item()


CASES = {
    # steps done before; the command that is broken off; the weights that may be used afterwards; which of the
    # operations are the last ones of a killed process: where there are many, errors and deaths take turns
    "first start": (0, tiny(1), False, (), {0}),
    "continuation, errors": (2, tiny(3), False, (2, 3), set()),
    "continuation, deaths": (2, tiny(3), False, (2, 3), {0, 1}),
    "fresh start": (2, tiny(1, seed=5), True, (2,), {0}),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_whichever_operation_fails_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[int, Recipe, bool, tuple[int, ...], set[int]]
) -> None:
    before, wanted, fresh, usable, killed = case
    begun, whole = tmp_path / "begun", tmp_path / "whole"
    if before:
        go(begun, tiny(before))
        shutil.copytree(begun, whole)
    go(whole, wanted, fresh=fresh)
    expected, fails, finished = tree(whole), 0, False
    while not finished:
        fails += 1
        folder = tmp_path / str(fails)
        if before:
            shutil.copytree(begun, folder)
        with monkeypatch.context() as patched:
            disk = Disk(patched, fails, fails % 2 in killed)
            stopped = True
            with suppress(OSError, LilliputError, Killed):
                go(folder, wanted, fresh=fresh)
                stopped = False  # some operations may fail: what is left behind is removed at the next start
            finished = disk.done < fails
        run = RunFolder(folder)
        release(run, claim(run))
        # The earlier run is there and can be used, or the fresh start has taken its place.
        began = fresh and run.read_recipe() == wanted
        finished = finished or (began and stopped)  # what follows is as in a first start
        if before and not began:
            assert what_it_writes_with(folder) in usable, fails
        go(folder, wanted, fresh=fresh and not began)
        assert tree(folder) == expected, fails
    assert fails > 30
