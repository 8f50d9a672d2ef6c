"""The pages say what is so: commands and examples run, links lead somewhere, generated parts are up to date.

Blocks of a page are taken in their order, in an empty folder with made-up texts:

- `sh`: every line is run. `make X` is only looked up in the Makefile. `lilliput ...` is run in this process, perhaps
  with `cat FILE |` before it; `export NAME=VALUE` sets the environment. Training is cut short by one rule: `--minutes`
  is left out, and one step and short samples are asked for. Any other command is a fault of the page.
- `python`: executed; `lilliput.train` is cut short in the same way.
- `toml NAME`, `json NAME`: written to the file NAME. `json NAME.output.json` is compared with real output.

Texts that are known by name come from a folder LILLIPUT_DATA with made-up contents; nothing reaches the network.
Write the generated parts of the pages anew with `python -m tests.test_docs`.
"""

import ast
import contextlib
import io
import json
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import lilliput.api
from lilliput.cli import VERBS
from lilliput.cli import main as run_lilliput
from lilliput.corpus.catalogue import CATALOGUE
from lilliput.models.settings import GPTSettings, RecurrentSettings
from lilliput.recipe import _FREE_KEYS, Recipe, recipe_names
from tests.conftest import made_up_text
from tests.test_layers import LAYERS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "lilliput"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
RECIPES, REFERENCE, GUIDE = (ROOT / "docs" / name for name in ("recipes.md", "reference.md", "guide.md"))
TEXTS = ("poems.txt", "letters.txt", "diary.md", "heldout.txt", "stories/first.txt", "stories/second.txt")
SHORT = {"training.steps": 1, "sample.length": 20}


class Block(NamedTuple):
    kind: str
    name: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(match[1], match[2] or "", match[3], text.count("\n", 0, match.start()) + 2) for match in found]


# The folder in which a page's blocks run.


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import requests

    def refuse(*_: object, **__: object) -> None:
        raise requests.ConnectionError("no network in tests")

    monkeypatch.setattr(requests.Session, "request", refuse)
    folder = tmp_path / "place"
    for number, name in enumerate(TEXTS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(made_up_text(6000, number), encoding="utf-8")
    (folder / "opening.txt").write_text("The river", encoding="utf-8")
    data = folder / "texts"
    data.mkdir()
    for name, entry in list(CATALOGUE.items()):
        # Made-up texts have other checksums than the real ones.
        monkeypatch.setitem(CATALOGUE, name, replace(entry, training=replace(entry.training, sha256=None)))
        if entry.training.files:
            (data / entry.training.files[0]).write_text(made_up_text(6000, len(name)), encoding="utf-8")
    (folder / "tinyshakespeare.txt").write_text(made_up_text(6000, 77), encoding="utf-8")
    monkeypatch.setenv("LILLIPUT_DATA", str(data))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(lilliput.api, "train", shortened_train(lilliput.api.train))
    return folder


def shortened_train(train: Any) -> Any:
    def short(
        *targets: Any, minutes: float | None = None, training: Any = None, sample: Any = None, **rest: Any
    ) -> Any:
        return train(
            *targets, training={**(training or {}), "steps": 1}, sample={"length": 20, **(sample or {})}, **rest
        )

    return short


def shortened(arguments: list[str]) -> list[str]:
    if arguments[0] not in ("train", "demo"):
        return arguments
    kept = list(arguments)
    if "--minutes" in kept:
        at = kept.index("--minutes")
        assert float(kept[at + 1]) > 0
        del kept[at : at + 2]
    if kept[0] == "demo":
        return [*kept, "--minutes", "0.01"]
    return [*kept, *(word for key, value in SHORT.items() for word in ("--set", f"{key}={value}"))]


def output_of(arguments: list[str], monkeypatch: pytest.MonkeyPatch, given: str = "") -> str:
    standard_input = io.TextIOWrapper(io.BytesIO(given.encode()), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", standard_input)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as end:
        run_lilliput(arguments)
    assert end.value.code == 0, f"lilliput {shlex.join(arguments)} ended with {end.value.code}"
    return out.getvalue()


def run_line(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(line, comments=True)
    match words:
        case []:
            return
        case ["make", target]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        case ["export", assignment]:
            name, _, value = assignment.partition("=")
            monkeypatch.setenv(name, value)
        case ["cat", file, "|", "lilliput", *arguments]:
            output_of(shortened(arguments), monkeypatch, Path(file).read_text(encoding="utf-8"))
        case ["lilliput", *arguments]:
            output_of(shortened(arguments), monkeypatch)
        case _:
            pytest.fail(f"the test does not know how to run {line!r}")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_example_runs(page: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    for block in blocks(page):
        if block.kind == "sh":
            for line in block.text.splitlines():
                run_line(line, monkeypatch)
        elif block.kind == "python":
            # The lines before it make a failure point to the line of the page.
            code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
            with contextlib.redirect_stdout(io.StringIO()):
                exec(code, names)
        elif block.kind in ("toml", "json") and not block.name.endswith(".output.json"):
            assert block.name, f"{page.name}, line {block.line}: the block has no file name"
            (place / block.name).write_text(block.text, encoding="utf-8")
        else:
            assert block.kind in ("text", "json"), f"{page.name}, line {block.line}: {block.kind} is never run"


def test_no_command_hides_in_an_unmarked_block() -> None:
    for page in PAGES:
        fences = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("```")]
        assert all(line != "```" for line in fences[::2]), f"{page.name} has a block without a kind"
        assert all(line == "```" for line in fences[1::2])
        for block in blocks(page):
            if block.kind == "text":
                assert not re.search(r"^(\$ )?(lilliput|make|python|pip|cat|export) ", block.text, re.MULTILINE), page


# What programs print, against the pages' examples.


def keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: keys(inner) for key, inner in value.items()}
    return None


@pytest.mark.slow
def test_json_has_the_documented_keys(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Path("runs/poems")
    trained = output_of(shortened(["train", "poems.txt", "--json"]), monkeypatch)
    metrics = (place / run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    found = {
        "train": trained,
        "eval": output_of(["eval", str(run), "--json"], monkeypatch),
        "sample": output_of(["sample", str(run), "--json"], monkeypatch),
        "recipes": output_of(["recipes", "--json"], monkeypatch).splitlines()[0],
        "corpora": output_of(["corpora", "--json"], monkeypatch).splitlines()[0],
        "step": metrics[0],
        "evaluation": metrics[1],
        "samples": (place / run / "samples.jsonl").read_text(encoding="utf-8"),
        "facts": (place / run / "facts.json").read_text(encoding="utf-8"),
        "model": (place / run / "model.json").read_text(encoding="utf-8"),
    }
    documented = {block.name.split(".")[0]: block.text for block in blocks(REFERENCE) if block.kind == "json"}
    assert documented.keys() == found.keys()
    for name, text in documented.items():
        given, real = keys(json.loads(text)), keys(json.loads(found[name]))
        if name == "model":
            given["settings"] = real["settings"]  # the page says: all keys of [model]
        assert given == real, name
    stored = json.loads((place / run / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))
    row = next(line for line in REFERENCE.read_text(encoding="utf-8").splitlines() if "tokenizer.json`" in line)
    assert re.findall(r"`(\w+)`", row.split("|")[2]) == list(stored)
    listed = {
        name for name in re.findall(r"`([\w.]+)", section(GUIDE, "The run's folder")) if (place / run / name).exists()
    }
    assert {path.name for path in (place / run).iterdir()} - {".lock"} == listed


# The parts that are generated.


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
        case kind:
            return str(kind)


def settings() -> dict[str, dict[str, tuple[str, str]]]:
    """The tables of the page: heading -> key -> (type, default)."""
    schema = Recipe.model_json_schema()
    classes = schema["$defs"]
    headings = {
        "At the top": {"properties": {name: schema["properties"][name] for name in ("name", "description", "seed")}},
        "[data]": classes["DataSettings"],
        "[data.split]": classes["SplitSettings"],
        "[tokenizer]": classes["TokenizerSettings"],
        '[model] with kind = "gpt"': classes["GPTSettings"],
        '[model] with kind = "lstm" or "gru"': classes["RecurrentSettings"],
        "[training]": classes["TrainingSettings"],
        "[objective]": classes["ObjectiveSettings"],
        "[sample]": classes["SampleSettings"],
    }
    return {
        heading: {
            name: (type_of(part), default_of(heading, name, part))
            for name, part in content["properties"].items()
            if "$ref" not in part
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
    default = schema.get("default")
    return "not set" if default is None else code(default)


def shapes() -> dict[str, dict[str, Any]]:
    """What each shape sets, for the keys in which they differ or might."""
    named = ("gpt2", "llama", "modern")
    made = {name: GPTSettings(shape=name).model_dump() for name in named}
    size = ("kind", "shape", "layers", "width", "heads", "key_value_heads", "feed_forward", "dropout")
    return {name: {key: made[name][key] for key in made[name] if key not in size} for name in named}


def shape_table() -> str:
    made = shapes()
    lines = ["| key | " + " | ".join(map(code, made)).replace('"', "") + " |", "| --- " * (len(made) + 1) + "|"]
    lines += [f"| `{key}` | " + " | ".join(code(made[name][key]) for name in made) + " |" for key in made["gpt2"]]
    return "\n".join(lines)


def settings_page(text: str) -> str:
    """The recipes page with types and defaults put in; what a key means is kept, and an unknown key is dropped."""
    for heading, rows in settings().items():
        title = f"### {heading}\n"
        before, _, rest = text.partition(title)
        end = re.search(r"^##", rest, re.MULTILINE)
        assert end and rest, f"docs/recipes.md has no heading {heading!r}"
        meanings = dict(re.findall(r"^\| `(\w+)` \|.*\| (.*?) \|$", rest[: end.start()], re.MULTILINE))
        order = [key for key in meanings if key in rows] + [key for key in rows if key not in meanings]
        table = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        table += [f"| `{key}` | {rows[key][0]} | {rows[key][1]} | {meanings.get(key, '')} |" for key in order]
        text = before + title + "\n" + "\n".join(table) + "\n\n" + rest[end.start() :]
    return between(text, "shapes", shape_table())


def between(text: str, name: str, content: str) -> str:
    pattern = rf"(<!-- {name}: do not edit by hand -->\n).*?(<!-- end of {name} -->)"
    assert re.search(pattern, text, re.DOTALL)
    return re.sub(pattern, lambda match: f"{match[1]}\n{content}\n\n{match[2]}", text, flags=re.DOTALL)


def generated() -> Iterator[tuple[Path, str]]:
    yield RECIPES, settings_page(RECIPES.read_text(encoding="utf-8"))
    yield REFERENCE, between(REFERENCE.read_text(encoding="utf-8"), "help", help_text())


def test_generated_parts_are_up_to_date() -> None:
    for page, text in generated():
        assert page.read_text(encoding="utf-8") == text, f"write {page.name} anew: python -m tests.test_docs"


def test_every_key_has_a_meaning() -> None:
    rows = re.findall(r"^\| `\w+` \|.*$", RECIPES.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > sum(map(len, settings().values()))
    assert not [row for row in rows if "|  |" in row]


# Lists that must be whole, and references that must lead somewhere.


def section(page: Path, heading: str) -> str:
    _, found, rest = page.read_text(encoding="utf-8").partition(f"## {heading}\n")
    assert found, f"{page.name} has no section {heading!r}"
    return re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), target


def test_recipes_are_listed() -> None:
    for page, heading in ((ROOT / "README.md", "Recipes"), (RECIPES, "The recipes that come along")):
        assert sorted(re.findall(r"^\| `([\w-]+)` \|", section(page, heading), re.MULTILINE)) == recipe_names()


def test_named_texts_are_listed() -> None:
    sentence = section(GUIDE, "Texts known by name").partition("The names are")[2].partition(".")[0]
    assert re.findall(r"`([\w-]+)`", sentence) == list(CATALOGUE)


def test_the_keys_that_may_change_are_listed() -> None:
    sentence = section(GUIDE, "Stopping and going on").partition("What may change")[2].partition("everything in")[0]
    assert set(re.findall(r"`([\w.]+)`", sentence)) == _FREE_KEYS


def test_public_names_and_errors_are_listed() -> None:
    page = section(REFERENCE, "Python")
    assert set(re.findall(r"^\| `lilliput\.(\w+)", page, re.MULTILINE)) == set(lilliput.__all__)
    classes = {name for name in vars(lilliput.errors) if name.endswith("Error")}
    assert set(re.findall(r"`(\w+Error)`", page)) | {"LilliputError"} == classes


def test_architecture_has_the_layers_and_parts() -> None:
    page = ROOT / "docs" / "architecture.md"
    lines = next(block.text for block in blocks(page) if "\nruntime\n" in block.text).splitlines()
    assert [set(line.split(", ")) for line in lines] == LAYERS
    tree = next(block.text for block in blocks(page) if block.text.startswith("src/lilliput/\n"))
    parts = {path.name + "/" * path.is_dir() for path in SOURCE.iterdir()} - {"__pycache__/", "py.typed"}
    assert set(re.findall(r"^  (\S+)", tree, re.MULTILINE)) == parts


def test_messages_in_the_guide_are_in_the_source() -> None:
    strings = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.append(node.value)
    # This one is pydantic's.
    strings.append("Unable to extract tag using discriminator 'kind'")
    messages = re.findall(r"^\| `(.*?)` \|", section(GUIDE, "Trouble and remedies"), re.MULTILINE)
    assert len(messages) > 20
    for message in messages:
        assert any(message.lower() in string.lower() for string in strings), message


if __name__ == "__main__":
    for _page, _text in generated():
        _page.write_text(_text, encoding="utf-8")
