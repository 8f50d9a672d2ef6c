"""The recipes of WikiText-103 beside nanoGPT's own training program: the same tokens for the same minutes.

    python benchmarks/trainers.py --checkout PATH/TO/nanoGPT [--minutes 10] [--text FILE] [--characters N] [--seeds 1]
        [--recipes wikitext-103 wikitext-103-llama] [--set training.accumulation=1] [--machine "two cores"]

nanoGPT trains the network of the recipe `wikitext-103` (its sizes, rows, learning rate and weight decay; GPT-2's blocks
without dropout) as a cosine to the end of its time, on tokens that were prepared for it; a few steps before tell how
many fit into the minutes. Each recipe then gets the wall time that its command took, in which ours also reads and
tokenizes the text, compiles and evaluates. Both sides are scored on the held-out end of the text, as a whole, by the
same code in single precision. On a processor, for which nanoGPT offers no bfloat16, one line of it is changed. Tokens
per second are those of the median step. Goes to `results/trainers.json`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lilliput.corpus import find_file, read_files
from lilliput.recipe import Recipe, named_recipe
from lilliput.tokenizers import train as train_tokenizer
from lilliput.writer import load
from nanogpt import losses
from peers.nanogpt import copy_checkout, load_network, step_seconds, training_command
from record import RESULTS, add_record
from steps import SKIPPED

RESULT = RESULTS / "trainers.json"
PLAN = "wikitext-103"
"""The recipe of which nanoGPT gets sizes and rates."""
TRIAL = 6
"""Steps that tell how fast it is."""


def run_peer(folder: Path, recipe: Recipe, steps: int, seed: int, device: str) -> tuple[float, list[float]]:
    """Train for so many steps; return the seconds of the whole command and of each step."""
    training, model = recipe.training, recipe.model
    assert model.kind == "gpt"
    flags = {
        "dataset": "prepared",
        "device": device,
        "compile": True,
        "n_layer": model.layers,
        "n_head": model.heads,
        "n_embd": model.width,
        "bias": True,
        "block_size": recipe.data.window,
        "batch_size": training.batch,
        "gradient_accumulation_steps": training.accumulation,
        "learning_rate": training.learning_rate,
        "min_lr": training.learning_rate * training.final,
        "weight_decay": training.weight_decay,
        "beta1": training.betas[0],
        "beta2": training.betas[1],
        "grad_clip": training.clip,
        "max_iters": steps,
        "lr_decay_iters": steps,
        "warmup_iters": max(1, round(steps * training.warmup)),
        # It evaluates, and keeps its weights, at the beginning and behind the last step.
        "eval_interval": steps,
        "eval_iters": 1,
        "log_interval": 1,
    }
    words = [f"--{key}={value}" for key, value in flags.items()]
    command = training_command(folder, words, seed=seed, bfloat16=device == "cpu")
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - started, step_seconds(done.stdout)


def peer_losses(folder: Path, ids: np.ndarray, window: int, device: str) -> tuple[int, dict[str, float]]:
    """Score the weights that nanoGPT has kept; also returns how many they are."""
    network = load_network(folder, "out/ckpt.pt")
    scores = losses(network.to(device), ids, window)
    return sum(parameter.numel() for parameter in network.parameters()), scores


def run_ours(name: str, work: Path, minutes: float, seed: int, settings: list[str], device: str) -> dict[str, Any]:
    """Train a recipe as a user would, on the files in the folder `work`, and score it."""
    folder = work / f"{name}-{seed}"
    command = [sys.executable, "-c", "from lilliput.cli import main; main()", "train", name]
    command += ["--corpus", str(work / "training.txt"), "--validation", str(work / "validation.txt")]
    command += ["--out", str(folder), "--seed", str(seed), "--minutes", str(minutes)]
    command += [word for setting in settings for word in ("--set", setting)]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [row for row in rows if "tokens" in row]
    pairs = zip(steps[SKIPPED:], steps[SKIPPED + 1 :], strict=False)
    speeds = [(after["tokens"] - row["tokens"]) / (after["seconds"] - row["seconds"]) for row, after in pairs]
    writer = load(folder)
    ids = np.load(folder / "tokens" / "validation.npy")
    scores = losses(writer.model.to(device), ids, writer.model.context)
    return {
        "parameters": sum(parameter.numel() for parameter in writer.model.parameters()),
        "seconds": round(seconds, 1),
        "steps": steps[-1]["step"],
        "tokens": steps[-1]["tokens"],
        "tokens_per_second": round(statistics.median(speeds)),
        **{definition: round(value, 4) for definition, value in scores.items()},
    }


def compare(arguments: argparse.Namespace, work: Path, device: str) -> dict[str, list[dict[str, Any]]]:
    """Run every side with every seed, in turn."""
    data = os.environ.get("LILLIPUT_DATA", ".").split(os.pathsep)[0]
    text = read_files([arguments.text or Path(data, "english-novels.txt.gz")]).text[: arguments.characters]
    cut = len(text) - min(arguments.held_out, len(text) // 10)
    (work / "training.txt").write_text(text[:cut], encoding="utf-8")
    (work / "validation.txt").write_text(text[cut:], encoding="utf-8")
    settings = {key: json.loads(value) for key, value in (word.split("=", 1) for word in arguments.settings)}
    recipe = named_recipe(PLAN, settings)
    tokenizer = train_tokenizer("gpt2", (), ranks=find_file("gpt2.tiktoken"))
    parts = {"train": tokenizer.encode(text[:cut]), "val": tokenizer.encode(text[cut:])}
    folder = work / "nanoGPT"
    copy_checkout(arguments.checkout, folder, "prepared", parts)
    tokens_a_step = recipe.data.window * recipe.training.batch * recipe.training.accumulation
    _, trial = run_peer(folder, recipe, TRIAL, 1, device)
    steps = max(1, round(arguments.minutes * 60 / statistics.median(trial[SKIPPED:])))
    found: dict[str, list[dict[str, Any]]] = {"nanoGPT": [], **{name: [] for name in arguments.recipes}}
    for seed in range(1, arguments.seeds + 1):
        seconds, times = run_peer(folder, recipe, steps, seed, device)
        parameters, scores = peer_losses(folder, parts["val"], recipe.data.window, device)
        row = {"parameters": parameters, "seconds": round(seconds, 1), "steps": steps, "tokens": steps * tokens_a_step}
        row["tokens_per_second"] = round(tokens_a_step / statistics.median(times[SKIPPED:]))
        found["nanoGPT"].append(row | {definition: round(value, 4) for definition, value in scores.items()})
        print("nanoGPT", json.dumps(found["nanoGPT"][-1]), flush=True)
        for name in arguments.recipes:
            found[name].append(run_ours(name, work, seconds / 60, seed, arguments.settings, device))
            print(name, json.dumps(found[name][-1]), flush=True)
    return found


def summary(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return the medians of every side, and what each recipe gains."""
    sides = {name: {key: statistics.median(row[key] for row in rows) for key in rows[0]} for name, rows in runs.items()}
    peer = sides["nanoGPT"]
    gains = {
        name: {
            "times its tokens per second": round(side["tokens_per_second"] / peer["tokens_per_second"], 2),
            "nats per token less, separate windows": round(peer["separate"] - side["separate"], 4),
            "nats per token less, sliding windows": round(peer["sliding"] - side["sliding"], 4),
        }
        for name, side in sides.items()
        if name != "nanoGPT"
    }
    return {**sides, "gains": gains, "runs": runs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, required=True, help="a checkout of nanoGPT")
    parser.add_argument("--text", type=Path, help="default: english-novels.txt.gz in the first folder of LILLIPUT_DATA")
    parser.add_argument("--characters", type=int, help="only so many of the text")
    parser.add_argument("--held-out", type=int, default=1_000_000, help="characters, at most a tenth of the text")
    parser.add_argument("--recipes", nargs="+", default=[PLAN, "wikitext-103-llama"])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON", dest="settings")
    parser.add_argument("--machine", default="two cores")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory() as work:
        runs = compare(arguments, Path(work), device)
    result = {
        "command": " ".join(["python benchmarks/trainers.py", *sys.argv[1:]]).replace(str(arguments.checkout), "PATH"),
        "unit": "losses in nats per token over the whole held-out text; wall seconds of the whole command; medians",
        **summary(runs),
    }
    add_record(RESULT, f"{arguments.machine}, {arguments.minutes:g} minutes", result)
    print(json.dumps(result["gains"], indent=1))


if __name__ == "__main__":
    main()
