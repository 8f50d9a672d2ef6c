"""What a full run of a recipe costs here: tokens per second of its own training step, and the hours that follow.

    python benchmarks/throughput.py wikitext-103 [--steps 3] [--machine "two cores"]

The model, the optimiser, the rows of a step, precision and compiling are those of the recipe; the tokens are random,
which costs the same as any others. The first step is not counted, and compiling is not either. Of a recipe whose text
is not needed for its size only (`gpt2`), the vocabulary is known without it. Goes to `results/throughput.json`.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from lilliput.data.batch import Batch
from lilliput.models import build, count_parameters
from lilliput.objectives import next_token
from lilliput.optimization.optimizers import build_optimizers
from lilliput.recipe import named_recipe
from lilliput.runtime import choose_runtime, describe_environment, kept_memory
from lilliput.training.compiling import compile_or_not
from lilliput.training.fit import Scaler, fit

RESULT = Path(__file__).parents[1] / "results" / "throughput.json"
VOCABULARY = {"gpt2": 50257}


def measure(name: str, steps: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Take so many steps of a recipe and one before them."""
    recipe = named_recipe(name, settings)
    training, window = recipe.training, recipe.data.window
    vocabulary = VOCABULARY.get(recipe.tokenizer.kind) or recipe.tokenizer.vocabulary
    assert vocabulary and training.steps, "a recipe with a known vocabulary and a length in steps"
    torch.manual_seed(recipe.seed)
    model = build(recipe.model, vocabulary, window)
    runtime = choose_runtime(training.precision, count_parameters(model), training.batch * window)
    model.to(runtime.device)
    rows = training.batch * training.accumulation

    def batch_of(step: int) -> Batch:
        ids_BT = torch.randint(vocabulary, (rows, window + 1), generator=torch.Generator().manual_seed(step))
        return Batch(ids_BT[:, :-1], ids_BT[:, 1:], torch.ones(rows, window))

    trainable, note = model, "not compiled"
    if training.compile:
        trainable, note = compile_or_not(model, batch_of(0).split(training.accumulation)[0], runtime)
    optimizers = build_optimizers(model, training)
    clock, seconds = time.perf_counter(), []
    for step in fit(
        trainable,
        next_token,
        batch_of,
        optimizers,
        lambda step: 1.0 if step <= steps else None,
        runtime=runtime,
        scaler=Scaler(runtime, {}),
        seed=recipe.seed,
        accumulation=training.accumulation,
        clip=training.clip,
    ):
        float(step.loss)  # waits for the device
        seconds.append(time.perf_counter() - clock)
        clock = time.perf_counter()
        print(f"{name}: step {step.number}, {seconds[-1]:.2f} s", flush=True)
    median = statistics.median(seconds[1:])
    return {
        "parameters": count_parameters(model),
        "device": runtime.device.type,
        "precision": runtime.precision,
        "compiling": note,
        "tokens per step": rows * window,
        "seconds per step": round(median, 4),
        "of each step": [round(value, 4) for value in seconds],
        "tokens per second": round(rows * window / median),
        "steps of the recipe": training.steps,
        "hours of the recipe": round(training.steps * median / 3600, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--machine", default="two cores")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON", dest="settings")
    arguments = parser.parse_args()
    settings = {key: json.loads(value) for key, value in (word.split("=", 1) for word in arguments.settings)}
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    for name in arguments.recipes:
        known.setdefault(arguments.machine, {"environment": describe_environment()})
        with kept_memory():
            known[arguments.machine][name] = {"settings": settings} | measure(name, arguments.steps, settings)
        RESULT.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
