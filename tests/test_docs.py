"""The pages say what is so: commands and examples run, links lead somewhere, generated parts are up to date.

Blocks of a page are taken in their order, in an empty folder with made-up texts:

- `sh`: every line is run. `make X` is only looked up in the Makefile. `lilliput ...` is run in this process, perhaps
  with `cat FILE |` before it; `export NAME=VALUE` sets the environment. Training is cut short by one rule: `--minutes`
  is left out, and one step and short samples are asked for; `lilliput judge` gets ten lines. Any other command is a
  fault of the page.
- `python`: executed; `lilliput.train` is cut short in the same way.
- `python server`: run by tests/serve/test_openai.py, where a server is.
- `toml NAME`, `json NAME`: written to the file NAME. `json NAME.output.json` is compared with real output.

Texts that are known by name come from a folder LILLIPUT_DATA with made-up contents; nothing reaches the network.
The generated parts are those of `tools.generated_docs`.
"""

import ast
import contextlib
import io
import json
import random
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tools.generated_docs import LOG, RECIPES, REFERENCE, generated, settings, slug
from tools.recorded_results import wrong_figures

import lilliput.api
from lilliput.cli import main as run_lilliput
from lilliput.corpus.named.catalogue import CATALOGUE
from lilliput.recipe import _FREE_KEYS, recipe_names
from lilliput.training.data import verse_data
from tests.conftest import WORDS, made_up_text, made_up_verse
from tests.test_layers import LAYERS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "lilliput"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
GUIDE = ROOT / "docs" / "guide.md"
TEXTS = ("poems.txt", "letters.txt", "diary.md", "heldout.txt", "stories/first.txt", "stories/second.txt")
SHORT = {"training.steps": 1, "sample.max_tokens": 20}


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
    (folder / "names.txt").write_text("\n".join(sorted(made_up_names(400))) + "\n", encoding="utf-8")
    (folder / "opening.txt").write_text("The river", encoding="utf-8")
    (folder / "questions.jsonl").write_text(questions(), encoding="utf-8")
    (folder / "books").mkdir()
    for book in CATALOGUE["french-poetry"].books:
        (folder / "books" / book.name).write_text(f"A TITLE\n\n{made_up_text(2000, book.number)}", encoding="utf-8")
    data = folder / "texts"
    data.mkdir()
    for name, entry in list(CATALOGUE.items()):
        # Made-up texts have other checksums than the real ones.
        monkeypatch.setitem(CATALOGUE, name, replace(entry, training=replace(entry.training, sha256=None)))
        if entry.training.files:
            text = made_up_verse(900, openings=WORDS) if name == "french-poetry" else made_up_text(6000, len(name))
            (data / entry.training.files[0]).write_text(text, encoding="utf-8")
    (folder / "tinyshakespeare.txt").write_text(made_up_text(6000, 77), encoding="utf-8")
    monkeypatch.setenv("LILLIPUT_DATA", str(data))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(lilliput.api, "train", shortened_train(lilliput.api.train))
    monkeypatch.setattr(verse_data, "REPORTED", 8)
    # It would serve for ever.
    monkeypatch.setattr("lilliput.serve.server.serve", lambda application, listener, started: started())
    return folder


def made_up_names(number: int) -> set[str]:
    draw, names = random.Random(1), set[str]()
    while len(names) < number:
        names.add("".join(draw.choices(("ka", "lo", "mi", "ren", "su", "ta", "vel", "no"), k=draw.randint(2, 4))))
    return names


def questions() -> str:
    rows = ({"prompt": f"{number}=", "answer": str(number)[::-1]} for number in range(1000, 1060))
    return "".join(json.dumps(row) + "\n" for row in rows)


def shortened_train(train: Any) -> Any:
    def short(
        *targets: Any, minutes: float | None = None, training: Any = None, sample: Any = None, **rest: Any
    ) -> Any:
        return train(
            *targets, training={**(training or {}), "steps": 1}, sample={"max_tokens": 20, **(sample or {})}, **rest
        )

    return short


def shortened(arguments: list[str]) -> list[str]:
    if arguments[0] == "judge":
        return [*arguments, "--lines", "10"]
    if arguments[0] not in ("train", "demo", "sweep"):
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
        elif block.kind == "python" and block.name == "server":
            continue  # needs a server: tests/serve/test_openai.py runs it
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
    if isinstance(value, list) and value:
        return keys(value[0])
    return None


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.slow
def test_json_has_the_documented_keys(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Path("runs/poems")
    trained = output_of(shortened(["train", "poems.txt", "--json"]), monkeypatch)
    metrics = lines_of(place / run / "metrics.jsonl")
    answers = Path("runs/questions")
    answered = output_of(shortened(["train", "questions.jsonl", "--json"]), monkeypatch)
    exploding = ("training.optimizer=sgd", "training.learning_rate=1e38", "training.clip=0", "training.steps=9")
    settings = [word for setting in exploding for word in ("--set", setting)]
    output_of(["train", "poems.txt", "--out", "runs/exploding", *settings], monkeypatch)
    found = {
        "train": trained,
        "eval": output_of(["eval", str(run), "--json"], monkeypatch),
        "judge": output_of(shortened(["judge", str(run), "--json"]), monkeypatch),
        "score": output_of(["score", str(run), "heldout.txt", "--json"], monkeypatch),
        "verse": output_of(["verse", "poems.txt", "--language", "fr", "--json"], monkeypatch),
        "plan": output_of(["plan", "poems.txt", "--minutes", "2", "--json"], monkeypatch),
        "doctor": output_of(["doctor", str(run), "--json"], monkeypatch),
        "compare": output_of(["compare", str(run), "--json"], monkeypatch),
        "sweep": output_of(
            shortened(["sweep", "poems.txt", "--try", "model.layers=1", "--seeds", "1", "--json"]), monkeypatch
        ),
        "sample": output_of(["sample", str(run), "--json"], monkeypatch),
        "sample-beams": output_of(["sample", str(run), "--beams", "2", "--json"], monkeypatch),
        "sample-form": output_of(["sample", str(run), "--form", "AA 4", "--language", "en", "--json"], monkeypatch),
        "recipes": output_of(["recipes", "--json"], monkeypatch).splitlines()[0],
        "corpora": output_of(["corpora", "--json"], monkeypatch).splitlines()[0],
        "step": metrics[0],
        "loss_spike": next(line for line in lines_of(place / "runs/exploding/metrics.jsonl") if "loss_spike" in line),
        "evaluation": metrics[1],
        "samples": (place / run / "samples.jsonl").read_text(encoding="utf-8"),
        "facts": (place / run / "facts.json").read_text(encoding="utf-8"),
        "model": (place / run / "model.json").read_text(encoding="utf-8"),
        "answers-train": answered,
        "answers-eval": output_of(["eval", str(answers), "--json"], monkeypatch),
        "answers-evaluation": lines_of(place / answers / "metrics.jsonl")[1],
        "answers-samples": lines_of(place / answers / "samples.jsonl")[0],
        "answers-facts": (place / answers / "facts.json").read_text(encoding="utf-8"),
    }
    documented = {block.name.split(".")[0]: block.text for block in blocks(REFERENCE) if block.kind == "json"}
    assert documented.keys() == found.keys()
    for name, text in documented.items():
        given, real = keys(json.loads(text)), keys(json.loads(found[name]))
        if name == "model":
            given["settings"] = real["settings"]  # the page says: all keys of [model]
        if name == "verse":
            for measures in ("text", "shuffled"):  # schemes and lengths are those of the text
                given[measures] |= {key: real[measures][key] for key in ("schemes", "lengths")}
        if name == "plan":
            given["recipe"] = real["recipe"]  # the page says: the whole recipe
        assert given == real, name
    stored = json.loads((place / run / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))
    row = next(line for line in REFERENCE.read_text(encoding="utf-8").splitlines() if "tokenizer.json`" in line)
    assert re.findall(r"`(\w+)`", row.split("|")[2]) == list(stored)
    listed = {
        name for name in re.findall(r"`([\w.]+)", section(GUIDE, "The run folder")) if (place / run / name).exists()
    }
    assert {path.name for path in (place / run).iterdir()} - {".lock"} == listed


def test_generated_parts_are_up_to_date() -> None:
    for page, text in generated():
        assert page.read_text(encoding="utf-8") == text, f"{page.name}: run python -m tools.generated_docs"


def test_every_key_has_a_meaning() -> None:
    rows = re.findall(r"^\| `\w+` \|.*$", RECIPES.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > sum(map(len, settings().values()))
    assert not [row for row in rows if "|  |" in row]


# Lists that must be whole, and references that must lead somewhere.


def section(page: Path, heading: str) -> str:
    _, found, rest = page.read_text(encoding="utf-8").partition(f"## {heading}\n")
    assert found, f"{page.name} has no section {heading!r}"
    return re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
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


def test_entries_of_the_log_have_names_of_their_own() -> None:
    headings = re.findall(r"^## (.*)$", LOG.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(set(map(slug, headings))) == len(headings)


def test_recipes_are_listed() -> None:
    listed = section(RECIPES, "Built-in recipes")
    assert sorted(re.findall(r"^\| `([\w-]+)` \|", listed, re.MULTILINE)) == recipe_names()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_named_texts_are_listed() -> None:
    sentence = section(GUIDE, "Texts known by name").partition("The names are")[2].partition(".")[0]
    assert re.findall(r"`([\w-]+)`", sentence) == list(CATALOGUE)


def test_the_keys_that_may_change_are_listed() -> None:
    sentence = section(GUIDE, "Stopping and continuing").partition("What may change")[2].partition("everything in")[0]
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
    messages = re.findall(r"^\| `(.*?)` \|", section(GUIDE, "Troubleshooting"), re.MULTILINE)
    assert len(messages) > 20
    for message in messages:
        assert any(message.lower() in string.lower() for string in strings), message


def test_recipes_promise_what_was_recorded() -> None:
    assert wrong_figures() == []
