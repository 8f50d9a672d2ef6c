"""What it gains that several processes share each step: milliseconds per step with one and with one for each core.

    python benchmarks/processes.py [--repeats 3] [--machine "two cores"]

Every measurement is a process of its own, on random tokens, with the steps of a recipe or of the plan for a text of a
million characters; both sides in turn, alone on the machine and beside a program that keeps one core busy. Medians of
the medians; goes to `results/processes.json`.
"""

import argparse
import json
import statistics
import subprocess
import sys
from typing import Any

import torch

from lilliput.corpus import Corpus, Document
from lilliput.planning.plan import make_plan
from lilliput.planning.throughput import measure_throughput
from lilliput.recipe import Recipe, named_recipe
from lilliput.training.workers.pool import workers_for
from record import RESULTS, write_record

RESULT = RESULTS / "processes.json"
PLANNED = "planned for a million characters"
SMALLER: dict[str, Any] = {"model.layers": 4, "data.window": 64, "model.ngrams": 1, "model.dropout": 0.0}
CASES: dict[str, tuple[str, int, dict[str, Any]]] = {
    PLANNED: (PLANNED, 81, {}),
    "4 blocks of 128, 12 x 64 tokens": (PLANNED, 81, SMALLER),
    "shakespeare-lstm": ("shakespeare-lstm", 81, {}),
    "shakespeare-gpt": ("shakespeare-gpt", 55, {}),
    "darwin-gpt": ("darwin-gpt", 100, {}),
    "french-poetry-small": ("french-poetry-small", 128, {}),
    "addition": ("addition", 29, {}),
}
"""Recipe, size of the vocabulary and settings."""
BUSY = "while True: pass"


def recipe_of(name: str, settings: dict[str, Any]) -> Recipe:
    if name != PLANNED:
        return named_recipe(name, settings)
    text = Corpus("any", (Document("any", "any text " * 111_111),), ())
    return make_plan("any", text, settings).recipe()


def step_milliseconds(case: str, processes: int, seconds: float) -> float:
    name, vocabulary, settings = CASES[case]
    recipe = recipe_of(name, settings | {"training.processes": processes})
    with workers_for(recipe) as workers:
        return measure_throughput(recipe, workers, vocabulary, recipe.data.window, 10, seconds).seconds_per_step * 1000


def measure(case: str, processes: int, seconds: float, *, beside: bool) -> float:
    command = [sys.executable, __file__, "--child", case, str(processes), str(seconds)]
    other = subprocess.Popen([sys.executable, "-c", BUSY]) if beside else None
    try:
        return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    finally:
        if other is not None:
            other.kill()
            other.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=5.0, help="of every measurement")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--machine", default="two cores")
    arguments = parser.parse_args()
    if arguments.child:
        case, processes, seconds = arguments.child
        print(step_milliseconds(case, int(processes), float(seconds)))
        return
    several = torch.get_num_threads()
    found: dict[str, Any] = {}
    for case in CASES:
        for beside in (False, True):
            times: dict[int, list[float]] = {1: [], several: []}
            for _ in range(arguments.repeats):
                for processes in times:
                    times[processes].append(measure(case, processes, arguments.seconds, beside=beside))
            one, shared = (statistics.median(values) for values in times.values())
            found.setdefault(case, {})["beside a busy program" if beside else "alone"] = {
                "1 process": round(one, 1),
                f"{several} processes": round(shared, 1),
                "times faster": round(one / shared, 2),
                "runs": {str(key): [round(value, 1) for value in values] for key, values in times.items()},
            }
        print(case, json.dumps(found[case]), flush=True)
    result = {
        "benchmark": "processes",
        "command": f"python benchmarks/processes.py --repeats {arguments.repeats} --seconds {arguments.seconds:g}",
        "machine": arguments.machine,
        "unit": "milliseconds per step; medians over the repeats",
        "cases": found,
    }
    write_record(RESULT, result)


if __name__ == "__main__":
    main()
