"""Standard streams that are closed, full, or read by nobody, and Ctrl-C before anything has begun."""

import sys
from pathlib import Path

import pytest

from lilliput.cli import application
from tests.cli.conftest import PROGRAM, Lilliput, assert_refused, shell


@pytest.mark.parametrize(
    ("command", "code", "err"),
    [
        ("--version >&-", 0, ""),
        ("--version <&- >&- 2>&-", 0, ""),
        ("--none 2>&-", 2, ""),
        ("--none 2>/dev/full", 2, ""),
        ("--version >/dev/full", 2, "error: cannot write the output: No space left on device\n"),
    ],
)
def test_streams_that_are_closed_or_full(command: str, code: int, err: str) -> None:
    outcome = shell(f"{PROGRAM} {command}")
    assert (outcome.code, outcome.out, outcome.err) == (code, "", err)


def test_files_do_not_take_the_place_of_closed_streams() -> None:
    code = (
        "from lilliput.cli import _open_closed_streams as o; o(); print(open('x', 'w').fileno(), file=open('y', 'w'))"
    )
    assert shell(f'{sys.executable} -c "{code}" <&- >&- 2>&-').code == 0
    assert int(Path("y").read_text()) > 2


@pytest.mark.parametrize("arguments", [("train", "-"), ("plan", "-")])
def test_a_text_from_standard_input_that_is_closed(
    lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert_refused(lilliput(*arguments), "standard input")


def test_a_prompt_from_standard_input_that_is_closed(
    lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch, finished: Path
) -> None:
    for more in (("--prompt", "-", "--max-tokens", "3"), ("--interactive",)):
        monkeypatch.setattr(sys, "stdin", None)
        assert lilliput("sample", str(finished), *more).code == 0


def test_an_interrupt_before_anything_has_begun(lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(application, "run", interrupted)
    outcome = lilliput("recipes")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")


def test_an_error_of_the_system_that_nobody_expected_is_one_line(
    lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied", "/some/file")

    monkeypatch.setattr("lilliput.recipe.recipe_names", fail)
    assert_refused(lilliput("recipes"), "/some/file: Permission denied")
