"""The plans for WikiText-103 at one small size, after the same tokens: what is gained by a better one.

    python benchmarks/plans.py [--steps 600] [--seeds 1] [--machine "two cores"]

A plan is a recipe's shape, optimiser and schedule; layers, width, window, rows and steps are those of a laptop. The
text is that of `recipes.py wikitext-small`: English novels and some articles of the Wikipedia, measured on the official
validation set of WikiText-103. The gain is the difference of the losses in nats per token. What it would make of the
perplexity of a full run if it were the same there is an extrapolation, and marked as one. Goes to `results/plans.json`.
"""

import argparse
import json
import math
import tempfile
from pathlib import Path
from typing import Any

from lilliput.runtime import describe_environment
from recipes import CASES, RESULTS, count_parameters, figures, medians, train

PLANS = ("wikitext-103", "wikitext-103-llama", "wikitext-small")
CLAIMED = 34.0
"""The perplexity that the project behind the recipe wikitext-103 reports for its full run."""


def small(steps: int) -> dict[str, Any]:
    """Return the settings that bring every plan to one size."""
    return CASES["wikitext-small"].settings | {
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--machine", default="two cores")
    arguments = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {plan: [] for plan in PLANS}
    parameters: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as work:
        for seed in range(1, arguments.seeds + 1):
            for plan in PLANS:
                folder = Path(work) / f"{plan}-{seed}"
                seconds = train(plan, folder, seed, small(arguments.steps))
                runs[plan].append(figures(folder, seconds, CASES["wikitext-small"]))
                parameters[plan] = count_parameters(folder)
                print(plan, "seed", seed, json.dumps(runs[plan][-1]), flush=True)
    found = {plan: {"parameters": parameters[plan]} | medians(runs[plan]) | {"runs": runs[plan]} for plan in PLANS}
    gains = {plan: found[PLANS[0]]["sliding"] - found[plan]["sliding"] for plan in PLANS[1:]}
    result = {
        "benchmark": "plans",
        "command": f"python benchmarks/plans.py --steps {arguments.steps} --seeds {arguments.seeds}",
        "machine": arguments.machine,
        "environment": describe_environment(),
        "settings": small(arguments.steps),
        "unit": "losses in nats per token; medians over the seeds",
        "plans": found,
        "gain over wikitext-103": {plan: round(gain, 4) for plan, gain in gains.items()},
        "EXTRAPOLATED perplexity of a full run": {
            "if": f"the plan of wikitext-103 comes to {CLAIMED:.0f} as claimed, and the gain is the same at full size",
            **{plan: round(CLAIMED * math.exp(-gain), 1) for plan, gain in gains.items()},
        },
    }
    (RESULTS / "plans.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
