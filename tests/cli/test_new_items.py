"""Lists and collections: how they are split, and `lilliput sample --items`, which writes new items and nothing else."""

import json
import re
import shutil
from pathlib import Path

import pytest

from lilliput.api import run_task
from lilliput.planning.resolve import resolve
from lilliput.recipe import parse_setting, read_recipe
from tests.cli.conftest import TINY, Lilliput, assert_refused
from tests.corpus.test_items import words

NAMES = sorted(words(400))


def trained(folder: Path, text: str) -> Path:
    (folder / "names.txt").write_text(text, encoding="utf-8")
    run_task(resolve([str(folder / "names.txt")], settings=dict(map(parse_setting, TINY[1::2]))), folder / "run")
    return folder / "run"


@pytest.fixture(scope="session")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a sorted list of made-up names; tests copy it or only read."""
    return trained(tmp_path_factory.mktemp("names"), "\n".join(NAMES) + "\n")


def test_so_many_new_names_and_nothing_else(lilliput: Lilliput, names: Path) -> None:
    outcome = lilliput("sample", str(names), "--items", "20", "--temperature", "1")
    assert outcome.code == 0
    found = outcome.out.split("\n")
    assert found.pop() == ""
    assert len(set(found)) == len(found) == 20
    assert not set(found) & {*NAMES, ""}
    told = re.fullmatch(
        r"20 new; discarded: (\d+) copied \((\d+) training, (\d+) held out\), \d+ repeated, \d+ unfinished\n",
        outcome.err,
    )
    assert told is not None
    assert int(told[1]) == int(told[2]) + int(told[3]) > 0
    assert lilliput("sample", str(names), "--items", "20", "--temperature", "1").out == outcome.out
    assert lilliput("sample", str(names), "--items", "20", "--seed", "99").out != outcome.out


def test_names_that_begin_alike_or_match(lilliput: Lilliput, names: Path) -> None:
    arguments = ("sample", str(names), "--temperature", "1")
    found = lilliput(*arguments, "--items", "5", "--prompt", "ka").out.split()
    assert len(found) == 5
    assert all(name.startswith("ka") and name not in NAMES for name in found)
    assert [len(name) for name in lilliput(*arguments, "--items", "4", "--match", ".{7}").out.split()] == [7] * 4
    found = lilliput(*arguments, "--items", "4", "--match", "[a-z]{3,8}", "--set", "allow=aeiknorstvlm").out.split()
    assert len(found) == 4
    assert len({len(name) for name in found}) > 1  # the model says where they end
    rows = [json.loads(line) for line in lilliput(*arguments, "--items", "3", "--json").out.splitlines()]
    assert [row["text"] for row in rows] == lilliput(*arguments, "--items", "3").out.split()


@pytest.mark.parametrize("between", ["\n\n", "\n%\n"])
def test_blocks_are_written_apart(lilliput: Lilliput, tmp_path: Path, between: str) -> None:
    pairs = words(400)
    text = between.join(f"{one}\n{other}" for one, other in zip(pairs[:200], pairs[200:], strict=True)) + between
    outcome = lilliput("sample", str(trained(tmp_path, text)), "--items", "4", "--temperature", "1")
    assert outcome.code == 0
    found = outcome.out.removesuffix("\n").split(between)
    assert len(set(found)) == 4
    assert not set(found) & set(text.split(between))
    assert all(item.strip() == item != "" for item in found)


def test_a_text_that_is_no_list_gives_new_lines(lilliput: Lilliput, finished: Path, place: Path) -> None:
    outcome = lilliput("sample", str(finished), "--items", "3")
    lines = outcome.out.splitlines()
    assert len(lines) == 3
    assert not set(lines) & set((place / "story.txt").read_text(encoding="utf-8").split("\n"))


def test_a_model_that_knows_nothing_new_ends(lilliput: Lilliput, names: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lilliput.item_writer.BARREN", 40)
    outcome = lilliput("sample", str(names), "--items", "9", "--temperature", "0")
    assert outcome.code == 2
    number = outcome.out.count("\n")
    assert number < 2
    assert outcome.err.splitlines()[0].startswith(f"{number} new; discarded: ")
    assert outcome.err.splitlines()[1].startswith(f"error: {number} of 9 items were found")
    assert len(outcome.err.splitlines()) == 2


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--until", "line"), "--until"),
        (("--stop", "x"), "--stop"),
        (("--max-characters", "5"), "--max-characters"),
        (("--acrostic", "abc"), "--acrostic"),
        (("--beams", "3"), "--beams"),
        (("--suffix", "x"), "--suffix"),
        (("--count", "2"), "--count"),
        (("--novelty",), "--novelty"),
        (("--interactive",), "--interactive"),
    ],
)
def test_what_makes_no_sense_beside_items(
    lilliput: Lilliput, names: Path, options: tuple[str, ...], named: str
) -> None:
    assert_refused(lilliput("sample", str(names), "--items", "3", *options), "--items", named)


def test_impossible_options_print_nothing_but_their_error(lilliput: Lilliput, names: Path) -> None:
    assert_refused(lilliput("sample", str(names), "--items", "0"), "--items")
    assert_refused(lilliput("sample", str(names), "--items", "2", "--temperature", "-1"), "temperature")
    assert_refused(lilliput("sample", str(names), "--items", "2", "--prompt", "ka\nlo"), "prompt")


def test_a_sorted_list_is_told_and_drawn_from(lilliput: Lilliput, place: Path) -> None:
    (place / "names.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8")
    told = "names is a sorted list of 400 lines: 40 of them, drawn at random, are held out, and the rest is shuffled"
    assert told in lilliput("train", "names.txt", *TINY).err
    planned = " ".join(lilliput("plan", "names.txt", *TINY).out.split())
    assert told in planned
    assert "characters: items drawn at random" in planned
    assert read_recipe(place / "runs/names/recipe.toml").data.split.by == "items"
    assert json.loads((place / "runs/names/facts.json").read_text())["items"] == {
        "kind": "line",
        "number": 400,
        "in_order": True,
    }
    assert lilliput("train", "names.txt", *TINY).code == 0


def test_a_run_of_an_earlier_version_goes_on_as_it_was(lilliput: Lilliput, place: Path) -> None:
    (place / "names.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8")
    by_position = ("--set", "data.split.by=position")
    assert lilliput("train", "names.txt", *TINY, *by_position).code == 0
    more = lilliput("train", "names.txt", *TINY, "--set", "training.steps=9", "--json")
    assert (more.code, json.loads(more.out)["steps"]) == (0, 9)
    assert read_recipe(place / "runs/names/recipe.toml").data.split.by == "position"
    fresh = lilliput("train", "names.txt", *TINY, "--fresh")
    assert fresh.code == 0
    assert read_recipe(place / "runs/names/recipe.toml").data.split.by == "items"
    assert_refused(lilliput("train", "names.txt", *TINY, *by_position), "items -> position")


def test_judging_names_tells_copies_from_new_ones(lilliput: Lilliput, names: Path) -> None:
    shown = lilliput("judge", str(names), "--lines", "50").out
    assert "real words" not in shown
    for heading in ("copied", "written before", "new"):
        assert heading in shown
    report = json.loads(lilliput("judge", str(names), "--lines", "50", "--temperature", "1", "--json").out)["items"]
    assert report["kind"] == "line"
    assert report["written"]["items"] == 50
    assert report["written"]["copied_items"] > 0
    assert report["written"]["new_items"] < 1
    assert report["held_out"] == {"items": 40, "copied_items": 0, "repeated_items": 0, "new_items": 1}
    Path("copies.txt").write_text("\n".join([*NAMES, "xyzzy", "xyzzy"]), encoding="utf-8")
    copies = json.loads(lilliput("judge", str(names), "--text", "copies.txt", "--json").out)["items"]["written"]
    assert copies == {
        "items": 402,
        "copied_items": round(360 / 402, 5),
        "repeated_items": round(1 / 402, 5),
        "new_items": round(41 / 402, 5),
    }


def test_names_of_one_word_are_seen_to_be_copied(lilliput: Lilliput, names: Path) -> None:
    outcome = lilliput("sample", str(names), "--novelty", "--max-tokens", "200", "--temperature", "0.3")
    copied = re.findall(r"\[\[(.*?)\]\]", outcome.out)
    assert copied
    assert set(copied) <= set(NAMES)
    assert re.match(r"copied: \d+\.\d% of the items, ", outcome.err)


def test_damaged_facts_are_told(lilliput: Lilliput, names: Path, place: Path) -> None:
    shutil.copytree(names, place / "copy")
    facts = json.loads((place / "copy/facts.json").read_text())
    (place / "copy/facts.json").write_text(json.dumps(facts | {"items": {"kind": "other"}}))
    (place / "copy/manifest.json").unlink()
    outcome = lilliput("judge", "copy")
    assert (outcome.code, outcome.out) == (2, "")
    assert "facts.json: damaged" in outcome.err
