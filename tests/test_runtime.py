"""What is chosen for a machine, and why."""

import ctypes
import json
import platform
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lilliput import runtime
from lilliput.errors import RecipeError
from lilliput.runtime import Runtime, bfloat16_cost, choose_device, choose_runtime, describe_environment, kept_memory


def pretend(monkeypatch: pytest.MonkeyPatch, *, cuda: bool = False, bfloat16: bool = True, mps: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    # What a GPU lacks is emulated.
    supported = {True: True, False: bfloat16}
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: supported[including_emulation]
    )
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("machine", "device"),
    [({}, "cpu"), ({"mps": True}, "mps"), ({"cuda": True}, "cuda"), ({"cuda": True, "mps": True}, "cuda")],
)
def test_the_fastest_device_is_taken(monkeypatch: pytest.MonkeyPatch, machine: dict[str, bool], device: str) -> None:
    pretend(monkeypatch, **machine)
    assert choose_device().type == device


@pytest.mark.parametrize(
    ("machine", "precision", "scaled"),
    [
        ({}, "float32", False),
        ({"mps": True}, "float32", False),
        ({"cuda": True}, "bfloat16", False),
        ({"cuda": True, "bfloat16": False}, "float16", True),
    ],
)
def test_the_format_follows_from_the_device_and_has_its_reason(
    monkeypatch: pytest.MonkeyPatch, machine: dict[str, bool], precision: str, scaled: bool
) -> None:
    pretend(monkeypatch, **machine)
    chosen = choose_runtime()
    assert chosen.precision == precision
    assert chosen.needs_scaler is scaled
    assert len(chosen.reason) > 20


@pytest.mark.parametrize(
    ("name", "capability", "precision"),
    [
        ("V100", (7, 0), "float16"),
        ("T4", (7, 5), "float16"),
        ("A100", (8, 0), "bfloat16"),
        ("H100", (9, 0), "bfloat16"),
    ],
)
def test_a_gpu_that_only_emulates_bfloat16_gets_float16(
    monkeypatch: pytest.MonkeyPatch, name: str, capability: tuple[int, int], precision: str
) -> None:
    properties = SimpleNamespace(name=name, major=capability[0], minor=capability[1])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
    assert choose_runtime().precision == precision


@pytest.mark.parametrize(("units", "times", "told"), [(False, 46.2, True), (False, 1.1, False), (True, 46.2, False)])
def test_what_emulated_bfloat16_costs_is_told(
    monkeypatch: pytest.MonkeyPatch, units: bool, times: float, told: bool
) -> None:
    pretend(monkeypatch)
    monkeypatch.setattr(runtime, "multiplies_bfloat16", lambda device: units)
    monkeypatch.setattr(runtime, "bfloat16_cost", lambda device: times)
    reason = choose_runtime("bfloat16").reason
    assert ("about 46 times slower than float32 here" in reason) is told
    assert "slower" not in choose_runtime("float32").reason
    assert "\n" not in reason


def test_the_cost_of_bfloat16_is_that_of_a_product_in_both_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each product is begun at one tick and done at the next, of which those of bfloat16 are longer.
    ticks = iter([0, 1, 5, 6, 7, 9, 10, 17, 20, 26, 30, 39])
    monkeypatch.setattr(runtime.time, "perf_counter", lambda: float(next(ticks)))
    assert bfloat16_cost.__wrapped__(torch.device("cpu")) == 6.0


@pytest.mark.parametrize(
    ("machine", "units", "parameters", "positions", "precision"),
    [
        ({}, True, runtime.BFLOAT16_PAYS // 1024, 1024, "bfloat16"),
        ({}, False, runtime.BFLOAT16_PAYS // 1024, 1024, "float32"),
        ({}, True, runtime.BFLOAT16_PAYS // 1024 - 1, 1024, "float32"),
        ({}, True, runtime.BFLOAT16_PAYS // 1024, 1023, "float32"),
        ({"mps": True}, True, runtime.BFLOAT16_PAYS // 1024, 1024, "float32"),
    ],
)
def test_a_processor_with_units_for_it_takes_bfloat16_for_large_models(
    monkeypatch: pytest.MonkeyPatch,
    machine: dict[str, bool],
    units: bool,
    parameters: int,
    positions: int,
    precision: str,
) -> None:
    pretend(monkeypatch, **machine)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: units)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert choose_runtime("auto", parameters, positions).precision == precision


@pytest.mark.parametrize(
    ("machine", "compiler", "possible"),
    [({}, "g++", True), ({}, None, False), ({"mps": True}, "g++", False), ({"cuda": True}, None, True)],
)
def test_what_is_needed_to_compile(
    monkeypatch: pytest.MonkeyPatch, machine: dict[str, bool], compiler: str | None, possible: bool
) -> None:
    pretend(monkeypatch, **machine)
    monkeypatch.setattr(runtime.shutil, "which", lambda name: compiler if name == compiler else None)
    monkeypatch.delenv("CXX", raising=False)
    assert runtime.can_compile() is possible


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_format_asked_for_is_taken(monkeypatch: pytest.MonkeyPatch, precision: Any) -> None:
    pretend(monkeypatch)
    assert choose_runtime(precision).precision == precision


@pytest.mark.parametrize(("machine", "device"), [({}, "cpu"), ({"mps": True}, "mps")])
def test_float16_needs_a_gpu(monkeypatch: pytest.MonkeyPatch, machine: dict[str, bool], device: str) -> None:
    pretend(monkeypatch, **machine)
    with pytest.raises(RecipeError, match=f"needs a CUDA GPU; on {device} use") as caught:
        choose_runtime("float16")
    assert "training.precision" in str(caught.value)
    pretend(monkeypatch, cuda=True)
    assert choose_runtime("float16").needs_scaler


def test_autocast_computes_in_the_format_and_leaves_the_weights() -> None:
    layer = torch.nn.Linear(2, 2)
    inputs = torch.ones(1, 2)
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with Runtime(torch.device("cpu"), precision, "a test").autocast():  # type: ignore[arg-type]
            assert layer(inputs).dtype == dtype
        assert layer.weight.dtype == torch.float32
        assert layer(inputs).dtype == torch.float32


def test_the_environment_is_plain_and_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    environment: dict[str, Any] = json.loads(json.dumps(describe_environment()))
    assert environment.keys() == {"python", "system", "processor", "cores", "threads", "gpu", "packages"}
    assert environment["packages"]["torch"] == torch.__version__
    assert environment["threads"] == torch.get_num_threads()
    assert environment["processor"]
    monkeypatch.setattr(runtime, "version", missing)
    assert set(describe_environment()["packages"].values()) == {"not installed as a package"}  # type: ignore[attr-defined]


def missing(name: str) -> str:
    raise runtime.PackageNotFoundError(name)


PAGES_FOR_TENSORS = """
import resource
import torch
from lilliput.runtime import kept_memory

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(1 << 24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
first = pages()
with kept_memory():
    kept = [pages() for _ in range(30)][-1]
print(first, kept, pages())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is nothing to keep elsewhere")
def test_memory_that_was_freed_is_used_again_and_given_back_in_the_end() -> None:
    # In a process of its own, since what other tests hold decides where there is room; and after some rounds, since a
    # freed piece with a sliver beside it is first passed over.
    done = subprocess.run([sys.executable, "-c", PAGES_FOR_TENSORS], capture_output=True, text=True, check=True)
    first, kept, last = map(int, done.stdout.split())
    assert kept < first / 10
    assert last > first / 2


def test_elsewhere_memory_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("no C library is touched"))
    with kept_memory():
        assert float(torch.ones(3).sum()) == 3
