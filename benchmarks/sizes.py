"""Which model for a text of so many characters, in so many minutes? What the planned sizes are taken from.

    python benchmarks/sizes.py NAME TEXT [--characters 20000 ...] [--minutes 1 3 ...] [--models 2x96 ...] [--seeds 1]

The text's first so many characters are trained on by the command that users type, with no setting but the size of the
network (layers x width, heads of 32), and the last tenth of them held out. Each run is a line of `results/sizes.jsonl`,
written when it is done; what is there already is not run again. NAME says in the results what the text is.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from lilliput.corpus import open_corpus
from recipes import RESULTS, train

PATH = RESULTS / "sizes.jsonl"
HEAD_WIDTH = 32


def model_settings(model: str) -> dict[str, Any]:
    """Return the settings of `layers x width`."""
    layers, width = map(int, model.split("x"))
    return {"model.layers": layers, "model.width": width, "model.heads": max(1, width // HEAD_WIDTH)}


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
        "counting": evaluation["floors"]["ngram"]["bits_per_character"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name")
    parser.add_argument("text", type=Path)
    parser.add_argument("--characters", type=int, nargs="+")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0])
    parser.add_argument("--models", nargs="+", default=["1x64", "2x96", "3x128", "4x192"])
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    whole = open_corpus([str(arguments.text)]).text
    known = [json.loads(line) for line in PATH.read_text(encoding="utf-8").splitlines()] if PATH.exists() else []
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
                        folder = Path(work) / f"{characters}-{minutes}-{model}-{seed}"
                        row |= run(text, folder, minutes, model, seed)
                        with PATH.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(row) + "\n")
                        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
