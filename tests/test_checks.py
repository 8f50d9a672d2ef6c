"""`make`, pre-commit and continuous integration run the same checks."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def commands(file: str, pattern: str) -> list[str]:
    return re.findall(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_the_checks_are_the_same_everywhere() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe
    checks = re.findall(r"^\t\$\(BIN\)/(.*)$", recipe[1], re.MULTILINE)
    assert {check.split()[0] for check in checks} == {"ruff", "mypy", "codespell"}
    assert commands(".pre-commit-config.yaml", r"^ +entry: (.*)$") == checks
    runs = commands(".github/workflows/ci.yml", r"^ +- run: (.*)$")
    assert [run for run in runs if not run.startswith("python")] == checks


def test_the_tests_of_ci_are_those_of_make() -> None:
    (tests,) = commands("Makefile", r"^\t\$\(BIN\)/(python -m pytest [^\"\n]*)$")
    assert tests in commands(".github/workflows/ci.yml", r"^ +- run: (.*)$")
    versions = commands(".github/workflows/ci.yml", r'"(3\.\d+)"')
    classified = commands("pyproject.toml", r'"Programming Language :: Python :: (3\.\d+)"')
    assert set(versions) == set(classified)
