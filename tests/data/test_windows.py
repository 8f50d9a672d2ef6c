from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lilliput.data.batch import Batch
from lilliput.data.tokens import read_starts, read_tokens, starts_file, write_segments, write_tokens
from lilliput.data.windows import Windows
from lilliput.errors import CorpusError, RunError
from lilliput.segments import starts_of


def counting(length: int) -> np.ndarray:
    return np.arange(length, dtype=np.uint16)


@given(
    length=st.integers(2, 400),
    window=st.integers(1, 60),
    rows=st.integers(1, 9),
    seed=st.integers(0, 99),
    step=st.integers(0, 200),
)
def test_targets_follow_inputs_and_a_batch_is_a_function_of_seed_and_step(
    length: int, window: int, rows: int, seed: int, step: int
) -> None:
    if length < window + 1:
        with pytest.raises(CorpusError, match="but a window needs"):
            Windows(counting(length), window, rows, seed)
        return
    batch = Windows(counting(length), window, rows, seed).batch(step)
    assert batch.inputs_BT.shape == batch.targets_BT.shape == batch.weights_BT.shape == (rows, window)
    assert torch.equal(batch.targets_BT, batch.inputs_BT + 1)
    windows = Windows(counting(length), window, rows, seed)
    windows.batch(step + 7)  # what was asked before does not matter
    assert torch.equal(windows.batch(step).inputs_BT, batch.inputs_BT)


def test_an_epoch_sees_every_window_once() -> None:
    windows = Windows(counting(1001), 10, 4, seed=3)
    starts = [int(row[0]) for step in range(windows.per_epoch // 4) for row in windows.batch(step).inputs_BT]
    assert len(set(starts)) == len(starts)
    assert len({start % 10 for start in starts}) == 1


def test_epochs_cut_at_different_places_in_different_orders() -> None:
    windows = Windows(counting(1001), 10, windows_per_step := 99, seed=3)
    assert windows.per_epoch == windows_per_step
    first, second = windows.batch(0).inputs_BT[:, 0], windows.batch(1).inputs_BT[:, 0]
    assert first[0] % 10 != second[0] % 10 or not torch.equal(first, second)
    assert not torch.equal(first, second)


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(11, 40), min_size=2, max_size=5), window=st.integers(1, 10), seed=st.integers(0, 99)
)
def test_no_window_reaches_from_one_segment_into_another(lengths: list[int], window: int, seed: int) -> None:
    numbers = torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths))
    batch = Windows(counting(sum(lengths)), window, 50, seed, starts_of(lengths)).batch(0)
    assert torch.equal(batch.targets_BT, batch.inputs_BT + 1)
    inside_BT = numbers[batch.inputs_BT[:, :1]]
    assert (numbers[batch.inputs_BT] == inside_BT).all()
    assert (numbers[batch.targets_BT] == inside_BT).all()


def test_what_lies_at_a_border_is_seen_about_as_often_as_the_rest() -> None:
    # As many rows as two hundred epochs have.
    targets_BT = Windows(counting(1001), 10, 200 * 99, 1, [0, 300, 457]).batch(0).targets_BT
    seen = np.bincount(targets_BT.flatten(), minlength=1001)
    assert (seen[[0, 300, 457]] == 0).all()  # nothing is before them
    inner = np.delete(seen[11:990], np.array([300, 457]) - 11)
    assert inner.min() > 80 and inner.max() < 320


def test_windows_that_lie_in_a_segment_stay_where_they_are() -> None:
    whole, parted = (Windows(counting(1001), 10, 20, 1, starts).batch(0).inputs_BT for starts in ([0], [0, 400]))
    same = (whole == parted).all(1)
    assert torch.equal(same, (whole[:, -1] < 399) | (whole[:, 0] >= 400))


def test_a_segment_that_is_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(CorpusError, match=r"has only 10 consecutive tokens, but a window needs 11.* data\.window=9"):
        Windows(counting(500), 10, 4, 1, [0, 490])


def test_seeds_differ() -> None:
    one, other = (Windows(counting(1001), 10, 8, seed).batch(0).inputs_BT for seed in (1, 2))
    assert not torch.equal(one, other)


def test_micro_batches_are_the_rows_in_order() -> None:
    batch = Windows(counting(500), 7, 12, seed=1).batch(0)
    parts = batch.split(4)
    assert [len(part.inputs_BT) for part in parts] == [3, 3, 3, 3]
    assert torch.equal(torch.cat([part.inputs_BT for part in parts]), batch.inputs_BT)
    assert torch.equal(torch.cat([part.weights_BT for part in parts]), batch.weights_BT)
    assert batch.split(1) == [batch]


def test_a_batch_stays_where_it_is_on_the_cpu() -> None:
    batch = Batch(torch.zeros(1, 2, dtype=torch.int64), torch.zeros(1, 2, dtype=torch.int64), torch.ones(1, 2))
    assert batch.to(torch.device("cpu")) is batch


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_token_files_come_back_as_memory_maps(tmp_path: Path, dtype: type) -> None:
    ids = np.array([1, 5, 60_000], dtype)
    write_tokens(tmp_path / "inner" / "tokens.npy", ids)
    back = read_tokens(tmp_path / "inner" / "tokens.npy")
    assert isinstance(back, np.memmap)
    assert back.dtype == dtype
    assert back.tolist() == ids.tolist()
    assert [path.name for path in (tmp_path / "inner").iterdir()] == ["tokens.npy"]


def test_broken_token_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "tokens.npy"
    with pytest.raises(RunError, match="missing or damaged"):
        read_tokens(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(RunError, match="missing or damaged"):
        read_tokens(path)
    np.save(path, np.zeros((2, 2)))
    with pytest.raises(RunError, match="not a token file"):
        read_tokens(path)


def test_segments_come_back_with_where_they_begin(tmp_path: Path) -> None:
    path = tmp_path / "tokens.npy"
    write_segments(path, [counting(5), counting(3), counting(2)])
    assert read_tokens(path).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 0, 1]
    assert list(read_starts(path, 10)) == [0, 5, 8]
    for starts in ([1, 5], [0, 5, 5], [0, 10], []):
        write_tokens(starts_file(path), np.array(starts, np.uint32))
        with pytest.raises(RunError, match=r"tokens\.starts\.npy: does not match its tokens"):
            read_starts(path, 10)
    write_segments(tmp_path / "whole.npy", [counting(5)])
    assert not starts_file(tmp_path / "whole.npy").exists()
