"""What a full run of a recipe costs here: tokens per second of its own training step, and the hours that follow.

    python benchmarks/throughput.py wikitext-103 [--steps 3] [--machine "two cores"]

The model, the optimiser, the rows of a step, precision and compiling are those of the recipe; the tokens are random,
which costs the same as any others. The first step is not counted, and compiling is not either. Of a recipe whose text
is not needed for its size only (`gpt2`), the vocabulary is known without it. Goes to `results/throughput.json`.
"""

import argparse
import json
from typing import Any

from lilliput.planning.throughput import measure_throughput
from lilliput.recipe import named_recipe
from lilliput.training.workers.pool import workers_for
from record import RESULTS, add_record, read_record

RESULT = RESULTS / "throughput.json"
VOCABULARY = {"gpt2": 50257}


def measure(name: str, steps: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Take so many steps of a recipe and one before them."""
    recipe = named_recipe(name, settings)
    vocabulary = VOCABULARY.get(recipe.tokenizer.kind) or recipe.tokenizer.vocabulary
    assert vocabulary and recipe.training.steps, "a recipe with a known vocabulary and a length in steps"
    with workers_for(recipe) as workers:
        pace = measure_throughput(recipe, workers, vocabulary, recipe.data.window, steps, seconds=0.0)
    return {
        "parameters": pace.parameters,
        "device": pace.runtime.device.type,
        "precision": pace.runtime.precision,
        "compiling": pace.note,
        "tokens per step": pace.tokens_per_step,
        "seconds per step": round(pace.seconds_per_step, 4),
        "of each step": [round(value, 4) for value in pace.step_seconds],
        "tokens per second": round(pace.tokens_per_second),
        "steps of the recipe": recipe.training.steps,
        "hours of the recipe": round(recipe.training.steps * pace.seconds_per_step / 3600, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--machine", default="two cores")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON", dest="settings")
    arguments = parser.parse_args()
    settings = {key: json.loads(value) for key, value in (word.split("=", 1) for word in arguments.settings)}
    of_machine = read_record(RESULT).get(arguments.machine, {})
    for name in arguments.recipes:
        of_machine[name] = {"settings": settings} | measure(name, arguments.steps, settings)
        print(name, json.dumps(of_machine[name]), flush=True)
        add_record(RESULT, arguments.machine, of_machine)


if __name__ == "__main__":
    main()
