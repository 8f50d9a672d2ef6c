"""Checkpoints: what goes in comes out, and what was damaged is noticed."""

import contextlib
import io
import itertools
import json
import pickletools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lilliput.errors import CheckpointError, RunError
from lilliput.runs import manifest as manifests
from lilliput.runs.checkpoint import (
    Checkpoint,
    Progress,
    checkpoint_steps,
    load_checkpoint,
    newest_checkpoint,
    prune_checkpoints,
    save_checkpoint,
)
from lilliput.runs.manifest import write_manifest

FILES = ("weights.safetensors", "optimizer.safetensors", "state.json", "manifest.json")
DTYPES = (
    *(torch.float32, torch.float64, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)


def checkpoint(step: int, value: float = 1.0) -> Checkpoint:
    return Checkpoint(
        Progress(step=step, seconds=0.5, best_loss=value),
        {"weight": torch.full((3, 2), value)},
        {"momentum": torch.full((3, 2), -value), "step": torch.tensor(float(step))},
    )


def save_all(folder: Path, *steps: int) -> None:
    for step in steps:
        save_checkpoint(folder, checkpoint(step))


def bits(tensor: torch.Tensor) -> bytes:
    """The bytes of a tensor: two NaN are equal here and two zeros of different sign are not."""
    return tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Any bit pattern in any type and shape, contiguous or not."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    size = int(np.prod(shape)) if shape else 1
    data = draw(st.binary(min_size=size * dtype.itemsize, max_size=size * dtype.itemsize))
    if dtype == torch.bool:
        data = bytes(byte % 2 for byte in data)
    flat = torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
    tensor = flat.reshape(shape)
    return tensor.transpose(0, -1) if len(shape) > 1 and draw(st.booleans()) else tensor


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6).filter(lambda n: n != "__metadata__")
dictionaries = st.dictionaries(names, tensors(), max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(weights=dictionaries, optimizer=dictionaries, seconds=st.floats(0, 1e9), tokens=st.integers(0, 2**62))
def test_any_state_comes_back_to_the_bit(
    tmp_path: Path,
    weights: dict[str, torch.Tensor],
    optimizer: dict[str, torch.Tensor],
    seconds: float,
    tokens: int,
) -> None:
    progress = Progress(step=3, seconds=seconds, tokens=tokens, best_loss=seconds / 3, scaler={"scale": seconds})
    loaded = load_checkpoint(save_checkpoint(tmp_path, Checkpoint(progress, weights, optimizer)))
    assert loaded.progress == progress
    for given_tensors, tensors in ((weights, loaded.weights), (optimizer, loaded.optimizer)):
        assert given_tensors.keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert tensor.dtype == given_tensors[name].dtype
            assert tensor.shape == given_tensors[name].shape
            assert bits(tensor) == bits(given_tensors[name])


def test_parameters_that_learn_and_views_are_saved_too(tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    saved = Checkpoint(Progress(step=1), {"a": parameter, "b": torch.arange(6.0)[::2]}, {})
    loaded = load_checkpoint(save_checkpoint(tmp_path, saved))
    assert torch.equal(loaded.weights["a"], parameter.detach())
    assert torch.equal(loaded.weights["b"], torch.tensor([0.0, 2.0, 4.0]))


def test_nothing_is_pickled(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint(1))
    assert sorted(file.name for file in path.iterdir()) == sorted(FILES)
    for file in path.iterdir():
        content = file.read_bytes()
        assert not content.startswith(b"PK")  # the archive that torch.save makes
        with pytest.raises(ValueError, match=r".*"):
            list(pickletools.genops(io.BytesIO(content)))


# Damage.


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_is_noticed(tmp_path: Path, name: str) -> None:
    file = save_checkpoint(tmp_path, checkpoint(1)) / name
    whole = file.read_bytes()
    for place in sorted({*range(0, len(whole), 7), 0, 8, len(whole) // 2, len(whole) - 1}):
        for bit in (0, 5, 7):
            broken = bytearray(whole)
            broken[place] ^= 1 << bit
            file.write_bytes(broken)
            with pytest.raises(CheckpointError) as caught:
                load_checkpoint(file.parent)
            assert "\n" not in str(caught.value)
    file.write_bytes(whole)
    load_checkpoint(file.parent)


@pytest.mark.parametrize("name", FILES)
def test_every_missing_or_cut_file_is_noticed(tmp_path: Path, name: str) -> None:
    file = save_checkpoint(tmp_path, checkpoint(1)) / name
    whole = file.read_bytes()
    # The manifest ends with a line feed that carries nothing.
    for length in (0, 1, len(whole) // 2, len(whole) - 2):
        file.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            load_checkpoint(file.parent)
    file.write_bytes(whole + b"x")
    with pytest.raises(CheckpointError):
        load_checkpoint(file.parent)
    file.unlink()
    with pytest.raises(CheckpointError, match=f"{name}: missing"):
        load_checkpoint(file.parent)
    file.mkdir()
    with pytest.raises(CheckpointError):
        load_checkpoint(file.parent)


@pytest.mark.parametrize("manifest", ["[]", "{}", '{"sha256": []}', '{"sha256": 3}', "null", ""])
def test_a_manifest_that_vouches_for_nothing_is_refused(tmp_path: Path, manifest: str) -> None:
    path = save_checkpoint(tmp_path, checkpoint(1))
    (path / "manifest.json").write_text(manifest)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


@pytest.mark.parametrize("change", [{"unheard_of": 1}, {"step": "7"}, {"guard": []}])
def test_a_state_that_this_version_does_not_write_is_told_as_such(tmp_path: Path, change: dict[str, Any]) -> None:
    path = save_checkpoint(tmp_path, checkpoint(7))
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps(state | change))
    (path / "manifest.json").unlink()
    write_manifest(path)
    with pytest.raises(CheckpointError, match=f"its state.json has an unknown or impossible {next(iter(change))}"):
        load_checkpoint(path)


def test_a_checkpoint_of_a_later_version_asks_for_an_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(manifests, "this_version", lambda: "99.3.0")
        path = save_checkpoint(tmp_path, checkpoint(7))
        (path / "state.json").write_text('{"step": 7, "unheard_of": 1}')
        (path / "manifest.json").unlink()
        write_manifest(path)
    with pytest.raises(RunError, match=r"made by Lilliput 99\.3\.0, this is \d.*: upgrade") as caught:
        newest_checkpoint(tmp_path, print)
    assert not isinstance(caught.value, CheckpointError)


def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "step-00000001")


# Crashes.


class Crash(BaseException):
    """The process dies here."""


def crash(*arguments: object, **options: object) -> None:
    raise Crash


@pytest.mark.parametrize("place", ["rename", "replace"])
def test_a_crash_while_saving_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    save_checkpoint(tmp_path, checkpoint(1))
    with monkeypatch.context() as patch:
        patch.setattr(Path, place, crash)
        with pytest.raises(Crash):
            save_checkpoint(tmp_path, checkpoint(2))
    assert checkpoint_steps(tmp_path) == [1]
    notes: list[str] = []
    newest = newest_checkpoint(tmp_path, notes.append)
    assert newest is not None
    assert (newest.progress.step, notes) == (1, [])
    # What the crash left does not stand in the way of the next attempt, nor does it stay.
    save_checkpoint(tmp_path, checkpoint(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001", "step-00000002"]


@pytest.mark.parametrize("call", [1, 2])
def test_a_crash_while_saving_the_same_step_again_keeps_one_of_the_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    save_checkpoint(tmp_path, checkpoint(1, value=1.0))
    original, calls = Path.rename, itertools.count(1)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", lambda *paths: crash() if next(calls) == call else original(*paths))
        with contextlib.suppress(Crash):
            save_checkpoint(tmp_path, checkpoint(1, value=2.0))
    newest = newest_checkpoint(tmp_path, lambda note: None)
    assert newest is not None
    assert newest.progress.best_loss in (1.0, 2.0)
    save_checkpoint(tmp_path, checkpoint(1, value=3.0))
    assert load_checkpoint(tmp_path / "step-00000001").progress.best_loss == 3.0
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_half_a_checkpoint_is_none(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, checkpoint(1))
    shutil.copytree(tmp_path / "step-00000001", tmp_path / ".step-00000002.part")
    (tmp_path / "step-3").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    assert checkpoint_steps(tmp_path) == [1]


# Which are used and which are kept.


def test_the_newest_whole_checkpoint_is_used(tmp_path: Path) -> None:
    notes: list[str] = []
    assert newest_checkpoint(tmp_path / "none", notes.append) is None
    assert newest_checkpoint(tmp_path, notes.append) is None
    save_all(tmp_path, 4, 12, 123456789, 8)
    assert checkpoint_steps(tmp_path) == [123456789, 12, 8, 4]
    newest = newest_checkpoint(tmp_path, notes.append)
    assert newest is not None
    assert (newest.progress.step, notes) == (123456789, [])
    (tmp_path / "step-123456789" / "weights.safetensors").write_bytes(b"x")
    (tmp_path / "step-00000012" / "state.json").unlink()
    newest = newest_checkpoint(tmp_path, notes.append)
    assert newest is not None
    assert newest.progress.step == 8
    assert [note.split(" is broken")[0] for note in notes] == ["checkpoint of step 123456789", "checkpoint of step 12"]


def test_when_all_are_broken_it_is_an_error(tmp_path: Path) -> None:
    save_all(tmp_path, 1, 2)
    for path in tmp_path.glob("*/manifest.json"):
        path.unlink()
    notes: list[str] = []
    with pytest.raises(CheckpointError, match="every checkpoint is broken; start over with --fresh"):
        newest_checkpoint(tmp_path, notes.append)
    assert len(notes) == 2


@pytest.mark.parametrize(
    ("best", "keep_every", "left"),
    [(3, None, [10, 9, 3]), (10, None, [10, 9]), (9, None, [10, 9]), (1, 4, [10, 9, 8, 4, 1]), (0, None, [10, 9])],
)
def test_the_best_the_last_two_and_every_nth_stay(
    tmp_path: Path, best: int, keep_every: int | None, left: list[int]
) -> None:
    save_all(tmp_path, *range(1, 11))
    (tmp_path / "step-mine").mkdir()
    prune_checkpoints(tmp_path, best, lambda step: keep_every is not None and step % keep_every == 0)
    assert checkpoint_steps(tmp_path) == left
    assert (tmp_path / "step-mine").is_dir()
    for step in left:
        load_checkpoint(tmp_path / f"step-{step:08d}")


def test_pruning_few_or_none_deletes_nothing(tmp_path: Path) -> None:
    prune_checkpoints(tmp_path / "none", 0, lambda step: False)
    save_all(tmp_path, 1, 2)
    prune_checkpoints(tmp_path, 0, lambda step: False)
    assert checkpoint_steps(tmp_path) == [2, 1]
