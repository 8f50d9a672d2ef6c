"""The commands in the docstrings of benchmarks name options, corpora and recipes that exist."""

import ast
import re
from pathlib import Path

import pytest

from lilliput.corpus.named.catalogue import CATALOGUE
from lilliput.recipe import recipe_names

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_commands_of_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    usage = ast.get_docstring(tree) or ""
    script = f"python benchmarks/{path.name}"
    assert script in usage
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    added = [node.args[0] for node in calls if node.func.attr == "add_argument"]  # type: ignore[attr-defined]
    options = {argument.value for argument in added if isinstance(argument, ast.Constant)}
    for command in re.findall(rf"{re.escape(script)}((?:.*\n? {{8}})*.*)", usage):
        assert set(re.findall(r"--[a-z][\w-]*", command)) <= options
    for target in re.findall(r"lilliput train (\S+)", usage):
        assert target in CATALOGUE or target in recipe_names()
