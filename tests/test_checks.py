"""`make`, pre-commit and continuous integration run the same checks, and the guide for contributors fits the code."""

import re
import textwrap
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


def test_the_guide_for_contributors_names_what_is_there() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:\w+/)[\w./-]*\w)`", guide)
    assert len(paths) > 20
    for path in paths:
        assert (ROOT / path).exists() or "alice" in path, path


def test_the_changes_that_the_guide_shows_can_be_made() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    changes = re.findall(r"^   ```diff (\S+)\n(.*?)^   ```$", guide, re.MULTILINE | re.DOTALL)
    assert len(changes) >= 7
    for path, change in changes:
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
        for line in textwrap.dedent(change).splitlines():
            assert not line or line[0] == "+" or line[1:] in lines, f"{path} has no line {line[1:]!r}"
