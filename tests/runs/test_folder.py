"""The run folder: whole files, and nothing deleted that is not the run's."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lilliput.errors import CheckpointError, RunError
from lilliput.runs.folder import RunFolder
from lilliput.runs.swapping import OURS, clear
from tests.training.building import recipe, run


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder with its content; None for a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


# Clearing.


def test_clearing_deletes_all_that_training_wrote_and_nothing_else(tmp_path: Path) -> None:
    run(tmp_path / "run", recipe())
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert written <= {*OURS, ".lock"}
    foreign = {"notes.txt": b"mine", "recipe.toml.bak": b"old", "plots/loss.png": b"png", "step-00000001/x": b"x"}
    for name, content in foreign.items():
        path = tmp_path / "run" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    clear(tmp_path / "run")
    left = {name: content for name, content in tree(tmp_path / "run").items() if content is not None}
    assert {name: content for name, content in left.items() if name != ".lock"} == foreign


def test_clearing_an_empty_folder_does_nothing(tmp_path: Path) -> None:
    clear(tmp_path)
    assert tree(tmp_path) == {}


def test_clearing_takes_a_link_away_and_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "mine.txt").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to(tmp_path / "disk")
    (tmp_path / "run" / "metrics.jsonl").symlink_to(tmp_path / "disk" / "mine.txt")
    clear(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
    assert (tmp_path / "disk" / "mine.txt").read_text() == "mine"


# JSON.


def test_json_comes_back(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_json(folder.facts, {"a": [1, 2.5, None], "é": "\u2028"})
    assert folder.read_json(folder.facts) == {"a": [1, 2.5, None], "é": "\u2028"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff", b'{"a": 1} x'])
def test_broken_json_is_one_line_with_its_name(tmp_path: Path, content: bytes) -> None:
    folder = RunFolder(tmp_path)
    folder.facts.write_bytes(content)
    with pytest.raises(RunError, match=r"facts\.json: broken") as caught:
        folder.read_json(folder.facts)
    assert "\n" not in str(caught.value)


def test_facts_without_what_they_must_have_are_broken(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_json(folder.facts, {})
    with pytest.raises(RunError, match=r"facts\.json: broken \(text\.sha256 is missing\)"):
        folder.read_facts()


def test_missing_json_tells_a_run_from_none(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"not a run, facts\.json is missing"):
        RunFolder(tmp_path).read_json(tmp_path / "facts.json")
    with pytest.raises(RunError, match=r"no run at .* Create one: lilliput train"):
        RunFolder(tmp_path / "none").read_json(tmp_path / "none" / "facts.json")


# Lines.

rows = st.lists(
    st.fixed_dictionaries({"step": st.integers(0, 9), "text": st.text(max_size=5)}),
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows, last=st.integers(0, 9), tail=st.sampled_from(["", '{"step"', '{"step": 1, "te', "\x00"]))
def test_lines_come_back_and_are_cut(tmp_path: Path, rows: list[dict[str, Any]], last: int, tail: str) -> None:
    folder = RunFolder(tmp_path)
    folder.samples.unlink(missing_ok=True)
    folder.append_lines(folder.samples, rows[:2])
    folder.append_lines(folder.samples, rows[2:])
    with folder.samples.open("a") as file:
        file.write(tail)
    assert folder.read_lines(folder.samples) == rows
    folder.cut_lines(folder.samples, last)
    kept = [row for row in rows if row["step"] <= last]
    assert folder.read_lines(folder.samples) == kept
    # After the cut there is no broken end, so more can follow.
    folder.append_lines(folder.samples, [{"step": 99}])
    assert folder.read_lines(folder.samples) == [*kept, {"step": 99}]


@pytest.mark.parametrize("text", ["\u2028", "\u2029", "\x85", "\x1c", "\x0b", "\r", "\r\n", "\ud800", "\U0001f600"])
def test_a_sample_with_any_character_is_one_line(tmp_path: Path, text: str) -> None:
    """A model of bytes writes everything; U+2028 ends a line for `str.splitlines` and not for JSON lines."""
    folder = RunFolder(tmp_path)
    rows = [{"step": 1, "text": f"a{text}b"}, {"step": 2, "text": "c"}]
    folder.append_lines(folder.samples, rows)
    assert folder.read_lines(folder.samples) == rows
    assert [json.loads(line) for line in folder.samples.read_text("utf-8").split("\n")[:-1]] == rows


def test_no_lines_where_there_is_no_file(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.read_lines(folder.metrics) == []
    folder.cut_lines(folder.metrics, 3)
    assert not folder.metrics.exists()


# Weights.


def test_weights_come_back_and_damage_is_noticed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(CheckpointError, match="missing"):
        folder.read_weights()
    weights = {"a": torch.randn(3, 2, dtype=torch.bfloat16), "b": torch.arange(4)}
    folder.write_weights(weights)
    loaded = folder.read_weights()
    assert loaded.keys() == weights.keys()
    for name, tensor in weights.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)
    file = tmp_path / "weights.safetensors"
    whole = file.read_bytes()
    for place in (0, len(whole) // 2, len(whole) - 1):
        broken = bytearray(whole)
        broken[place] ^= 1
        file.write_bytes(broken)
        with pytest.raises(CheckpointError, match="damaged"):
            folder.read_weights()
    file.unlink()
    with pytest.raises(CheckpointError, match="missing"):
        folder.read_weights()


def test_a_run_holds_no_pickle(tmp_path: Path) -> None:
    run(tmp_path, recipe())
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"}
    assert suffixes == {".toml", ".json", ".jsonl", ".npy", ".safetensors", ".txt"}
    source = Path(sys.modules["lilliput"].__file__ or "").parent
    for path in source.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for word in ("import pickle", "torch.load", "torch.save", "allow_pickle=True", "joblib", "import marshal"):
            assert word not in text, path
