"""The parts of the pages that follow from the code: what `--help` says, the tables of a recipe's keys, the log's index.

Run `python -m tools.generated_docs` to update them. What a key means is written by hand in the page and kept,
and so is what stands above a table.
"""

import contextlib
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lilliput.cli import main as run_lilliput
from lilliput.cli.application import VERBS
from lilliput.models.settings import GPTSettings, RecurrentSettings
from lilliput.recipe import Recipe
from tools.recorded_results import comparison_table, headline_table, results_table, rhymes_table, writing_table

DOCS = Path(__file__).parents[1] / "docs"
README, RECIPES, REFERENCE = DOCS.parent / "README.md", DOCS / "recipes.md", DOCS / "reference.md"
LOG, RESULTS, VERSE = DOCS / "log.md", DOCS / "results.md", DOCS / "verse.md"


def help_text() -> str:
    commands = [[], *([verb] for verb in VERBS), ["recipes", "show"], ["corpora", "get"]]
    parts = []
    # The first line of a help text and its width depend on where it is shown.
    former = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    try:
        for command in sorted(commands, key=lambda words: [VERBS.index(words[0]), *words[1:]] if words else []):
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
                run_lilliput([*command, "--help"])
            lines = "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())
            parts.append(f"### {' '.join(['lilliput', *command])}\n\n```text\n{lines}\n```")
    finally:
        if former is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = former
    return "\n\n".join(parts)


def value(plain: Any) -> str:
    if isinstance(plain, float) and (plain >= 1000 or 0 < plain < 1e-3):
        return f"{plain:g}"
    return json.dumps(plain, ensure_ascii=False)


def code(plain: Any) -> str:
    return f"`{value(plain)}`"


def type_of(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        (schema,) = (inner for inner in schema["anyOf"] if inner != {"type": "null"})
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return ", ".join(map(code, schema["enum"]))
    match schema["type"]:
        case "array" if "prefixItems" in schema:
            return f"{len(schema['prefixItems'])} values: {type_of(schema['prefixItems'][0])}"
        case "array":
            return f"list: {type_of(schema['items'])}"
        case "integer" | "number" as kind:
            bounds = [("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<")]
            words = [
                f"{sign} {schema[key]:,g}" if schema[key] < 1e6 else f"{sign} {schema[key]:,}"
                for key, sign in bounds
                if key in schema
            ]
            return " ".join([kind, ", ".join(words)]).strip()
        case "boolean":
            return "true or false"
        case "object":
            return f"table: name -> {type_of(schema['additionalProperties'])}"
        case kind:
            return str(kind)


def settings() -> dict[str, dict[str, tuple[str, str]]]:
    """The tables of the page: heading -> key -> (type, default)."""
    schema = Recipe.model_json_schema()
    classes = schema["$defs"]
    headings = {
        "At the top": {
            "properties": {name: schema["properties"][name] for name in ("name", "description", "seed", "planned")}
        },
        "[data]": classes["DataSettings"],
        "[data.split]": classes["SplitSettings"],
        "[data.fields]": classes["FieldSettings"],
        "[data.arithmetic]": classes["ArithmeticSettings"],
        "[tokenizer]": classes["TokenizerSettings"],
        '[model] with kind = "gpt"': classes["GPTSettings"],
        '[model] with kind = "lstm" or "gru"': classes["RecurrentSettings"],
        "[training]": classes["TrainingSettings"],
        "[objective]": classes["ObjectiveSettings"],
        "[sample]": classes["SampleSettings"],
        "[expected]": classes["ExpectedSettings"],
    }
    return {
        heading: {
            name: (
                type_of(part),
                "required" if name in content.get("required", ()) else default_of(heading, name, part),
            )
            for name, part in content["properties"].items()
            if "$ref" not in json.dumps(part)  # a section of its own
        }
        for heading, content in headings.items()
    }


def default_of(heading: str, name: str, schema: dict[str, Any]) -> str:
    if heading.startswith("[model]"):
        gpt = "gpt" in heading
        plain, wider = (
            (GPTSettings(), GPTSettings(width=256, heads=8))
            if gpt
            else (RecurrentSettings(), RecurrentSettings(width=256))
        )
        if gpt and name in shapes()["gpt2"]:
            return "by `shape`"
        if name not in ("width", "heads") and getattr(plain, name) != getattr(wider, name):
            return "from others"
        if name == "attention_dropout":
            return "from others"
    default = schema.get("default")
    return "not set" if default is None else code(default)


def shapes() -> dict[str, dict[str, Any]]:
    """What each shape sets, for the keys in which they differ or might."""
    named = ("gpt2", "llama", "modern")
    made = {name: GPTSettings(shape=name).model_dump() for name in named}
    size = ("kind", "shape", "layers", "width", "heads", "key_value_heads", "feed_forward", "dropout")
    alike = ("attention_dropout", "ngrams", "ngram_rows", "ngram_dropout", "ensemble", "counts")
    return {name: {key: made[name][key] for key in made[name] if key not in size + alike} for name in named}


def shape_table() -> str:
    made = shapes()
    lines = ["| key | " + " | ".join(map(code, made)).replace('"', "") + " |", "| --- " * (len(made) + 1) + "|"]
    lines += [f"| `{key}` | " + " | ".join(code(made[name][key]) for name in made) + " |" for key in made["gpt2"]]
    return "\n".join(lines)


def settings_page(text: str) -> str:
    """The recipes page with types and defaults put in; prose and meanings are kept, and an unknown key is dropped."""
    for heading, rows in settings().items():
        title = f"### {heading}\n"
        before, _, rest = text.partition(title)
        end = re.search(r"^##", rest, re.MULTILINE)
        assert end and rest, f"docs/recipes.md has no heading {heading!r}"
        prose, _, _ = rest[: end.start()].partition("| key |")
        meanings = dict(re.findall(r"^\| `(\w+)` \|.*\| (.*?) \|$", rest[: end.start()], re.MULTILINE))
        order = [key for key in meanings if key in rows] + [key for key in rows if key not in meanings]
        table = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        table += [f"| `{key}` | {rows[key][0]} | {rows[key][1]} | {meanings.get(key, '')} |" for key in order]
        text = before + "\n\n".join(filter(None, [title.strip(), prose.strip(), "\n".join(table), rest[end.start() :]]))
    return between(text, "shapes", shape_table())


def between(text: str, name: str, content: str) -> str:
    pattern = rf"(<!-- {name}: do not edit by hand -->\n).*?(<!-- end of {name} -->)"
    assert re.search(pattern, text, re.DOTALL)
    return re.sub(pattern, lambda match: f"{match[1]}\n{content}\n\n{match[2]}", text, flags=re.DOTALL)


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def log_index(text: str) -> str:
    """A link to each entry of the log."""
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    return "\n".join(f"- [{heading}](#{slug(heading)})" for heading in headings)


def generated() -> Iterator[tuple[Path, str]]:
    yield RECIPES, settings_page(RECIPES.read_text(encoding="utf-8"))
    yield README, between(README.read_text(encoding="utf-8"), "headlines", headline_table())
    results = RESULTS.read_text(encoding="utf-8")
    tables = {"results": results_table(), "comparison": comparison_table(), "writing": writing_table()}
    for name, table in tables.items():
        results = between(results, name, table)
    yield RESULTS, results
    yield VERSE, between(VERSE.read_text(encoding="utf-8"), "rhymes", rhymes_table())
    yield REFERENCE, between(REFERENCE.read_text(encoding="utf-8"), "help", help_text())
    log = LOG.read_text(encoding="utf-8")
    yield LOG, between(log, "index", log_index(log))


if __name__ == "__main__":
    for _page, _text in generated():
        _page.write_text(_text, encoding="utf-8")
