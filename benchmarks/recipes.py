"""The recipes, measured: every run whole, several seeds, each beside the plan of the project that it follows.

    python benchmarks/recipes.py shakespeare-lstm [--seeds 3] [--add] [--machine "two cores"]

Texts come from the folder that LILLIPUT_DATA names, or are fetched.

A recipe is trained by the command that its users type, once for each seed. Where the project that it follows has no
figure that can be compared, its architecture is trained by its own plan (`Case.peers`) on the same text for the same
time, seeds in turn, and measured by the same code. Times are wall times of whole commands, imports, preparation and
evaluations included. `results/NAME.json` gets every run and the medians; with `--add` the runs that it has are kept.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from record import RESULTS, read_record, write_record


@dataclass(frozen=True)
class Case:
    """What a recipe is compared with, and how."""

    original: str
    """What the project that the recipe follows claims, and how it measured that."""
    headline: str
    """The result in the measure of the original, with fields of the result file."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings that the comparison needs, as its own split."""
    peers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Other plans for the same text, trained as long as ours: name -> settings over the recipe."""
    judged: bool = False
    """Whether what the run writes is measured too (`lilliput judge`)."""
    text: str | None = None
    """A text to be measured on beside the held-out one (`lilliput eval --text`)."""
    copies: int = 1
    """How often the last file of the corpus is there; a file that is given twice is read once, so it is copied."""


# The way of the lecture from which so many first projects are taken: GPT-2's blocks with ReLU, AdamW at one rate.
LECTURE = {
    "model.shape": "gpt2",
    "model.activation": "relu",
    "model.tied": False,
    "model.dropout": 0.2,
    "model.ngrams": 1,
    "training.optimizer": "adamw",
    "training.betas": [0.9, 0.999],
    "training.learning_rate": 3e-4,
    "training.weight_decay": 0.01,
    "training.schedule": "constant",
    "training.warmup": 0.0,
    "training.clip": 0.0,
}

CASES = {
    "french-poetry-small": Case(
        original="grammar right, at 40M parameters; no figure",
        headline=(
            "determiners agree with their nouns in {ours[writing][written][gender]:.1%} (gender) and "
            "{ours[writing][written][number]:.1%} (number); in real verse "
            "{ours[writing][held_out][gender]:.1%} and {ours[writing][held_out][number]:.1%}"
        ),
        judged=True,
    ),
    "shakespeare-lstm": Case(
        original="best validation perplexity 5.445: last fifth held out, separate windows of 64",
        headline=(
            "perplexity {ours[perplexity]:.3f}; its network by its plan in the same time "
            "{its network by its plan[perplexity]:.3f}"
        ),
        settings={"data.split.fraction": 0.2},
        peers={
            "its network by its plan": {
                "model.layers": 1,
                "training.optimizer": "adam",
                "training.betas": [0.9, 0.999],
                "training.learning_rate": 1e-3,
                "training.schedule": "constant",
                "training.warmup": 0.0,
                "training.clip": 0.0,
            },
            "its network": {"model.layers": 1},
            "gru": {"model.kind": "gru"},
            "bpe of 1,024": {"tokenizer.kind": "bpe", "tokenizer.vocabulary": 1024, "model.dropout": 0.1},
        },
    ),
    "shakespeare-gpt": Case(
        original="no figure",
        headline=(
            "{ours[bits_per_character]:.3f} bits per character, its architecture by its plan "
            "{its architecture by its plan[bits_per_character]:.3f} in the same time"
        ),
        peers={"its architecture by its plan": LECTURE | {"model.tied": True}},
    ),
    "darwin-gpt": Case(
        original="no figure; six heads of 42 at width 256",
        headline=(
            "{ours[bits_per_character]:.3f} bits per character, its architecture by its plan "
            "{its architecture by its plan[bits_per_character]:.3f} in the same time"
        ),
        peers={"its architecture by its plan": LECTURE},
    ),
    "addition": Case(
        original="sums of which only the answer counts; no figure",
        headline="{ours[exact_match]:.2%} of {ours[problems]:,} unseen three-digit sums",
    ),
    "addition-ten": Case(
        original="no figure; public records for 99 % lie between 57 and 203 parameters",
        headline="{ours[exact_match]:.2%} of {ours[problems]:,} unseen ten-digit sums, {ours[parameters]:,} parameters",
    ),
    "wikitext-small": Case(
        original="perplexity 34 on WikiText-103, 51.2M parameters trained on its training set",
        headline="perplexity {ours[perplexity]:.1f} on its validation set, a laptop's model trained on other texts",
        settings={
            # Its own training text is not at hand here: English novels and some articles of the Wikipedia.
            "data.corpus": ["{data}/english-novels.txt.gz", "{data}/wikipedia-sample.txt"],
            "data.validation": "{data}/wikitext103.valid.tokens",
        },
        # Nearly half of the text is then of the kind that is measured on.
        copies=24,
        text="wikitext-103-test",
    ),
}


def train(recipe: str, folder: Path, seed: int, settings: dict[str, Any]) -> float:
    """Train as a user would and return the seconds that the whole command took."""
    data = os.environ.get("LILLIPUT_DATA", ".")
    options = [
        word
        for key, value in settings.items()
        for word in ("--set", f"{key}={json.dumps(value)}".replace("{data}", data))
    ]
    started = time.perf_counter()
    lilliput("train", recipe, "--out", str(folder), "--seed", str(seed), "--json", *options)
    return time.perf_counter() - started


def with_copies(case: Case, work: Path) -> dict[str, Any]:
    """Return the settings of a case, with the copies that it wants of its last file in the folder `work`."""
    if case.copies == 1:
        return case.settings
    *files, last = (
        name.replace("{data}", os.environ.get("LILLIPUT_DATA", ".")) for name in case.settings["data.corpus"]
    )
    copies = [work / f"{number}-{Path(last).name}" for number in range(case.copies)]
    for copy in copies:
        shutil.copyfile(last, copy)
    return case.settings | {"data.corpus": [*files, *map(str, copies)]}


def lilliput(*words: str) -> dict[str, Any]:
    """Run a command that prints one JSON object, and return that."""
    command = [sys.executable, "-c", "from lilliput.cli import main; main()", *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def figures(folder: Path, seconds: float, case: Case) -> dict[str, Any]:
    """Read what a finished run says of itself, and measure what the case asks for beside."""
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    found: dict[str, Any] = {"seconds": round(seconds, 1), "steps": max(row["step"] for row in rows)}
    if "exact_match" in evaluation:
        found |= {key: evaluation[key] for key in ("exact_match", "problems", "loss")}
    else:
        separate = evaluation["windows"]["separate"]
        found |= {
            "perplexity": separate["perplexity"],
            "bits_per_character": evaluation["bits_per_character"],
            "separate": separate["loss"],
            "sliding": evaluation["loss"],
            "count_model_bits_per_character": evaluation["baselines"]["ngram"]["bits_per_character"],
        }
    if case.judged:
        found["writing"] = lilliput("judge", str(folder), "--json")
    if case.text:
        text = case.text.replace("{data}", os.environ.get("LILLIPUT_DATA", "."))
        report = lilliput("eval", str(folder), "--text", text, "--json")
        found["on " + case.text] = {
            key: report[key] for key in ("perplexity", "word_perplexity", "bits_per_character", "bits_per_byte")
        }
    return found


def medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of every figure over the runs, and least and greatest of each where they differ."""
    result: dict[str, Any] = {}
    for key, value in runs[0].items():
        if isinstance(value, dict):
            result[key] = medians([run[key] for run in runs])
        elif isinstance(value, int | float) and not isinstance(value, bool):
            values = [run[key] for run in runs]
            result[key] = statistics.median(values)
            if max(values) > min(values):
                result[f"{key}_range"] = [min(values), max(values)]
    return result


def measure(recipe: str, case: Case, seeds: int, known: dict[str, Any]) -> dict[str, Any]:
    """Run the recipe and its peers with the seeds that they have not been run with."""
    names = ["ours", *case.peers]
    runs: dict[str, list[dict[str, Any]]] = {name: known.get(name, {}).get("runs", []) for name in names}
    parameters: dict[str, int] = {name: known[name]["parameters"] for name in names if name in known}
    with tempfile.TemporaryDirectory() as work:
        base = with_copies(case, Path(work))
        for seed in range(1, seeds + 1):
            for name, over in {"ours": {}, **case.peers}.items():
                if len(runs[name]) >= seed:
                    continue
                folder = Path(work) / f"{name}-{seed}"
                settings = base | over
                if name != "ours":
                    settings["training.minutes"] = runs["ours"][seed - 1]["seconds"] / 60
                seconds = train(recipe, folder, seed, settings)
                runs[name].append(figures(folder, seconds, case))
                parameters[name] = count_parameters(folder)
                print(recipe, name, "seed", seed, json.dumps(runs[name][-1]), flush=True)
    return {name: {"parameters": parameters[name]} | medians(found) | {"runs": found} for name, found in runs.items()}


def count_parameters(folder: Path) -> int:
    from safetensors import safe_open

    with safe_open(folder / "weights.safetensors", "pt") as file:
        return sum(file.get_tensor(name).numel() for name in list(file.keys()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", choices=CASES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--add", action="store_true", help="keep the recorded runs, measure what is missing")
    parser.add_argument("--machine", default="two cores")
    arguments = parser.parse_args()
    case = CASES[arguments.recipe]
    path = RESULTS / f"{arguments.recipe}.json"
    known = read_record(path) if arguments.add else {}
    result = {
        "recipe": arguments.recipe,
        "command": f"python benchmarks/recipes.py {arguments.recipe}",
        "machine": arguments.machine,
        "seeds": arguments.seeds,
        "original": case.original,
        "settings": case.settings,
        "copies of the last text": case.copies,
        "unit": "losses in nats per token, over the whole held-out text; seconds of the whole command; medians",
        **measure(arguments.recipe, case, arguments.seeds, known),
    }
    result["headline"] = case.headline.format(**result)
    write_record(path, result)
    print(f"written: {path.name}")


if __name__ == "__main__":
    main()
