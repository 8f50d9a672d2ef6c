"""Texts as people type them: cut words, line ends of other systems, escapes; and nothing of them rules the terminal."""

import io
import json
import re
import shutil
import sys
import unicodedata
from pathlib import Path

import pytest

from lilliput.api import run_task
from lilliput.planning.resolve import resolve
from lilliput.recipe import parse_setting
from tests.cli.conftest import TINY, Lilliput, assert_refused
from tests.conftest import made_up_text

ESCAPE = "\x1b[2J"


@pytest.fixture(scope="session")
def subword(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose tokens are pieces of words."""
    folder = tmp_path_factory.mktemp("prompts")
    text = folder / "story.txt"
    text.write_text(made_up_text(6000), encoding="utf-8")
    settings = dict(map(parse_setting, TINY[1::2])) | {"tokenizer.kind": "bpe", "training.steps": 20}
    run_task(resolve([str(text)], settings=settings), folder / "run")
    return folder / "run"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output says that it is a terminal."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)


@pytest.mark.parametrize("prompt", ["The ", "The riv", "The ri", "Th", "The", "The river\n", "é", "The 日"])
def test_a_cut_prompt_is_shown_once(
    lilliput: Lilliput, subword: Path, prompt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("sample", str(subword), "--prompt", prompt, "--max-tokens", "12")
    for more in ((), ("--beams", "3"), ("--match", "[a-z. ]+"), ("--temperature", "0")):
        text = lilliput(*arguments, *more).out
        assert text.startswith(prompt)
        assert not text.startswith(f"{prompt} ") or not prompt.endswith(" ")
    rows = [json.loads(line) for line in lilliput(*arguments, "--count", "3", "--json").out.splitlines()]
    assert all(row["text"].startswith(prompt) for row in rows)
    monkeypatch.setattr(sys, "stdin", io.StringIO("1\n\n"))
    assert f"\n{prompt}" in lilliput(*arguments, "--interactive").out


def test_words_are_offered_once(lilliput: Lilliput, subword: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    offered = lilliput("sample", str(subword), "--prompt", "The ", "--interactive").out
    words = re.findall(r"^  \d  (\S+) ", offered, re.MULTILINE)
    assert len(words) > 3


def test_escapes_are_line_ends_and_tabulators(lilliput: Lilliput, finished: Path) -> None:
    arguments = ("sample", str(finished), "--max-tokens", "60", "--temperature", "1.5")
    whole = lilliput(*arguments, "--prompt", "a\nThe").out
    assert lilliput(*arguments, "--prompt", r"a\nThe").out == whole
    assert lilliput(*arguments, "--prompt", r"a\\nThe").out.startswith(r"a\nThe")
    assert lilliput(*arguments, "--prompt", r"a\d\The").out.startswith(r"a\d\The")
    line = whole.removeprefix("a\nThe").split("\n")[0]
    assert lilliput(*arguments, "--prompt", "a\nThe", "--stop", r"\n").out == f"a\nThe{line}\n"
    assert "\n" not in lilliput(*arguments, "--prompt", "The", "--ban", r"\n").out.rstrip("\n")
    assert lilliput(*arguments, "--prompt", "The", "--suffix", r"\nThe").out.endswith("\nThe\n")


def test_texts_to_measure_are_cleaned_as_texts_to_learn_are(lilliput: Lilliput, finished: Path) -> None:
    plain = made_up_text(3000, seed=5)
    Path("plain.txt").write_bytes(plain.encode())
    odd = "\ufeff" + unicodedata.normalize("NFD", plain).replace("\n", "\r\n")
    Path("odd.txt").write_bytes(odd.encode())
    for verb in ("eval", "judge"):
        texts = ("plain.txt", "odd.txt")
        found = [json.loads(lilliput(verb, str(finished), "--text", text, "--json").out) for text in texts]
        assert found[0] | {"text": ""} == found[1] | {"text": ""}


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_no_control_characters(
    lilliput: Lilliput, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(finished, Path("runs") / f"{ESCAPE}run")
    prompt = f"The {ESCAPE}\x07river\r\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    arguments = ("sample", str(run), "--prompt", prompt, "--max-tokens", "3")
    for more in ((), ("--count", "2"), ("--novelty",), ("--beams", "2"), ("--suffix", ESCAPE), ("--interactive",)):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        outcome = lilliput(*arguments, *more)
        assert "The \ufffd[2J\ufffdriver\n" in outcome.out
        assert not re.search(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[[0-9;]*m)", outcome.out + outcome.err)
    for verb, *more in (("eval",), ("judge", "--text", "story.txt"), ("doctor",), ("compare", str(run))):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        outcome = lilliput(verb, str(run), *more)
        assert outcome.code == 0
        assert ESCAPE not in outcome.out + outcome.err


def test_a_program_gets_written_text_as_it_is(lilliput: Lilliput, finished: Path) -> None:
    out = lilliput("sample", str(finished), "--prompt", f"The {ESCAPE}", "--max-tokens", "3").out
    assert out.startswith(f"The {ESCAPE}")


def test_names_in_messages_do_not_rule_the_terminal(lilliput: Lilliput) -> None:
    name = "\x1b[31mx.txt"
    for verb in ("train", "plan", "sample", "eval", "recipes"):
        outcome = lilliput(verb, name)
        assert_refused(outcome, "x.txt")
        assert "\x1b" not in outcome.err
    Path(name).write_text(made_up_text(6000), encoding="utf-8")
    outcome = lilliput("train", name, *TINY)
    assert outcome.code == 0
    assert "\x1b" not in outcome.out + outcome.err
