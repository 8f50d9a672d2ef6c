"""`lilliput plan`."""

import json
from pathlib import Path

from lilliput.recipe import read_recipe
from tests.cli.conftest import TINY, Lilliput


def test_the_plan_is_told_for_people_and_programs(lilliput: Lilliput, place: Path) -> None:
    shown = lilliput("plan", "story.txt", "--minutes", "3")
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert len(lines) <= 24  # one screen
    assert lines[0].split() == ["text", "story:", "6,000", "characters"]
    for word in (
        "read",
        "begins",
        "held out",
        "tokens",
        "model",
        "beside it",
        "training",
        "here",
        "length",
        "ends",
        "expected",
    ):
        assert any(line.startswith(word) for line in lines)
    assert "3:00 after it starts" in shown.out
    found = json.loads(lilliput("plan", "story.txt", "--minutes", "3", "--json").out)
    assert found["recipe"]["training"]["minutes"] == found["seconds"] / 60 == 3
    assert found["characters"] == 6000
    assert not (place / "runs").exists()


def test_the_plan_is_what_train_does(lilliput: Lilliput, place: Path) -> None:
    assert lilliput("plan", "story.txt", *TINY, "--save", "story.toml").code == 0
    told = lilliput("train", "story.txt", *TINY)
    assert told.code == 0
    for line in (
        "model: gpt, shape modern, 1 block of width 16, 2 heads, dropout 0.2",
        "beside it: embeddings of up to 5 tokens together, ",
        "training: muon, learning rates 0.02 and 0.003, linear; 4 rows a step",
    ):
        assert line in told.err
    assert "training: muon" not in lilliput("train", "story.txt", *TINY).err  # a run that goes on is as it was
    assert read_recipe(place / "story.toml") == read_recipe(place / "runs/story/recipe.toml")
    again = lilliput("train", "story.toml", "--out", "runs/again", "--json")
    assert (again.code, json.loads(again.out)["steps"]) == (0, 6)


def test_a_recipe_has_a_plan_too(lilliput: Lilliput) -> None:
    shown = lilliput("plan", "shakespeare-lstm", "--corpus", "story.txt", "--set", "training.steps=70")
    assert shown.code == 0
    assert "lstm" in shown.out
    assert "about 70 steps" in shown.out


def test_what_is_refused(lilliput: Lilliput, place: Path) -> None:
    (place / "there.toml").write_text("", encoding="utf-8")
    for arguments, said in (
        (("nothing.txt",), "nothing.txt"),
        (("story.txt", "--minutes", "0"), "minutes"),
        (("story.txt", "--save", "there.toml"), "exists already"),
        (("story.txt", "--save", "no/such/folder.toml"), "cannot write"),
    ):
        refused = lilliput("plan", *arguments)
        assert refused.code == 2
        assert said in refused.err
        assert len(refused.err.splitlines()) == 1
