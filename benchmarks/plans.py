"""The plans for WikiText-103 at one small size, after the same tokens: what is gained by a better one.

    python benchmarks/plans.py [--steps 150 450] [--seeds 1] [--machine "two cores"]

A plan is a recipe's shape, optimiser and schedule; layers, width, window, rows and steps are those of a laptop. The
texts are those of `recipes.py wikitext-small`: English novels and articles of the Wikipedia, measured on the official
validation set of WikiText-103. The gain is the difference of the losses in nats per token, for every length of the
runs, each with its schedule to the end. What the gain of the longest would make of the perplexity of a full run is an
extrapolation, and marked as one. Goes to `results/plans.json`.
"""

import argparse
import json
import math
import tempfile
from pathlib import Path
from typing import Any

from recipes import CASES, Case, count_parameters, figures, medians, train, with_copies
from record import RESULTS, write_record

PLANS = ("wikitext-103", "wikitext-103-llama", "wikitext-small")
CLAIMED = 34.0
"""The perplexity that the project behind the recipe wikitext-103 reports for its full run."""


def small(steps: int) -> dict[str, Any]:
    """Return the settings that bring every plan to one size."""
    return {
        "data.window": 128,
        "model.layers": 3,
        "model.width": 128,
        "model.heads": 4,
        "model.dropout": 0.0,  # no text is seen twice
        "training.batch": 16,
        "training.accumulation": 1,
        "training.steps": steps,
        "training.evaluate_every": steps,
        "training.precision": "auto",
        "training.compile": False,
    }


def gains(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return for every plan but the first, and every length, by how many nats its loss is lower."""
    first = found[PLANS[0]]
    return {
        plan: {steps: round(first[steps]["sliding"] - run["sliding"], 4) for steps, run in found[plan].items()}
        for plan in PLANS[1:]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[150, 450])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--machine", default="two cores")
    arguments = parser.parse_args()
    texts = CASES["wikitext-small"]
    plain = Case("", "")
    found: dict[str, dict[str, Any]] = {plan: {} for plan in PLANS}
    with tempfile.TemporaryDirectory() as work:
        corpus = with_copies(texts, Path(work))
        for steps in arguments.steps:
            for plan in PLANS:
                runs = []
                for seed in range(1, arguments.seeds + 1):
                    folder = Path(work) / f"{plan}-{steps}-{seed}"
                    seconds = train(plan, folder, seed, corpus | small(steps))
                    runs.append(figures(folder, seconds, plain))
                    print(plan, "seed", seed, json.dumps(runs[-1]), flush=True)
                parameters = count_parameters(folder)
                found[plan][str(steps)] = {"parameters": parameters} | medians(runs) | {"runs": runs}
    longest = str(max(arguments.steps))
    lengths = " ".join(map(str, arguments.steps))
    gained = gains(found)
    result = {
        "benchmark": "plans",
        "command": f"python benchmarks/plans.py --steps {lengths} --seeds {arguments.seeds}",
        "machine": arguments.machine,
        "settings": texts.settings | small(max(arguments.steps)),
        "unit": "losses in nats per token; medians over the seeds",
        "plans": found,
        "gain over wikitext-103, by steps": gained,
        "EXTRAPOLATED perplexity of a full run": {
            "if": f"the plan of wikitext-103 comes to {CLAIMED:.0f} as claimed, and a full run gains what the longest "
            "of these gains",
            **{plan: round(CLAIMED * math.exp(-gain[longest]), 1) for plan, gain in gained.items()},
        },
    }
    write_record(RESULTS / "plans.json", result)


if __name__ == "__main__":
    main()
