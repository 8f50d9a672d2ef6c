"""Imports run only downward, and what must be light stays light."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "lilliput"
# From the ground up; parts in one group do not import one another.
LAYERS = [
    {"beside", "errors", "files", "interrupts", "segments", "settings", "waiting"},
    {"rows"},
    {"runtime"},
    {"corpus", "tokenizers", "models"},
    {"data", "generation"},
    {"objectives", "optimization"},
    {"recipe"},
    {"runs"},
    {"writer"},
    {"evaluation"},
    {"training"},
    {"items"},
    {"report"},
    {"api"},
    {"sweep"},
    {"cli"},
    {"__main__"},
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}


def imports_of(path: Path) -> set[str]:
    """The parts that a file imports, at its top or inside functions."""
    parts = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        parts |= {name.split(".")[1] for name in names if name.startswith("lilliput.")}
    return parts


FILES = [path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_downward(path: Path) -> None:
    part = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    for imported in imports_of(path) - {part}:
        if imported in LEVEL:
            assert LEVEL[imported] < LEVEL[part], f"{part} imports {imported}"


def test_every_part_has_its_level() -> None:
    parts = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in FILES}
    assert parts == LEVEL.keys()


@pytest.mark.parametrize("path", [*FILES, SOURCE / "__init__.py"], ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno + 1 <= 60, node.name


@pytest.mark.parametrize(
    "module", ["lilliput", "lilliput.cli", "lilliput.corpus", "lilliput.tokenizers", "lilliput.recipe"]
)
def test_light_modules_leave_pytorch_alone(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_public_names() -> None:
    import lilliput

    assert lilliput.__all__ == [
        "LilliputError",
        "Recipe",
        "Writer",
        "corpus",
        "errors",
        "load",
        "named_recipe",
        "read_recipe",
        "tokenizers",
        "train",
    ]
    for name in lilliput.__all__:
        assert getattr(lilliput, name) is not None
    assert set(lilliput.__all__) <= set(dir(lilliput))


def test_the_threads_are_told_how_to_wait_before_torch_is_loaded() -> None:
    code = "import os, lilliput; print(os.environ['GOMP_SPINCOUNT'])"
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    for given, expected in (({}, "1000"), ({"GOMP_SPINCOUNT": "5"}, "5")):
        result = subprocess.run([sys.executable, "-c", code], env=environment | given, capture_output=True, text=True)
        assert result.stdout.strip() == expected
