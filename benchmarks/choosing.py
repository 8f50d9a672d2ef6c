"""How long one choice of a token takes, by size of the vocabulary and settings: microseconds, median of 40 rounds.

python benchmarks/choosing.py
"""

import statistics
import time

import numpy as np

from lilliput.generation import Sampler, SamplingSettings

CHOICES, ROUNDS = 50, 40
SETTINGS = {
    "temperature, top-k 50, top-p": {"temperature": 0.8, "top_k": 50, "top_p": 0.95},
    "temperature": {"temperature": 0.8},
    "the likeliest": {"temperature": 0},
    "temperature, top-p": {"temperature": 0.8, "top_p": 0.95},
    "temperature, min-p": {"temperature": 0.8, "min_p": 0.05},
}


def main() -> None:
    generator = np.random.default_rng(0)
    for size in (65, 50257):
        logits = [generator.normal(size=size).astype(np.float32) * 3 for _ in range(CHOICES)]
        for name, values in SETTINGS.items():
            sampler, rounds = Sampler(SamplingSettings.model_validate(values), 1, 1), []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                for logits_V in logits:
                    sampler.choose(logits_V, [1, 2, 3])
                rounds.append((time.perf_counter() - began) / CHOICES * 1e6)
            print(f"{size:6,} tokens  {name:<29} {statistics.median(rounds):6.1f} (least {min(rounds):.1f})")


if __name__ == "__main__":
    main()
