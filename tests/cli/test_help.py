"""Help answers at once, for every verb, and says what there is."""

import subprocess
import sys
from pathlib import Path

import pytest

from lilliput.cli.application import VERBS
from tests.cli.conftest import Lilliput, assert_refused, process, tree

OPTIONS = {
    "train": ("--out", "--minutes", "--set", "--corpus", "--validation", "--seed", "--fresh", "--live", "--json"),
    "plan": ("--minutes", "--set", "--corpus", "--save", "--json"),
    "sample": (
        *(
            "--prompt",
            "--suffix",
            "--count",
            "--max-tokens",
            "--max-characters",
            "--until",
            "--stop",
            "--temperature",
            "--top-k",
        ),
        *("--top-p", "--min-p", "--repetition-penalty", "--ban", "--match", "--acrostic", "--beams"),
        *("--label", "--quant", "--novelty", "--interactive", "--set", "--seed", "--json"),
    ),
    "serve": ("--host", "--port", "--token", "--allow-origin", "--runs", "--rows", "--queue"),
    "eval": ("--text", "--json"),
    "judge": ("--text", "--lines", "--temperature", "--language", "--seed", "--out", "--json"),
    "score": ("--html", "--label", "--json"),
    "verse": ("--language", "--lines", "--json"),
    "doctor": ("--json",),
    "compare": ("--out", "--json"),
    "sweep": ("--try", "--minutes", "--seeds", "--out", "--set", "--corpus", "--validation", "--json"),
    "plot": ("--out",),
    "recipes": ("--json", "show"),
    "corpora": ("--json", "get"),
    "demo": ("--minutes", "--out"),
}
# Everything that the help of a verb loads, in a process of its own, and no machine learning among it.
HELP = """
import sys
from lilliput.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    heavy = {"torch", "numpy", "tokenizers", "matplotlib", "safetensors", "tiktoken"} & set(sys.modules)
    sys.exit(f"loaded {sorted(heavy)}" if heavy or end.code else 0)
"""


def test_every_verb_is_tested() -> None:
    assert set(VERBS) == OPTIONS.keys()


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_names_its_options(lilliput: Lilliput, verb: str) -> None:
    outcome = lilliput(verb, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Usage: lilliput {verb} ")
    for option in (*OPTIONS[verb], "--help"):
        assert option in outcome.out


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_the_help_names_every_verb(lilliput: Lilliput, arguments: tuple[str, ...]) -> None:
    outcome = lilliput(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    for verb in VERBS:
        assert f"  {verb} " in outcome.out


def test_first_sentences_fit_the_list_of_verbs(lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = lilliput("--help").out.splitlines()
    listed = [line for line in lines[lines.index("Commands:") + 1 :] if line.strip()]
    assert {line.split()[0] for line in listed} == set(VERBS)
    assert [line for line in listed if line.endswith("...") or len(line) > 80] == []


@pytest.mark.parametrize("arguments", [(), *((verb,) for verb in VERBS), ("corpora", "get"), ("recipes", "show")])
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    outcome = subprocess.run([sys.executable, "-c", HELP, *arguments, "--help"], capture_output=True, text=True)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "Usage: lilliput" in outcome.stdout


def test_help_leaves_the_disk_alone(lilliput: Lilliput, place: Path) -> None:
    before = tree(place)
    for verb in VERBS:
        lilliput(verb, "--help")
    assert tree(place) == before


def test_the_version(lilliput: Lilliput) -> None:
    outcome = lilliput("--version")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("lilliput 0.")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("tarin", "x.txt"), "tarin"),
        (("--nonsense",), "--nonsense"),
        (("train",), "Missing argument"),
        (("train", "story.txt", "--minuts", "1"), "--minuts"),
        (("train", "story.txt", "--minutes", "soon"), "--minutes"),
        (("sample",), "Missing argument"),
        (("eval", "a", "b"), "b"),
        (("recipes", "shwo"), "shwo"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_names_the_help(
    lilliput: Lilliput, arguments: tuple[str, ...], word: str
) -> None:
    assert_refused(lilliput(*arguments), word, "--help")


@pytest.mark.slow
def test_the_program_itself() -> None:
    outcome = process("recipes", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert "Traceback" in process("train", "none.txt", "--debug").err


def test_python_runs_the_package() -> None:
    command = [sys.executable, "-m", "lilliput", "--version"]
    outcome = subprocess.run(command, capture_output=True, text=True)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith("lilliput 0.")
