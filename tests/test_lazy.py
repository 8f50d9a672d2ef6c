"""Names of a package that are imported on first use."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

from lilliput.lazy import lazy_names


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a package with the modules `first` and `second`."""
    name = "lazy_package"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "first.py").write_text("one = 1")
    (tmp_path / name / "second.py").write_text("two = 2")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return name


def test_a_module_is_imported_when_its_name_is_used(package: str) -> None:
    get = lazy_names(package, {"first": ("one",)}, modules=("second",))
    assert f"{package}.first" not in sys.modules
    assert get("one") == 1
    assert f"{package}.first" in sys.modules
    assert f"{package}.second" not in sys.modules
    assert get("second").two == 2


@pytest.mark.parametrize("name", ["first", "two", "__path__"])
def test_other_names_are_missing_as_in_every_module(package: str, name: str) -> None:
    with pytest.raises(AttributeError, match=f"^module '{package}' has no attribute '{name}'$"):
        lazy_names(package, {"first": ("one",)}, modules=("second",))(name)


@pytest.mark.parametrize("package", ["lilliput", "lilliput.corpus", "lilliput.generation", "lilliput.models"])
def test_every_public_name_can_be_imported(package: str) -> None:
    module = import_module(package)
    assert all(hasattr(module, name) for name in module.__all__)
    with pytest.raises(AttributeError, match=f"^module '{package}' has no attribute 'missing'$"):
        module.missing  # noqa: B018
