"""The commands in the docstrings of benchmarks name options, files, corpora and recipes that exist."""

import ast
import re
from pathlib import Path

import pytest

from lilliput.corpus.named.catalogue import CATALOGUE
from lilliput.recipe import recipe_names

BENCHMARKS = [
    path
    for path in sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]
FILES = {file for entry in CATALOGUE.values() for file in entry.training.files}


def missing(script: str, usage: str, arguments: set[str]) -> set[str]:
    """The words in a script's commands that name an option, file, run or recipe which does not exist."""
    words = set()
    for command in re.findall(rf"{re.escape(script)}((?:.*\n? {{8}})*.*)", usage):
        words |= set(re.findall(r"--[a-z][\w-]*", command)) - arguments
        words |= set(re.findall(r"[\w/-]+\.(?:txt|jsonl|csv)[\w.]*", command)) - FILES
        words |= set(re.findall(r"runs/\S+", command)) - set(re.findall(r"--out (\S+)", usage))
        named = [re.match(r" ([a-z][\w-]*)", command)] if arguments & {"recipe", "recipes"} else []
        named.append(re.search(r"--recipes ([a-z][\w -]*)", command))
        words |= {word for match in named if match for word in match[1].split()} - set(recipe_names())
    return words | set(re.findall(r"lilliput train (\S+)", usage)) - CATALOGUE.keys() - set(recipe_names())


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_commands_of_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    usage = ast.get_docstring(tree) or ""
    script = f"python benchmarks/{path.name}"
    assert script in usage
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    added = [node.args[0] for node in calls if node.func.attr == "add_argument"]  # type: ignore[attr-defined]
    assert not missing(script, usage, {str(argument.value) for argument in added if isinstance(argument, ast.Constant)})


@pytest.mark.parametrize(
    ("usage", "word"),
    [
        ("python benchmarks/a.py --fast", "--fast"),
        ("python benchmarks/a.py nothing", "nothing"),
        ("python benchmarks/a.py wikitext-103 --recipes addition nothing", "nothing"),
        ("python benchmarks/a.py TEXT [--text nothing.txt.gz]", "nothing.txt.gz"),
        ("lilliput train shakespeare --out runs/a\npython benchmarks/a.py runs/b", "runs/b"),
        ("lilliput train nothing --out runs/a\npython benchmarks/a.py runs/a", "nothing"),
    ],
)
def test_what_is_missing_is_found(usage: str, word: str) -> None:
    assert word in missing("python benchmarks/a.py", usage, {"recipe", "--recipes", "--text"})
