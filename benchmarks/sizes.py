"""Which model for a text of so many characters, in so many minutes? What the planned sizes are taken from.

    python benchmarks/sizes.py NAME TEXT [--characters 20000 ...] [--minutes 1 3 ...] [--models planned KEY=VALUE ...]

The text's first so many characters are trained on by the command that users type, and the last tenth of them held out:
as planned, with no setting at all, or with others ("model.layers=4 model.dropout=0.2" is one model). Each run is a line
of `results/sizes.jsonl`, written when it is done; what is there already is not run again. NAME says in the results what
the text is. `python benchmarks/sizes.py --fit` prints what stands in `lilliput.planning.expected_loss`: how much better
than counting the planned ones are.
"""

import argparse
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from lilliput.corpus import open_corpus
from lilliput.recipe import parse_setting
from recipes import train
from record import RESULTS

PATH = RESULTS / "sizes.jsonl"
PLANNED = "planned"
LEARNED_SHARE, COUNTED = 0.9, 8_000_000


def model_settings(model: str) -> dict[str, Any]:
    """Return the settings of `planned`, or of `key=value` with blanks between them."""
    return {} if model == PLANNED else dict(parse_setting(word) for word in model.split())


def run(text: Path, folder: Path, minutes: float, model: str, seed: int) -> dict[str, Any]:
    """Train once and return what the run says of itself."""
    seconds = train(str(text), folder, seed, model_settings(model) | {"training.minutes": minutes})
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "seconds": round(seconds, 1),
        "tokens": max(row.get("tokens", 0) for row in rows),
        "bits_per_character": evaluation["bits_per_character"],
        "best_share": round(evaluation["step"] / max(row["step"] for row in rows), 3),
        "counting": evaluation["baselines"]["ngram"]["bits_per_character"],
        "xz": evaluation["baselines"]["xz"]["bits_per_character"],
    }


def fit(rows: list[dict[str, Any]]) -> None:
    """Print the plane of least squares through the planned runs' shares of counting, and how far they are from it."""
    planned = [row for row in rows if row["model"] == PLANNED]
    known = [
        [
            1.0,
            math.log10(row["tokens"] / 1e6),
            math.log10(min(row["characters"] * LEARNED_SHARE, COUNTED) / 1e6),
            math.log2(row["counting"] / 2),
            math.log2(row["xz"] / row["counting"]),
        ]
        for row in planned
    ]
    shares = np.array([row["bits_per_character"] / row["counting"] for row in planned])
    plane = np.linalg.lstsq(np.array(known), shares, rcond=None)[0]
    off = np.array(known) @ plane / shares - 1
    print("LEVEL, BY_TOKENS, BY_CHARACTERS, BY_COUNTING, BY_COPYING =", ", ".join(f"{value:.4f}" for value in plane))
    print(f"{len(planned)} runs; off by {np.abs(off).mean():.1%} on average and by {np.abs(off).max():.1%} at most")
    for row, share, part in zip(planned, shares, off, strict=True):
        print(row["text"], row["characters"], row["minutes"], row["seed"], f"{share:.3f} {part:+.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", nargs="?")
    parser.add_argument("text", type=Path, nargs="?")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--characters", type=int, nargs="+")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0])
    parser.add_argument("--models", nargs="+", default=[PLANNED])
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    known = [json.loads(line) for line in PATH.read_text(encoding="utf-8").splitlines()] if PATH.exists() else []
    if arguments.fit:
        fit(known)
        return
    if arguments.text is None:
        parser.error("NAME and TEXT are needed to run anything")
    whole = open_corpus([str(arguments.text)]).text
    done = [{key: row[key] for key in ("text", "characters", "minutes", "model", "seed")} for row in known]
    with tempfile.TemporaryDirectory() as work:
        for characters in arguments.characters or [len(whole)]:
            text = Path(work) / f"{characters}.txt"
            text.write_text(whole[:characters], encoding="utf-8", newline="")
            for minutes in arguments.minutes:
                for seed in range(1, arguments.seeds + 1):
                    for model in arguments.models:
                        row: dict[str, Any] = {"text": arguments.name, "characters": characters, "minutes": minutes}
                        row |= {"model": model, "seed": seed}
                        if row in done:
                            continue
                        folder = Path(work) / f"run-{len(known)}"
                        row |= run(text, folder, minutes, model, seed)
                        known.append(row)
                        with PATH.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(row) + "\n")
                        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
