"""Do caches and the engine write what the model itself says? Greedy texts behind many prompts, four ways.

    lilliput train shakespeare --minutes 1 --out runs/planned
    python benchmarks/exact.py runs/planned [RUN ...] [--prompts 1000] [--new 32]

The prompts are pieces of a run's held-out text, of many lengths. `whole` reads all of a text anew for every token, in
one pass without a cache; `cached` adds one token at a time to torch's cache, `engine` to onnxruntime's, `replay` in the
way that a GPU repeats. Told are the share of the prompts behind which all tokens are those of `whole`, and the largest
difference between the logits of any token, as far as the texts before it are the same.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from lilliput.data.tokens import read_tokens
from lilliput.generation import Backend, CudaGraphBackend, OnnxBackend, TorchBackend, load_engine
from lilliput.models import Model
from lilliput.runs.folder import RunFolder
from lilliput.writer import load

AT_ONCE = 32


class Found:
    """How near one way comes to `whole`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.same = 0
        self.prompts = 0
        self.off = 0.0

    def add(self, logits_BTV: np.ndarray, ids_BT: np.ndarray, wanted_BTV: np.ndarray, wanted_BT: np.ndarray) -> None:
        same_BT = np.logical_and.accumulate(ids_BT == wanted_BT, 1)
        self.prompts += len(ids_BT)
        self.same += int(same_BT[:, -1].sum())
        # The logits of a token depend on those before it alone.
        alike_BT = np.concatenate((np.ones_like(same_BT[:, :1]), same_BT[:, :-1]), 1)
        self.off = max(self.off, float(np.abs(logits_BTV - wanted_BTV)[alike_BT].max()))

    def told(self) -> str:
        share = f"{self.same:,} of {self.prompts:,} texts the same"
        return f"  {self.name:<7} {share}, logits differ by {self.off:.1e} at most"


def whole(model: Model, prompts: list[list[int]], new: int) -> tuple[np.ndarray, np.ndarray]:
    ids_BT, logits = torch.tensor(prompts), []
    for _ in range(new):
        with torch.inference_mode():
            logits.append(model.head(model.features(ids_BT)[:, -1:])[:, 0].float())
        ids_BT = torch.cat((ids_BT, logits[-1].argmax(1, keepdim=True)), 1)
    return torch.stack(logits, 1).numpy(), ids_BT[:, len(prompts[0]) :].numpy()


def one_by_one(backend: Backend, prompts: list[list[int]], new: int) -> tuple[np.ndarray, np.ndarray]:
    logits = [np.stack([backend.prefill(row, prompt) for row, prompt in enumerate(prompts)])]
    for _ in range(new - 1):
        logits.append(backend.decode(logits[-1].argmax(1).tolist()))
    logits_BTV = np.stack(logits, 1)
    return logits_BTV, logits_BTV.argmax(-1)


def compare(run: Path, count: int, new: int) -> None:
    writer = load(run)
    model = writer.model
    tokens = read_tokens(RunFolder(run).validation_tokens)
    engine = load_engine(model, print)
    assert engine is not None
    generator = np.random.default_rng(1)
    ways: dict[Found, Callable[[int], Backend]] = {
        Found("cached"): lambda rows: TorchBackend(model, rows),
        Found("engine"): lambda rows: OnnxBackend(engine, rows),
        Found("replay"): lambda rows: CudaGraphBackend(model, rows),
    }
    longest = min(model.context, len(tokens) - 1) - new
    for first in range(0, count, AT_ONCE):
        rows, length = min(AT_ONCE, count - first), int(generator.integers(1, longest + 1))
        starts = generator.integers(0, len(tokens) - length, rows)
        prompts = [tokens[start : start + length].tolist() for start in starts]
        wanted = whole(model, prompts, new)
        for found, backend in ways.items():
            found.add(*one_by_one(backend(rows), prompts, new), *wanted)
    print(f"{run}: prompts of 1 to {longest} tokens, {new} new ones each")
    for found in ways:
        print(found.told(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--new", type=int, default=32)
    arguments = parser.parse_args()
    for run in arguments.runs:
        compare(run, arguments.prompts, arguments.new)


if __name__ == "__main__":
    main()
