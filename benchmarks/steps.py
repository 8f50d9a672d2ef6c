"""Tokens per second and memory of a training step, beside nanoGPT's own training program, at equal shape.

    python benchmarks/steps.py --checkout PATH/TO/nanoGPT [--cases tiny 51M] [--repeats 3] [--machine "two cores"]

Both sides train the same network (GPT-2's blocks, no dropout, AdamW, as many rows and tokens) on random tokens, in
turn. nanoGPT runs its own `train.py`, whose times per iteration are read; for bfloat16 on a processor, which it does
not offer, one line of it is changed. The first iterations, with compiling and the evaluation at the start, do not
count. Memory is the most that the processes of a side, the compiler's included, held at one time, what they share
counted once (Linux). Goes to `results/steps.json`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from lilliput.corpus import Corpus, Document
from lilliput.planning.plan import make_plan
from lilliput.planning.throughput import measure_throughput
from lilliput.training.workers.pool import workers_for
from peers.nanogpt import copy_checkout, step_seconds, training_command
from record import RESULTS, add_record, read_record

RESULT = RESULTS / "steps.json"
CASES: dict[str, dict[str, Any]] = {
    "tiny": {"layers": 4, "width": 128, "heads": 4, "window": 64, "batch": 12, "vocabulary": 65, "steps": 200},
    "51M": {"layers": 8, "width": 512, "heads": 8, "window": 512, "batch": 12, "vocabulary": 50257, "steps": 4},
}
HALF = ("51M",)
"""The cases in bfloat16 and compiled, on both sides."""
SKIPPED = 2
TOKENS = 500_000


def run_peer(checkout: Path, work: Path, case: str) -> dict[str, float]:
    """Run nanoGPT's training program and read its milliseconds of every iteration."""
    shape, folder = CASES[case], work / "peer"
    ids = np.random.default_rng(0).integers(shape["vocabulary"], size=TOKENS)
    copy_checkout(checkout, folder, "random", {"train": ids, "val": ids}, shape["vocabulary"])
    flags = (
        "--dataset=random --device=cpu --eval_iters=1 --eval_interval=1000000 --log_interval=1 --dropout=0.0 "
        f"--gradient_accumulation_steps=1 --block_size={shape['window']} --batch_size={shape['batch']} --bias=True "
        f"--n_layer={shape['layers']} --n_head={shape['heads']} --n_embd={shape['width']} "
        f"--max_iters={shape['steps'] + SKIPPED} --compile={case in HALF}"
    )
    output, memory = watched(training_command(folder, flags.split(), bfloat16=case in HALF), folder)
    return of_steps(shape, step_seconds(output)[SKIPPED:], memory)


def watched(command: list[str], folder: Path) -> tuple[str, float]:
    """Run a command and return its output and the most bytes that it and its processes held at one time."""
    held = [0.0]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:

        def watch() -> None:
            while process.poll() is None:
                held.append(sum(map(proportional, family(process.pid))))
                time.sleep(0.5)

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert process.stdout is not None
        output = process.stdout.read()
        process.wait()
        watcher.join()
    assert process.returncode == 0, output
    return output, max(held)


def family(root: int) -> list[int]:
    """Return a process and all that it started, directly or not."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def proportional(process: int) -> float:
    """Return the bytes of a process; what n processes share counts as an n-th."""
    with suppress(OSError):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        return next((float(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0.0)
    return 0.0


def of_steps(shape: dict[str, Any], seconds: list[float], memory: float) -> dict[str, float]:
    tokens = shape["window"] * shape["batch"]
    return {"tokens_per_second": tokens / statistics.median(seconds), "megabytes": memory / 1e6}


def run_ours(case: str) -> dict[str, float]:
    output, memory = watched([sys.executable, __file__, "--child", case], Path.cwd())
    return of_steps(CASES[case], json.loads(output), memory)


def child(case: str) -> list[float]:
    shape = CASES[case]
    settings = {f"model.{key}": shape[key] for key in ("layers", "width", "heads")} | {
        "model.shape": "gpt2",
        "model.tied": True,
        "model.dropout": 0.0,
        "data.window": shape["window"],
        "training.batch": shape["batch"],
        "training.optimizer": "adamw",
        "training.clip": 1.0,
    }
    if case in HALF:
        settings |= {"training.precision": "bfloat16", "training.compile": True}
    text = Corpus("any", (Document("any", "any text " * 1000),), ())
    recipe = make_plan("any", text, settings).recipe()
    with workers_for(recipe) as workers:
        pace = measure_throughput(recipe, workers, shape["vocabulary"], shape["window"], shape["steps"] + SKIPPED, 0.0)
    return list(pace.step_seconds[SKIPPED:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--checkout", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--machine", default="two cores")
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(arguments.child)))
        return
    of_machine = read_record(RESULT).get(arguments.machine, {})
    for case in arguments.cases:
        runs: dict[str, list[dict[str, float]]] = {"nanoGPT": [], "ours": []}
        for _ in range(arguments.repeats):
            with tempfile.TemporaryDirectory() as work:
                runs["nanoGPT"].append(run_peer(arguments.checkout, Path(work), case))
            runs["ours"].append(run_ours(case))
            print(case, {side: rows[-1] for side, rows in runs.items()}, flush=True)
        of_machine[case] = summary(case, runs)
        add_record(RESULT, arguments.machine, of_machine)
        print(case, json.dumps(of_machine[case]), flush=True)


def summary(case: str, runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    medians = {
        side: {key: round(statistics.median(row[key] for row in rows)) for key in rows[0]}
        for side, rows in runs.items()
    }
    pairs = zip(runs["ours"], runs["nanoGPT"], strict=True)
    ratios = [ours["tokens_per_second"] / peer["tokens_per_second"] for ours, peer in pairs]
    return {"shape": CASES[case], **medians, "times_faster": round(statistics.median(ratios), 2), "runs": runs}


if __name__ == "__main__":
    main()
