"""Recipes that cannot fit into memory are refused before anything is allocated or written."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lilliput.errors import RecipeError, RunError
from lilliput.models import build, count_parameters
from lilliput.planning.forecast import forecast
from lilliput.training.sizes import memory_errors
from lilliput.training.train import train
from tests.training.building import corpus, recipe

LSTM = {"kind": "lstm", "width": 16}


@pytest.mark.parametrize(
    "settings",
    [
        {"model.feed_forward": 2**31, "model.width": 1024},
        {"model": LSTM | {"embedding": 10**9}},
        {"model": LSTM | {"layers": 2**31}},
        {"training.accumulation": 10**12},
        {"training.batch": 2**100},
        {"model.ensemble": 2**32},
        {"model.layers": 2**40},
        {"model.width": 10**400, "model.head_width": 2},
        {"model.ngrams": 3, "model.ngram_rows": 2**62},
    ],
)
def test_sizes_that_cannot_fit_are_refused_first(tmp_path: Path, settings: dict[str, Any]) -> None:
    absurd = recipe(**settings)
    for begin in (lambda: next(train(absurd, corpus(), None, tmp_path / "run")), lambda: forecast(absurd, corpus())):
        with pytest.raises(RecipeError, match=r"needs .* GB of memory or more .* this machine has .* GB") as caught:
            begin()
        assert len(str(caught.value)) < 400
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"model.shape": "gpt2", "model.layers": 3},
        {"model.shape": "llama", "model.heads": 4, "model.key_value_heads": 2},
        {"model.ngrams": 4, "model.ngram_rows": 100, "model.ensemble": 3},
        {"model": LSTM | {"layers": 2, "embedding": 8}},
        {"model": LSTM | {"kind": "gru", "tied": True}},
    ],
)
def test_the_estimated_number_of_weights_is_a_lower_bound(settings: dict[str, Any]) -> None:
    small = recipe(**settings).model
    counted = count_parameters(build(small, 50, 16))
    assert 0.85 * counted <= small.ensemble * small.weights(50, 16) <= counted


def test_a_failed_allocation_is_one_line() -> None:
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")):
        with pytest.raises(RunError, match="out of memory: this model does not fit"), memory_errors():
            raise error
    with pytest.raises(RuntimeError, match="another"), memory_errors():
        raise RuntimeError("another")


# In a process of its own: memory that earlier tests have freed stays with a process, and may be large enough.
ALLOCATING = """
import torch
from lilliput import runtime
from lilliput.errors import RunError
from lilliput.training.sizes import memory_errors
runtime._free_memory = lambda: 200 << 20
torch.cuda.is_available = lambda: False
for processes, fits, too_large in ((1, 100 << 20, 400 << 20), (4, 20 << 20, 150 << 20)):
    with memory_errors(processes):
        torch.empty(fits, dtype=torch.uint8)
    try:
        with memory_errors(processes):
            torch.empty(too_large, dtype=torch.uint8)
    except RunError as error:
        print(error)
    torch.empty(too_large, dtype=torch.uint8)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere an allocation fails by itself")
def test_more_than_the_free_memory_is_not_allocated() -> None:
    outcome = subprocess.run([sys.executable, "-c", ALLOCATING], capture_output=True, text=True, check=True)
    assert outcome.stdout.count("out of memory: this model does not fit") == 2
