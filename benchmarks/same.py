"""Are two commits the same program? Every recipe, and the plan of a text, trained by both, and compared to the bit.

    python benchmarks/same.py HEAD~3 HEAD
    python benchmarks/same.py main . --only planned darwin-gpt

`.` is the working tree. Each recipe trains for 20 steps on 60 kB of Python's own documentation, with few rows a step,
so that its model keeps its size; byte-pair tokens take the place of GPT-2's, which have to be fetched. Then it writes
200 tokens. Compared are all figures of `metrics.jsonl` but times, those of `evaluation.json`, and the text. A change
that is to keep the program as it is has to pass; any other has to be measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

ROOT = Path(__file__).parents[1]
STEPS, TOKENS, CHARACTERS = 20, 200, 60_000
PLANNED = "planned"
LESS = ("training.batch=4", "training.compile=false")
BYTE_PAIRS = ("tokenizer.kind=bpe", "tokenizer.vocabulary=512")
"""In place of a vocabulary that has to be fetched."""


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Yield a folder with the files of a commit; `.` is the working tree."""
    if commit == ".":
        yield ROOT
        return
    with tempfile.TemporaryDirectory(prefix="lilliput-same-") as folder:
        tree = Path(folder, "tree")
        git = ("git", "-C", str(ROOT), "worktree")
        subprocess.run([*git, "add", "--detach", "--quiet", str(tree), commit], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def command(tree: Path, *arguments: str) -> bytes:
    """Return what a verb of the program in `tree` writes."""
    code = "from lilliput.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": str(tree / "src")}
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=environment, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"lilliput {' '.join(arguments)} failed in {tree}:\n{done.stderr.decode()}")
    return done.stdout


def length_flag(tree: Path) -> str:
    """Return the name of the flag for the number of tokens, which earlier commits have under another name."""
    module = tree / "src/lilliput/cli/commands/sample.py"
    if not module.exists():
        module = tree / "src/lilliput/cli/sample.py"
    return "--max-tokens" if "max_tokens" in module.read_text() else "--length"


def run(tree: Path, name: str, text: Path, folder: Path) -> dict[str, Any]:
    """Train a recipe, or the plan of the text, and return all that is compared."""
    settings = [f"training.steps={STEPS}"]
    target = [str(text)]
    if name != PLANNED:
        source = (tree / "src/lilliput/recipes" / f"{name}.toml").read_text()
        settings += LESS
        settings += ["training.accumulation=2"] * ("accumulation" in source)
        settings += BYTE_PAIRS * ('kind = "gpt2"' in source)
        target = [name] if "[data.arithmetic]" in source else [name, "--corpus", str(text)]
    flags = [part for setting in settings for part in ("--set", setting)]
    command(tree, "train", *target, "--out", str(folder), *flags)
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return {
        "losses": [[value for key, value in row.items() if key != "seconds"] for row in rows],
        "evaluation": values(json.loads((folder / "evaluation.json").read_text())),
        "text": command(tree, "sample", str(folder), length_flag(tree), str(TOKENS), "--temperature", "0.8").decode(),
    }


def values(content: Any) -> Any:
    """Return the values of JSON without the names of its keys, which may have become others."""
    if isinstance(content, dict):
        return [values(value) for value in content.values()]
    return [values(value) for value in content] if isinstance(content, list) else content


def main() -> None:
    """Compare two commits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--only", nargs="+", help=f"names of recipes, and {PLANNED!r}")
    arguments = parser.parse_args()
    names = arguments.only or [PLANNED, *sorted(path.stem for path in (ROOT / "src/lilliput/recipes").glob("*.toml"))]
    differ = []
    with (
        checked_out(arguments.before) as before,
        checked_out(arguments.after) as after,
        tempfile.TemporaryDirectory(prefix="lilliput-same-") as work,
    ):
        text = Path(work, "text.txt")
        text.write_text("".join(topics[topic] for topic in sorted(topics))[:CHARACTERS])
        for name in names:
            one, other = (
                run(tree, name, text, Path(work, f"{side}-{name}")) for side, tree in (("a", before), ("b", after))
            )
            parts = [part for part in one if one[part] != other[part]]
            differ += [name] * bool(parts)
            print(f"{name:22}", f"DIFFERS: {', '.join(parts)}" if parts else "equal", flush=True)
    sys.exit(f"not the same: {', '.join(differ)}" if differ else 0)


if __name__ == "__main__":
    main()
