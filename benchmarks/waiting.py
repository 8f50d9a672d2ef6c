"""How long OpenMP's threads should spin: one training alone, and two beside each other, at several spin counts.

    python benchmarks/waiting.py

Every measurement is a process of its own, because the library reads the variable when it is loaded. The step is that of
the default plan's network (three layers of 128, 12 x 128 tokens, Muon). Median milliseconds per step.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from record import RESULTS, write_record

SPINS = ("default", "100", "1000", "10000")


def step_times(seconds: float) -> list[float]:
    # torch comes first: Lilliput would set a spin count of its own where there is none.
    import torch
    import torch.nn.functional as F

    from lilliput.models import GPTSettings, build
    from lilliput.optimization.optimizers import build_optimizers
    from lilliput.optimization.settings import OptimizerSettings

    torch.manual_seed(0)
    model = build(GPTSettings(layers=3, width=128, heads=4), 81, 128)
    optimizers = build_optimizers(model, OptimizerSettings(optimizer="muon"))
    ids_BT = torch.randint(81, (12, 128))
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        started = time.perf_counter()
        torch.autograd.backward(F.cross_entropy(model(ids_BT).flatten(0, 1), ids_BT.flatten()))
        for part in optimizers.parts:
            part.step()
        optimizers.clear_gradients()
        times.append(time.perf_counter() - started)
    return times


def measure(spin: str, processes: int, seconds: float) -> float:
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    if spin != "default":
        environment["GOMP_SPINCOUNT"] = spin
    command = [sys.executable, __file__, "--child", str(seconds)]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return max(float(statistics.median(json.loads(process.communicate()[0]))) for process in running) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=6.0, help="of every measurement")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "waiting.json")
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(step_times(arguments.child)))
        return
    found: dict[tuple[str, int], list[float]] = {(spin, count): [] for spin in SPINS for count in (1, 2)}
    for _ in range(arguments.repeats):
        for (spin, count), times in found.items():
            times.append(measure(spin, count, arguments.seconds))
    medians = {
        spin: {
            f"{count} training{'s' * (count > 1)}": round(statistics.median(found[spin, count]), 1) for count in (1, 2)
        }
        for spin in SPINS
    }
    print(json.dumps(medians, indent=2))
    report = {
        "benchmark": "waiting",
        "command": "python benchmarks/waiting.py",
        "unit": "milliseconds per step (median of a process; the slower of two; median over repeats)",
        "repeats": arguments.repeats,
        "spin counts": medians,
    }
    write_record(arguments.out, report)


if __name__ == "__main__":
    main()
