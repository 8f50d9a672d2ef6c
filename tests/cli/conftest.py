"""The command line in this process and in others, in an empty folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from lilliput.api import run_task
from lilliput.cli import main
from lilliput.planning.resolve import resolve
from lilliput.recipe import parse_setting
from tests.conftest import made_up_text

PROGRAM = Path(sys.executable).with_name("lilliput")
TINY = (
    *("--set", "training.steps=6", "--set", "training.evaluate_every=3", "--set", "training.batch=4"),
    *("--set", "model.layers=1", "--set", "model.width=16", "--set", "model.heads=2"),
    *("--set", "data.window=16", "--set", "sample.max_tokens=8"),
)
"""Settings that make a training take half a second."""


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Lilliput = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with one text in it."""
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / "story.txt").write_text(made_up_text(6000), encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that `lilliput train story.txt` with the tiny settings makes; tests copy it or only read."""
    folder = tmp_path_factory.mktemp("cli")
    text = folder / "story.txt"
    text.write_text(made_up_text(6000), encoding="utf-8")
    run_task(resolve([str(text)], settings=dict(map(parse_setting, TINY[1::2]))), folder / "run")
    return folder / "run"


@pytest.fixture
def lilliput(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Lilliput:
    """Run the command line in this process."""

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["lilliput", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        printed = capsys.readouterr()
        code = caught.value.code
        assert isinstance(code, int)
        return Outcome(code, printed.out, printed.err)

    return run


def start(*arguments: str, **options: str) -> subprocess.Popen[str]:
    """Start the command line in a process of its own; `options` are environment variables."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **options}
    return subprocess.Popen(
        [str(PROGRAM), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
    )


def process(*arguments: str, given: str = "", **options: str) -> Outcome:
    """Run the command line in a process of its own to its end."""
    running = start(*arguments, **options)
    out, err = running.communicate(given, timeout=100)
    return Outcome(running.returncode, out, err)


def shell(command: str) -> Outcome:
    """Run a line of a shell to its end."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=100)
    return Outcome(done.returncode, done.stdout, done.stderr)


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder with its content; None for a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def assert_refused(outcome: Outcome, *words: str) -> None:
    """Exit code 2 and one line that starts with `error:` and says these words; nothing on standard output."""
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert outcome.err.endswith("\n")
    for word in words:
        assert word in outcome.err
