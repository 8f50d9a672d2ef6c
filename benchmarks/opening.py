"""How long a run takes to open, and its first character to appear; then how fast it writes. Medians over processes.

python benchmarks/opening.py RUN [--times 5]

Told are: `import torch` alone, `lilliput.load`, the engine's start, the first character of `lilliput sample` from the
start of the process, and tokens per second of `Writer.stream` by the run's own settings.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROMPT = "The "
INSIDE = """
import json, sys, time
began = time.perf_counter()
import torch
torch_seconds = time.perf_counter() - began
import lilliput
from lilliput.writer import load
began = time.perf_counter()
writer = load(sys.argv[1])
opened = time.perf_counter() - began
began = time.perf_counter()
writer.backend(1)
started = time.perf_counter() - began
list(writer.stream("The ", max_tokens=50))
began = time.perf_counter()
count = sum(len(list(writer.stream("The ", max_tokens=400, seed=seed))) for seed in range(5))
print(json.dumps({"import torch": torch_seconds, "load": opened, "engine": started,
                  "tokens per second": count / (time.perf_counter() - began)}))
"""


def first_character(run: Path) -> float:
    command = [
        str(Path(sys.executable).with_name("lilliput")),
        "sample",
        str(run),
        "--prompt",
        PROMPT,
        "--max-tokens",
        "20",
    ]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(len(PROMPT) + 1)
        seconds = time.perf_counter() - began
        process.stdout.read()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    rows = []
    for _ in range(arguments.times):
        printed = subprocess.check_output([sys.executable, "-c", INSIDE, str(arguments.run)], text=True)
        rows.append(json.loads(printed) | {"first character": first_character(arguments.run)})
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name:<18} {statistics.median(values):8.2f} ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
