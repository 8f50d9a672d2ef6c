"""Tables of the README and of docs/results.md from what benchmarks recorded, and the figures in recipes."""

import json
from pathlib import Path
from typing import Any

from lilliput.recipe import named_recipe, recipe_names

ROOT = Path(__file__).parents[1]


def recorded() -> dict[str, dict[str, Any]]:
    """The recorded result of every recipe that has one."""
    paths = {name: ROOT / "results" / f"{name}.json" for name in recipe_names()}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}


def results_table() -> str:
    """The table of recipes in docs/results.md: the original's claim, ours in its measure, and an honest measure."""
    lines = [
        "| recipe | the project that it follows | ours in its measure | bits per character | parameters | minutes |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, result in recorded().items():
        ours = result["ours"]
        bits = ""
        if "bits_per_character" in ours:
            bits = f"{ours['bits_per_character']:.3f} (counting: {ours['count_model_bits_per_character']:.3f})"
        seeds = f"{result['seeds']} seed{'s' * (result['seeds'] != 1)}"
        cells = [f"`{name}`", result["original"], f"{result['headline']} ({seeds})", bits]
        cells += [f"{ours['parameters']:,}", f"{ours['seconds'] / 60:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def headline_table() -> str:
    """The short table of recipes in the README: what ours reaches, in how many minutes."""
    lines = ["| recipe | result | parameters | minutes |", "| --- | --- | --- | --- |"]
    for name, result in recorded().items():
        ours = result["ours"]
        headline = result["headline"].partition("; ")[0]
        lines.append(f"| `{name}` | {headline} | {ours['parameters']:,} | {ours['seconds'] / 60:.1f} |")
    return "\n".join(lines)


def comparison_table() -> str:
    """The table of `benchmarks/nanogpt.py` in docs/results.md: every side and length, then the speed-up of each."""
    result = json.loads((ROOT / "results" / "nanogpt.json").read_text(encoding="utf-8"))
    sides = result["times_faster_to_its_loss"]
    rows = {"nanoGPT": result["nanogpt"]}
    rows |= {f"Lilliput, {side}: {length}": row for side in sides for length, row in result[side].items()}
    lines = ["| | parameters | seconds | separate windows | sliding windows |", "| --- | --- | --- | --- | --- |"]
    for name, row in rows.items():
        cells = [name, f"{row['parameters']:,}", f"{row['seconds']:.1f}"]
        cells += [f"{row['separate']:.3f}", f"{row['sliding']:.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append(f"| counting, the best order | | | | {result['counting']:.3f} |")
    faster = ", ".join(f"{times:g} times ({side})" for side, times in sides.items() if times > 1)
    return "\n".join([*lines, "", f"Speed-up to nanoGPT's loss, at least: {faster}."])


WRITING = {
    "small": "GPT, 10.65 million parameters",
    "large": "GPT, 51 million parameters, 50,257 tokens",
    "lstm": "the LSTM of `shakespeare-lstm`",
}
PEERS = ("ours", "llama.cpp", "ours 8 bits", "llama.cpp q8_0", "transformers", "torch")


def writing_table() -> str:
    """The table of `benchmarks/decode.py` in docs/results.md: tokens per second of every side."""
    result = json.loads((ROOT / "results" / "decode.json").read_text(encoding="utf-8"))
    lines = [f"| tokens/s | texts | {' | '.join(PEERS)} |", "| --- | --- |" + " --- |" * len(PEERS)]
    for row in result["rows"]:
        figures = [row["figures"].get(side, {}).get("tokens_per_second") for side in PEERS]
        cells = ["" if figure is None else f"{figure:,.0f}" for figure in figures]
        lines.append(f"| {' | '.join([WRITING[row['case']], str(row['texts']), *cells])} |")
    return "\n".join(lines)


def rhymes_table() -> str:
    """The table of `benchmarks/rhymes.py` in docs/verse.md: what each way to a rhyme reaches."""
    result = json.loads((ROOT / "results" / "rhymes.json").read_text(encoding="utf-8"))
    shares = ("rhyme", "sufficient", "real_words", "distinct_pairs", "unique_endings", "top_ending")
    heads = ["rhymed", "well rhymed", "real words", "distinct pairs", "unique endings", "top ending"]
    lines = [f"| | {' | '.join(heads)} | nats by the base |", "| --- |" + " --- |" * (len(heads) + 1)]
    for name, row in result["methods"].items():
        cells = [name, *(f"{100 * row[key]:.1f} %" for key in shares), f"{row['log_prior']:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def wrong_figures() -> list[str]:
    """What a recipe's `[expected]` says that its recorded result does not."""
    wrong = []
    results = recorded()
    for name in recipe_names():
        expected = named_recipe(name).expected
        if expected is None:
            wrong += [f"{name}: a result is recorded, and the recipe has no [expected]"] if name in results else []
            continue
        if name not in results:
            wrong.append(f"{name}: [expected] without a recorded result")
            continue
        ours = results[name]["ours"]
        figures = expected.figures | {"minutes": expected.minutes}
        truth = ours | ours.get("writing", {}).get("written", {}) | {"minutes": ours["seconds"] / 60}
        for key, said in figures.items():
            digits = len(f"{said}".partition(".")[2])
            if round(float(truth[key]), digits) != said:
                wrong.append(f"{name}: expected.{key} is {said}, recorded is {truth[key]}")
    return wrong
