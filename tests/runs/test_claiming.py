"""One process at a time has a run folder, and a folder that is no run is left alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from lilliput.errors import RunError
from lilliput.runs.claiming import claim
from lilliput.runs.folder import RunFolder
from tests.runs.test_folder import tree
from tests.training.building import recipe, run

HOLD = """
import sys
from pathlib import Path
from lilliput.runs.claiming import claim
from lilliput.runs.folder import RunFolder
lock = claim(RunFolder(Path(sys.argv[1])))
print("held", flush=True)
sys.stdin.read()
"""


def test_another_process_cannot_have_the_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "deep" / "run")
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None
    assert other.stdout is not None
    try:
        assert other.stdout.readline() == "held\n"
        before = tree(folder.path)
        with pytest.raises(RunError, match=r"in use by another process; wait for it, or choose another folder"):
            claim(folder)
        assert tree(folder.path) == before
    finally:
        other.kill()
        other.communicate()
    # A killed process holds it no longer.
    claim(folder).release()


def test_a_folder_is_free_again_after_its_release(tmp_path: Path) -> None:
    lock = claim(RunFolder(tmp_path / "run"))
    with pytest.raises(RunError, match="in use"):
        claim(RunFolder(tmp_path / "run"))
    lock.release()
    claim(RunFolder(tmp_path / "run")).release()


def test_what_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(RunError, match="not empty and not a run; choose another folder with --out"):
        claim(RunFolder(tmp_path))
    assert tree(tmp_path) == {"letter.txt": b"dear reader"}


@pytest.mark.parametrize("name", ["recipe.toml", "tokens", "checkpoints", "wandb"])
def test_a_file_with_a_name_like_ours_makes_no_run(tmp_path: Path, name: str) -> None:
    """`lilliput train mine/recipe.toml --out mine` must not delete the recipe that somebody wrote."""
    if "." in name:
        (tmp_path / name).write_text("mine")
    else:
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.txt").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(RunError, match="not a run"):
        run(tmp_path, recipe())
    assert tree(tmp_path) == before


@pytest.mark.parametrize("place", ["file", "file/run"])
def test_a_place_that_cannot_be_a_folder(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="cannot write"):
        claim(RunFolder(tmp_path / place))
    assert tree(tmp_path) == {"file": b"x"}
