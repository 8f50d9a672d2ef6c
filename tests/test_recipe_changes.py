"""Recipes: changed from the command line, and compared."""

from pathlib import Path
from typing import Any

import pytest

from lilliput.errors import RecipeError
from lilliput.recipe import differences, make_recipe, parse_setting, read_recipe
from tests.test_recipe import BASE, FULL, error_of

# Steps and minutes.


def test_a_recipe_has_steps_or_minutes() -> None:
    assert "training: give steps or minutes" in error_of({"name": "x", "training": {"batch": 2}})
    assert "not both" in error_of({"name": "x", "training": {"steps": 1, "minutes": 1}})
    assert "training: missing" in error_of({"name": "x"})


@pytest.mark.parametrize("own", [{"steps": 100}, {"minutes": 5}])
def test_a_length_from_the_command_line_replaces_the_recipe_s(own: dict[str, Any]) -> None:
    values = {"name": "x", "training": own}
    by_steps = make_recipe(values, {"training.steps": 3}).training
    assert (by_steps.steps, by_steps.minutes) == (3, None)
    by_minutes = make_recipe(values, {"training.minutes": 0.5}).training
    assert (by_minutes.steps, by_minutes.minutes) == (None, 0.5)
    assert "not both" in error_of(values, {"training.steps": 3, "training.minutes": 1})
    assert values == {"name": "x", "training": own}


def test_settings_lie_over_the_recipe_and_leave_the_rest() -> None:
    recipe = make_recipe(FULL, {"model.layers": 5, "data.split.fraction": 0.3, "seed": 9})
    assert recipe.model.layers == 5
    assert recipe.model.width == 32
    assert recipe.data.split.fraction == 0.3
    assert recipe.data.split.by == "document"
    assert recipe.seed == 9


def test_a_setting_below_a_value_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"--set seed\.x: seed is a value, not a section"):
        make_recipe({**BASE, "seed": 3}, {"seed.x": 1})


# --set.


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("model.layers=6", "model.layers", 6),
        ("training.learning_rate=1e-3", "training.learning_rate", 1e-3),
        ("training.compile=true", "training.compile", True),
        ('tokenizer.kind="bpe"', "tokenizer.kind", "bpe"),
        ("tokenizer.kind=bpe", "tokenizer.kind", "bpe"),
        ('tokenizer.normalize=["nfc", "lowercase"]', "tokenizer.normalize", ["nfc", "lowercase"]),
        ('data.split={by = "document", fraction = 0.2}', "data.split", {"by": "document", "fraction": 0.2}),
        ("data.corpus=my poems.txt", "data.corpus", "my poems.txt"),
        ("description=a = b", "description", "a = b"),
        ("description=", "description", ""),
        ("description=#1", "description", "#1"),
        (" seed =3", "seed", 3),
        ('sample.prompts=["a\\n"]', "sample.prompts", ["a\n"]),
        ("description=1\nb = 2", "description", "1\nb = 2"),
    ],
)
def test_a_setting_is_toml_or_else_a_plain_string(text: str, key: str, value: Any) -> None:
    parsed = parse_setting(text)
    assert parsed == (key, value)
    assert type(parsed[1]) is type(value)


@pytest.mark.parametrize("text", ["", "=", "=3", "  =3", "model.layers", "model.layers 6"])
def test_a_setting_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="KEY=VALUE") as caught:
        parse_setting(text)
    assert repr(text) in str(caught.value)


def test_a_nested_table_replaces_a_section() -> None:
    recipe = make_recipe(BASE, dict([parse_setting('data={window = 9, corpus = ["x"]}')]))
    assert recipe.data.window == 9
    assert recipe.data.corpus == ("x",)


@pytest.mark.parametrize("key", ["", ".", "a..b", "training.", ".training"])
def test_a_key_with_empty_parts_is_unknown(key: str) -> None:
    assert "unknown key" in error_of(BASE, {key: 1})


# Differences.


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "other"),
        ("description", "other"),
        ("data.corpus", ["other.txt"]),
        ("data.validation", "other.txt"),
        ("training.steps", 77),
        ("training.minutes", 9),
        ("training.evaluate_every", 3),
        ("training.patience", 4),
        ("training.keep_every", 3),
        ("training.extend", False),
        ("training.trackers", ["wandb"]),
        ("sample.temperature", 0.1),
        ("sample.prompts", ["x"]),
    ],
)
def test_what_changes_no_step_may_change(key: str, value: Any) -> None:
    assert make_recipe(FULL) != make_recipe(FULL, {key: value})
    assert differences(make_recipe(FULL), make_recipe(FULL, {key: value})) == []


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("seed", 8, "seed: 7 -> 8"),
        ("data.window", 34, "data.window: 33 -> 34"),
        ("data.split.fraction", 0.1, "data.split.fraction: 0.2 -> 0.1"),
        ("tokenizer.vocabulary", 301, "tokenizer.vocabulary: 300 -> 301"),
        ("tokenizer.normalize", [], "tokenizer.normalize: ['nfkc', 'lowercase'] -> []"),
        ("model.dropout", 0.5, "model.dropout: 0.0 -> 0.5"),
        ("training.batch", 4, "training.batch: 3 -> 4"),
        ("training.clip", 0.6, "training.clip: 0.5 -> 0.6"),
        ("training.schedule", "wsd", "training.schedule: cosine -> wsd"),
        ("training.precision", "float32", "training.precision: bfloat16 -> float32"),
    ],
)
def test_what_changes_a_step_is_named(key: str, value: Any, told: str) -> None:
    assert differences(make_recipe(FULL), make_recipe(FULL, {key: value})) == [told]


def test_all_differences_are_named_in_order() -> None:
    changes = differences(make_recipe(BASE), make_recipe({**BASE, "seed": 2, "model": {"kind": "lstm", "layers": 4}}))
    assert "model.kind: gpt -> lstm" in changes
    assert "seed: 1 -> 2" in changes
    assert not any(change.startswith("model.layers") for change in changes)
    assert changes == sorted(changes)
    assert differences(make_recipe(BASE), make_recipe(BASE)) == []


def test_a_setting_that_was_taken_away_and_one_that_came(tmp_path: Path) -> None:
    without = make_recipe({**BASE, "tokenizer": {"kind": "bpe"}})
    given = make_recipe({**BASE, "tokenizer": {"kind": "bpe", "vocabulary": 300}})
    assert differences(without, given) == ["tokenizer.vocabulary: not set -> 300"]
    assert differences(given, without) == ["tokenizer.vocabulary: 300 -> not set"]


def test_clipping_that_is_switched_off_stays_off(tmp_path: Path) -> None:
    recipe = make_recipe(BASE, {"training.clip": 0})
    recipe.write(tmp_path / "recipe.toml")
    assert read_recipe(tmp_path / "recipe.toml").training.clip == 0
    # TOML has no null: a null that meant "off" would come back as the default.
    assert "training.clip" in error_of(BASE, {"training.clip": None})
