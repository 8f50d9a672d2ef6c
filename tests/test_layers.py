"""Imports run only downward, and what must be light stays light."""

import ast
import os
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "lilliput"
# From the ground up; parts in one group do not import one another.
LAYERS = [
    {"beside", "errors", "files", "interrupts", "lazy", "segments", "settings", "waiting", "wording"},
    {"cache", "rows"},
    {"runtime"},
    {"corpus", "tokenizers", "models", "verse"},
    {"data", "generation"},
    {"objectives", "optimization"},
    {"recipe"},
    {"runs"},
    {"writer"},
    {"evaluation"},
    {"training"},
    {"planning"},
    {"item_writer"},
    {"report"},
    {"api"},
    {"sweep"},
    {"serve"},
    {"cli"},
    {"__main__"},
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
FILES = [path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py"]


def names_imported(path: Path) -> set[str]:
    """The names of this package that a file imports: at its top, inside functions and for type checking only."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import: write the full name of the module"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if f"{name}.".startswith("lilliput.")}


def imports_of(path: Path) -> set[str]:
    """The parts that a file imports."""
    return {name.split(".")[1] for name in names_imported(path) if "." in name}


def modules_in(source: Path) -> dict[str, Path]:
    """The modules of the package in a folder, each with its file."""
    modules = {}
    for path in source.rglob("*.py"):
        module = ".".join(("lilliput", *path.relative_to(source).with_suffix("").parts))
        modules[module.removesuffix(".__init__")] = path
    return modules


def import_graph(source: Path) -> dict[str, set[str]]:
    """Each module with those that it imports.

    Left out is that Python loads a package before each of its modules: that would make every package a circle.
    """
    modules = modules_in(source)
    graph = {}
    for module, path in modules.items():
        graph[module] = {name if name in modules else name.rpartition(".")[0] for name in names_imported(path)}
    return graph


def first_circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of a circle, each of which imports the next, from one to itself; none if there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_downward(path: Path) -> None:
    part = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    for imported in imports_of(path) - {part}:
        if imported in LEVEL:
            assert LEVEL[imported] < LEVEL[part], f"{part} imports {imported}"


def test_no_module_imports_itself_through_others() -> None:
    circle = first_circle(import_graph(SOURCE))
    assert not circle, " imports ".join(circle)


@pytest.mark.parametrize(
    "importing",
    [
        "import lilliput.part.second",
        "from lilliput.part.second import name",
        "from lilliput.part import second",
        "from lilliput.part import name",
        "if TYPE_CHECKING:\n    from lilliput.part.second import name",
        "def function():\n    from lilliput.part.second import name",
    ],
)
def test_a_circle_is_found_however_a_module_is_imported(tmp_path: Path, importing: str) -> None:
    part = tmp_path / "part"
    part.mkdir()
    (part / "__init__.py").write_text("from lilliput.part.second import name")
    (part / "second.py").write_text("from lilliput.part.first import name")
    (part / "first.py").write_text("import pathlib")
    assert not first_circle(import_graph(tmp_path))
    (part / "first.py").write_text(importing)
    assert {"lilliput.part.first", "lilliput.part.second"} <= set(first_circle(import_graph(tmp_path)))


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
    "module",
    [
        "lilliput",
        "lilliput.cli",
        "lilliput.corpus",
        "lilliput.tokenizers",
        "lilliput.recipe",
        "lilliput.verse.languages",
    ],
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


def test_no_two_classes_have_one_name() -> None:
    homes: dict[str, Path] = {}
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                assert node.name not in homes, f"{node.name} is in {homes.get(node.name)} and in {path}"
                homes[node.name] = path
