"""The parts of a training step that are our own, against torch's: milliseconds of one call, forward and back.

    python benchmarks/parts.py [--repeats 15] [--machine "two cores"]

Attention by its definition against the fused one; the rows of embeddings of n-grams summed on the way against summed
afterwards; Muon with all matrices of one shape together against `torch.optim.Muon`. Both sides take turns, on random
numbers in the sizes of the recipes; medians over the repeats. Goes to `results/parts.json`.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from lilliput.models import GPTSettings, build
from lilliput.models.layers import plain_attention
from lilliput.models.mixing.ngrams import NgramEmbedding
from lilliput.optimization.muon import Muon
from lilliput.runtime import kept_memory
from record import RESULTS, write_record

RESULT = RESULTS / "parts.json"
ATTENTION = {
    "wikitext-103": (12, 8, 512, 64),
    "french-poetry-small": (12, 6, 256, 32),
    "darwin-gpt": (12, 6, 128, 42),
    "a planned model": (12, 4, 128, 32),
}
"""Rows, heads, window, width of a head."""
MATRICES = {"darwin-gpt": (6, 252, 6), "a planned model": (3, 128, 4)}
"""Layers, width, heads."""
GROUPS = {"darwin-gpt": (1536, 252), "french-poetry-small, if it had them": (3072, 192)}
"""Positions of a step, width."""

Sides = dict[str, Callable[[], object]]


def attention(rows: int, heads: int, window: int, width: int, precision: torch.dtype) -> Sides:
    queries_BHTK, keys_BHTK, values_BHTK = (
        torch.randn(rows, heads, window, width, dtype=precision, requires_grad=True) for _ in range(3)
    )
    back_BHTK = torch.randn(rows, heads, window, width, dtype=precision)

    def call(mix: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        torch.autograd.backward(mix(queries_BHTK, keys_BHTK, values_BHTK), back_BHTK)

    return {
        "ours": lambda: call(partial(plain_attention, dropout=0.0)),
        "torch's": lambda: call(partial(F.scaled_dot_product_attention, is_causal=True)),
    }


def groups(positions: int, width: int) -> Sides:
    embedding = NgramEmbedding(5, 16384, width, 128, 0.0)
    ids_BT = torch.randint(128, (12, positions // 12))
    indices_SN = embedding.indices(ids_BT).flatten(0, 1)
    back_SD = torch.randn(positions, width)
    return {
        "ours": lambda: torch.autograd.backward(embedding(ids_BT).view(positions, width), back_SD),
        "torch's": lambda: torch.autograd.backward(F.embedding(indices_SN, embedding.table.weight).sum(1), back_SD),
    }


def muon(layers: int, width: int, heads: int) -> Sides:
    options = {"lr": 0.02, "momentum": 0.95, "weight_decay": 0.1}
    sides: Sides = {}
    for name, make in {"ours": Muon, "torch's": torch.optim.Muon}.items():
        model = build(GPTSettings(layers=layers, width=width, heads=heads), 128, 128)
        matrices = [matrix for name, matrix in model.named_parameters() if "blocks" in name and matrix.ndim == 2]
        for matrix in matrices:
            matrix.grad = torch.randn_like(matrix)
        sides[name] = make(matrices, **options).step
    return sides


def milliseconds(sides: Sides, repeats: int) -> dict[str, float]:
    """Return the median time of a call of each side, in turn; the first two calls are not counted."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats + 2):
        for name, call in sides.items():
            started = time.perf_counter()
            call()
            if repeat >= 2:
                taken[name].append((time.perf_counter() - started) * 1e3)
    return {name: round(statistics.median(times), 2) for name, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--machine", default="two cores")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    found: dict[str, dict[str, dict[str, float]]] = {}
    with kept_memory():
        for kind in (torch.bfloat16, torch.float32):
            found[f"attention, {str(kind).removeprefix('torch.')}"] = {
                name: milliseconds(attention(*sizes, kind), arguments.repeats) for name, sizes in ATTENTION.items()
            }
        found["sum of the rows of n-grams"] = {
            name: milliseconds(groups(*sizes), arguments.repeats) for name, sizes in GROUPS.items()
        }
        found["Muon"] = {name: milliseconds(muon(*sizes), arguments.repeats) for name, sizes in MATRICES.items()}
    result = {
        "benchmark": "parts",
        "command": "python benchmarks/parts.py",
        "machine": arguments.machine,
        "unit": f"milliseconds of one call, forward and back; medians of {arguments.repeats}, both sides in turn",
        **found,
    }
    write_record(RESULT, result)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
