"""Lilliput against nanoGPT's documented CPU recipe: time and loss on the whole validation text, both sides in one run.

    python benchmarks/nanogpt.py --checkout PATH/TO/nanoGPT [--text tinyshakespeare.txt] [--seeds 3]

Both sides learn the first nine tenths of the text and are scored on the last tenth by the same code. A side's time is
the wall time of its whole command, imports, tokenizing and its own evaluations included. Ours runs with a network of
the same layers, width, heads, context and rows per step (its vocabulary has 16 tokens more, the escapes that keep it
lossless); with another one of no more parameters and the same context, part of which are embeddings of n-grams; as
planned for a text that comes with no settings, with counts and guesses from the 1,024 tokens before a sliding window;
and as planned without these two. It gets nanoGPT's own wall time, fractions of it, or so many seconds. How much faster
it is to nanoGPT's loss is told by the shortest time at which its median loss is not above nanoGPT's.
"""

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lilliput.corpus import read_named
from lilliput.evaluation.loss import Definition, score_tokens
from lilliput.writer import load
from peers.nanogpt import copy_checkout, load_network, training_command
from record import RESULTS, write_record

LAYERS, HEADS, WIDTH, WINDOW, BATCH, ITERATIONS = 4, 4, 128, 64, 12, 2000
# The flags of the peer's README, section "I only have a macbook" (CPU).
PEER_FLAGS = (
    "--device=cpu --compile=False --eval_iters=20 --log_interval=1 "
    f"--block_size={WINDOW} --batch_size={BATCH} --n_layer={LAYERS} --n_head={HEADS} --n_embd={WIDTH} "
    f"--max_iters={ITERATIONS} --lr_decay_iters={ITERATIONS} --dropout=0.0"
).split()


SAME_NETWORK = {
    "model.shape": "modern",
    "model.layers": LAYERS,
    "model.width": WIDTH,
    "model.heads": HEADS,
    "model.dropout": 0.0,
    "model.ngrams": 1,
    "model.counts": False,
    "data.window": WINDOW,
    "training.batch": BATCH,
}
AS_MANY_PARAMETERS = {
    "model.shape": "modern",
    "model.layers": 1,
    "model.width": 64,
    "model.heads": 2,
    "model.dropout": 0.0,
    "model.ngrams": 4,
    "model.ngram_rows": 3200,
    "model.ngram_dropout": 0.0,
    "model.counts": False,
    "data.window": WINDOW,
    "training.batch": 24,
}
SIDES: dict[str, dict[str, Any]] = {
    "the same network": SAME_NETWORK,
    "as many parameters": AS_MANY_PARAMETERS,
    "as planned": {},
    "as planned, without counts": {"model.counts": False},
}
SPEEDUPS: dict[str, tuple[float, ...]] = {
    "the same network": (1, 3, 4),
    "as many parameters": (6, 8),
    "as planned": (1, 6),
    "as planned, without counts": (1,),
}
"""What nanoGPT's time is divided by."""
SECONDS: dict[str, tuple[float, ...]] = {"as planned": (15, 600)}


def losses(model: Any, ids: np.ndarray, window: int) -> dict[str, float]:
    """Return the loss by both definitions, in nats per token."""
    definitions: tuple[Definition, ...] = ("separate", "sliding")
    sums = {definition: score_tokens(model, ids, window, definition) for definition in definitions}
    return {definition: total / count for definition, (total, count) in sums.items()}


def run_peer(checkout: Path, work: Path, training: str, validation: str, seed: int) -> dict[str, Any]:
    folder = work / "peer"
    shutil.rmtree(folder, ignore_errors=True)
    alphabet = sorted(set(training + validation))
    ids = {character: index for index, character in enumerate(alphabet)}
    parts = {
        name: np.array([ids[character] for character in text], np.uint16)
        for name, text in (("train", training), ("val", validation))
    }
    copy_checkout(checkout, folder, "shakespeare_char", parts, len(alphabet))
    command = training_command(folder, ["config/train_shakespeare_char.py", *PEER_FLAGS], seed=seed)
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    network = load_network(folder, "out-shakespeare-char/ckpt.pt")
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return {"seconds": seconds, "parameters": parameters} | losses(network, parts["val"], WINDOW)


def run_ours(work: Path, validation: str, settings: dict[str, Any], seconds: float, seed: int) -> dict[str, Any]:
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    folder = work / "ours"
    command = [
        *(sys.executable, "-c", "from lilliput.cli import main; main()", "train", str(work / "training.txt")),
        *("--validation", str(work / "validation.txt"), "--out", str(folder), "--fresh", "--seed", str(seed)),
        *("--minutes", str(seconds / 60), *options),
    ]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    spent = time.perf_counter() - started
    writer = load(folder)
    parameters = sum(parameter.numel() for parameter in writer.model.parameters())
    ids = writer.tokenizer.encode(validation)
    baseline = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))["baselines"]["ngram"]
    scores = losses(writer.model, ids, writer.model.context)
    counting = baseline["bits_per_character"] * math.log(2)
    return {"seconds": spent, "parameters": parameters, "counting": counting} | scores


def median(rows: list[dict[str, Any]], key: str) -> float:
    return float(statistics.median(row[key] for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, required=True, help="a checkout of nanoGPT")
    parser.add_argument("--text", type=Path, help="tiny shakespeare; default: the known corpus `shakespeare`")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "nanogpt.json")
    arguments = parser.parse_args()
    text = arguments.text.read_text(encoding="utf-8") if arguments.text else read_named("shakespeare").text
    cut = int(len(text) * 0.9)
    peers: list[dict[str, Any]] = []
    ours: dict[str, dict[str, list[dict[str, Any]]]] = {side: defaultdict(list) for side in SIDES}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        (work / "training.txt").write_text(text[:cut], encoding="utf-8")
        (work / "validation.txt").write_text(text[cut:], encoding="utf-8")
        for seed in range(1, arguments.seeds + 1):
            peers.append(run_peer(arguments.checkout, work, text[:cut], text[cut:], seed))
            print(f"seed {seed}  nanoGPT  {_line(peers[-1])}", flush=True)
            # The peer's time of this very seed: both sides share the machine's mood.
            for side, label, seconds in lengths(peers[-1]["seconds"]):
                row = run_ours(work, text[cut:], SIDES[side], seconds, seed)
                ours[side][label].append(row)
                print(f"seed {seed}  {side}, {label}  {_line(row)}", flush=True)
            report = summary(peers, ours)
            write_record(arguments.out, report)
    print(json.dumps({key: report[key] for key in ("nanogpt", *SIDES, "times_faster_to_its_loss")}, indent=2))


def lengths(peer: float) -> Iterator[tuple[str, str, float]]:
    """Yield side, name of the length and seconds for every run of ours beside a run of `peer` seconds."""
    for side in SIDES:
        for speedup in SPEEDUPS[side]:
            yield side, f"1/{speedup:g} of its time", peer / speedup
        for seconds in SECONDS.get(side, ()):
            yield side, f"{seconds:g} s", seconds


def times_faster(peers: list[dict[str, Any]], ours: dict[str, list[dict[str, Any]]]) -> float:
    reached = [
        median(peers, "seconds") / median(rows, "seconds")
        for rows in ours.values()
        if median(rows, "sliding") <= median(peers, "sliding") and median(rows, "separate") <= median(peers, "separate")
    ]
    return round(max(reached, default=0.0), 2)


def summary(peers: list[dict[str, Any]], ours: dict[str, dict[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    keys = ("seconds", "parameters", "separate", "sliding")
    medians = {
        side: {label: {key: round(median(rows, key), 4) for key in keys} for label, rows in of_side.items()}
        for side, of_side in ours.items()
    }
    return {
        "benchmark": "nanogpt",
        "command": "python benchmarks/nanogpt.py --checkout PATH",
        "seeds": len(peers),
        "unit": "nats per character over the whole validation text; wall seconds of the whole command; medians",
        "nanogpt": {key: round(median(peers, key), 4) for key in keys},
        "counting": round(median(ours["as planned"]["15 s"], "counting"), 4),
        **medians,
        "times_faster_to_its_loss": {side: times_faster(peers, of_side) for side, of_side in ours.items()},
        "runs": {"nanogpt": peers, **ours},
    }


def _line(row: dict[str, Any]) -> str:
    return f"{row['seconds']:6.1f} s  separate {row['separate']:.4f}  sliding {row['sliding']:.4f}"


if __name__ == "__main__":
    main()
