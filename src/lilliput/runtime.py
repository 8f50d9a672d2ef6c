"""The machine, and the choices made for it: device, precision, memory limits.

Every choice carries its reason, so that the command line can print it.
"""

import ctypes
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import torch

from lilliput.errors import RecipeError

Precision = Literal["auto", "float32", "bfloat16", "float16"]

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
BFLOAT16_PAYS = 400_000_000
"""Parameters x positions of a forward pass above which bfloat16 pays on a processor with bfloat16 units."""


@dataclass(frozen=True)
class Runtime:
    """The device and number format of a training run, and the reason for the choice."""

    device: torch.device
    precision: Literal["float32", "bfloat16", "float16"]
    reason: str

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context manager for forward passes; weights stay in float32."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, _DTYPES[self.precision])

    @property
    def needs_scaler(self) -> bool:
        """Whether gradients must be scaled, because the range of float16 is too small for them."""
        return self.precision == "float16"


def choose_device() -> torch.device:
    """Return the fastest available device: CUDA, then Apple's MPS, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def choose_runtime(precision: Precision = "auto", parameters: int = 0, positions: int = 0) -> Runtime:
    """Choose device and precision for a model of `parameters` and forward passes of `positions`.

    Raises RecipeError if the device does not support `precision`.
    """
    device = choose_device()
    if precision == "auto":
        if device.type == "cuda":
            if multiplies_bfloat16(device):
                return Runtime(device, "bfloat16", "this GPU computes bfloat16 at full speed and needs no loss scaling")
            return Runtime(device, "float16", "this GPU has no bfloat16; the loss is scaled to keep float16 in range")
        if parameters * positions >= BFLOAT16_PAYS and multiplies_bfloat16(device):
            return Runtime(device, "bfloat16", "this processor multiplies bfloat16, which pays at this size")
        return Runtime(device, "float32", "at the size of tiny models float32 is the fastest here")
    if precision == "float16" and device.type != "cuda":
        raise RecipeError(
            f'training.precision: "float16" needs a CUDA GPU; on {device.type} use "float32" or "bfloat16"'
        )
    reason = "as the recipe asks"
    if precision == "bfloat16" and not multiplies_bfloat16(device) and (times := bfloat16_cost(device)) >= 2:
        reason += f", but emulated: about {times:.0f} times slower than float32 here; training.precision=auto avoids it"
    return Runtime(device, precision, reason)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the device has bfloat16 units; without them bfloat16 is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(probe() for probe in probes if probe is not None)


def machine_memory() -> int | None:
    """Return the memory that training may use, in bytes: that of the GPU, the machine, or the container.

    None if the system does not report it.
    """
    if torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(0).total_memory)
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows
        return None
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # no such file, or "max"
            size = min(size, int(Path(path).read_text(encoding="ascii")))
    return size


def peak_memory() -> int | None:
    """Return the peak memory of this process in bytes; None if the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@cache
def bfloat16_cost(device: torch.device) -> float:
    """Measure the time of a matrix product in bfloat16 relative to float32; takes a tenth of a second."""
    width = 256 if device.type == "cpu" else 2048
    seconds = []
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones(width, width, dtype=dtype, device=device)
        taken = []
        for _ in range(3):
            clock = time.perf_counter()
            float((matrix @ matrix)[0, 0])  # waits for the device
            taken.append(time.perf_counter() - clock)
        seconds.append(min(taken))
    return seconds[1] / seconds[0]


def can_compile() -> bool:
    """Whether `torch.compile` can generate code here: on a GPU, or on a CPU with a C++ compiler."""
    device = choose_device().type
    return device == "cuda" or (device == "cpu" and shutil.which(os.environ.get("CXX", "g++")) is not None)


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory in the process, with glibc; with other C libraries do nothing.

    Otherwise the memory of every large tensor goes back to the system and is requested again page by page, which takes
    a fifth of a training step on a CPU.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    change = library.mallopt
    change(_MMAP_THRESHOLD, 1 << 30)
    change(_TRIM_THRESHOLD, (1 << 31) - 1)
    try:
        yield
    finally:
        # The values that glibc itself settles on once a program has used large blocks.
        change(_MMAP_THRESHOLD, 1 << 25)
        change(_TRIM_THRESHOLD, 1 << 26)
        library.malloc_trim(0)


@contextmanager
def limited_memory(processes: int = 1) -> Iterator[None]:
    """Limit allocations to the memory that is free now, on Linux without a GPU; several `processes` share it.

    Otherwise an allocation beyond it succeeds, and the system kills the process when the memory is used.
    """
    free = None if torch.cuda.is_available() else _free_memory()
    if free is None:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    held = _read_size(Path("/proc/self/status"), "VmData")
    limits = [limit for limit in (held + free // processes, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _free_memory() -> int | None:
    """Return the free bytes of the machine and its container; None if Linux does not report them."""
    try:
        free = _read_size(Path("/proc/meminfo"), "MemAvailable")
    except (OSError, ValueError):
        return None
    with suppress(OSError, ValueError):  # none, or "max"
        granted, taken = (int(Path(f"/sys/fs/cgroup/memory.{name}").read_text("ascii")) for name in ("max", "current"))
        free = min(free, max(0, granted - taken))
    return free


def _read_size(path: Path, name: str) -> int:
    """Return a size in bytes from a file in /proc, which gives it in kilobytes."""
    line = next((line for line in path.read_text("ascii").splitlines() if line.startswith(f"{name}:")), "")
    return int(line.split()[1]) * 1024 if line else 0


def describe_environment() -> dict[str, object]:
    """Return the facts about the machine that matter for a measured figure."""
    names = ("lilliput", "torch", "numpy", "tokenizers", "safetensors", "pydantic")
    packages = {}
    for name in names:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "not installed as a package"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "packages": packages,
    }


def _processor_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a kernel file, not a path of ours
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
