"""Recipes: read, written, changed from the command line, checked and compared."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from hypothesis import given
from hypothesis import strategies as st

from lilliput.errors import RecipeError
from lilliput.models import build, count_parameters
from lilliput.recipe import (
    RENAMED_KEYS,
    Recipe,
    _known_keys,
    differences,
    make_recipe,
    named_recipe,
    parse_setting,
    read_recipe,
    recipe_names,
    recipe_source,
    renamed,
)

BASE: dict[str, Any] = {"name": "small", "training": {"steps": 5}}

FULL: dict[str, Any] = {
    "name": "vollständig",
    "description": 'quotes " and \\ and\nlines, \u2028 too',
    "seed": 7,
    "data": {
        "corpus": ["a.txt", "b"],
        "validation": "c.txt",
        "window": 33,
        "split": {"by": "document", "fraction": 0.2},
    },
    "tokenizer": {"kind": "bpe", "vocabulary": 300, "normalize": ["nfkc", "lowercase"]},
    "model": {"kind": "gpt", "shape": "llama", "layers": 2, "width": 32, "heads": 4, "key_value_heads": 2},
    "training": {
        "minutes": 1.5,
        "batch": 3,
        "accumulation": 2,
        "clip": 0.5,
        "optimizer": "sgd",
        "learning_rate": 1e-07,
        "betas": [0.8, 0.9],
        "precision": "bfloat16",
        "evaluate_every": 10,
        "patience": 3,
        "keep_every": 100,
        "extend": True,
        "trackers": ["tensorboard"],
    },
    "sample": {
        "prompts": ["\n", 'é"', "\t\u0001"],
        "temperature": 0.0,
        "top_k": 4,
        "top_p": 0.5,
        "max_tokens": 9,
        "stop": ["\n\n"],
    },
}

MODELS: list[dict[str, Any]] = [
    {"kind": "gpt"},
    {"kind": "gpt", "shape": "gpt2", "tied": False},
    {"kind": "lstm", "width": 16},
    {"kind": "gru", "embedding": 8, "layers": 2},
]


def error_of(values: dict[str, Any], settings: dict[str, Any] | None = None) -> str:
    with pytest.raises(RecipeError) as caught:
        make_recipe(values, settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("former", "key"), RENAMED_KEYS.items())
def test_a_key_of_an_earlier_version_is_refused_by_name(former: str, key: str) -> None:
    assert f"{former}: the key is now {key}" in error_of(BASE, {former: 1})
    section, name = key.split(".")
    assert name in _known_keys(Recipe, (section,))


def test_the_recipe_of_a_run_is_read_with_keys_of_earlier_versions() -> None:
    planned = ["model.layers", "model.members"]
    values = {**BASE, "planned": planned, "training": {"steps": 5, "go_on": True, "track": ["wandb"]}}
    recipe = make_recipe(renamed(values))
    assert recipe.training.extend
    assert recipe.training.trackers == ("wandb",)
    assert recipe.planned == ("model.layers", "model.ensemble")
    assert "go_on" in values["training"]  # the original stays as it is


# Reading and writing.


@pytest.mark.parametrize("values", [BASE, FULL, *({**BASE, "model": model} for model in MODELS)])
def test_a_recipe_survives_writing_and_reading(tmp_path: Path, values: dict[str, Any]) -> None:
    recipe = make_recipe(values)
    recipe.write(tmp_path / "recipe.toml")
    (tmp_path / "recipe.json").write_text(json.dumps(recipe.as_dict()), encoding="utf-8")
    assert read_recipe(tmp_path / "recipe.toml") == recipe
    assert read_recipe(tmp_path / "recipe.json") == recipe
    assert differences(read_recipe(tmp_path / "recipe.toml"), recipe) == []


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_comes_along_survives_writing_and_reading(tmp_path: Path, name: str) -> None:
    recipe = named_recipe(name)
    assert recipe.name == name
    assert recipe.description
    recipe.write(tmp_path / "recipe.toml")
    assert read_recipe(tmp_path / "recipe.toml") == recipe
    assert named_recipe(name) == make_recipe(tomllib.loads(recipe_source(name)))


PROMISED = {
    "addition": None,
    "addition-ten": None,
    "darwin-gpt": None,
    "french-poetry": 39_960_576,
    "french-poetry-reversed": None,
    "french-poetry-small": None,
    "french-rhymes": None,
    "shakespeare-gpt": None,
    "shakespeare-lstm": None,
    "wikitext-103": 51_213_824,
    "wikitext-103-llama": 51_037_184,
    "wikitext-small": None,
}
"""The recipes, and for those that name a size of their own how many parameters that is."""


def test_the_promised_recipes_are_there() -> None:
    assert set(recipe_names()) == PROMISED.keys()


@pytest.mark.parametrize("name", [name for name, size in PROMISED.items() if size])
def test_a_recipe_has_the_size_that_it_names(name: str) -> None:
    recipe = named_recipe(name)
    vocabulary = {"gpt2": 50_257, "bpe": recipe.tokenizer.vocabulary}[recipe.tokenizer.kind]
    with torch.device("meta"):  # no weights are made
        model = build(recipe.model, vocabulary or 0, recipe.data.window)
    assert count_parameters(model) == PROMISED[name]


@pytest.mark.parametrize("name", PROMISED)
def test_a_recipe_leaves_the_precision_to_the_machine(name: str) -> None:
    assert named_recipe(name).training.precision == "auto"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(
    description=texts,
    prompts=st.lists(texts.filter(bool), min_size=1, max_size=3),
    temperature=st.floats(0, 100),
    rate=st.floats(min_value=0, max_value=1, exclude_min=True),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_values_survive_toml_and_json(
    description: str, prompts: list[str], temperature: float, rate: float, seed: int
) -> None:
    recipe = make_recipe(
        {
            **BASE,
            "description": description,
            "seed": seed,
            "training": {"steps": 1, "learning_rate": rate},
            "sample": {"prompts": prompts, "temperature": temperature},
        }
    )
    assert make_recipe(tomllib.loads(tomli_w.dumps(recipe.as_dict()))) == recipe
    assert make_recipe(json.loads(json.dumps(recipe.as_dict()))) == recipe


def test_a_nameless_file_gives_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "verses.toml").write_text("[training]\nsteps = 3\n")
    assert read_recipe(tmp_path / "verses.toml").name == "verses"


def test_one_corpus_may_be_a_plain_string() -> None:
    assert make_recipe({**BASE, "data": {"corpus": "a.txt"}}).data.corpus == ("a.txt",)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.toml", b"[training\nsteps = 1\n", "not a readable TOML file"),
        ("a.json", b'{"training": ', "not a readable JSON file"),
        ("a.json", b"[1, 2]", "not a JSON object"),
        ("a.json", b'"x"', "not a JSON object"),
        ("a.toml", b"\xff\xfe\x00", "not a readable TOML file"),
        ("a.toml", b"description = 2024-01-01\n[training]\nsteps = 1\n", "description"),
        ("a.toml", b"[training]\nsteps = 12:00:00\n", "training.steps"),
        ("a.toml", b"", "training: missing"),
    ],
)
def test_a_broken_file_is_one_line_that_names_it(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        read_recipe(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no recipe file"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(RecipeError, match=r"folder\.toml"):
        read_recipe(tmp_path / "folder.toml")


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"'shakespear-lstm' \(did you mean 'shakespeare-lstm'\?\).*lilliput recipes"):
        named_recipe("shakespear-lstm")
    with pytest.raises(RecipeError, match=r"no recipe named '\.\./secret'"):
        named_recipe("../secret")


# What a recipe may not hold.


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("modle", "model"),
        ("training.stepps", "steps"),
        ("training.learning_rat", "learning_rate"),
        ("training.warm_up", "warmup"),
        ("data.windw", "window"),
        ("data.split.fracton", "fraction"),
        ("tokenizer.vocab", "vocabulary"),
        ("objective.knd", "kind"),
        ("sample.temperatur", "temperature"),
        ("sample.promts", "prompts"),
        ("model.layer", "layers"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest(key: str, meant: str) -> None:
    values = {**BASE, "model": {"kind": "gpt"}}
    assert f"{key}: unknown key (did you mean {meant!r}?)" in error_of(values, {key: 1})


@pytest.mark.parametrize("kind", ["gpt", "lstm", "gru"])
def test_a_model_key_is_meant_within_the_kind_of_model(kind: str) -> None:
    message = error_of({**BASE, "model": {"kind": kind, "widht": 8}})
    assert "model.widht: unknown key (did you mean 'width'?)" in message


def test_a_key_of_another_kind_of_model_is_not_meant() -> None:
    message = error_of({**BASE, "model": {"kind": "lstm", "heads": 4}})
    assert "model.heads: unknown key" in message
    assert "did you mean 'heads'" not in message


def test_a_key_like_no_other_gets_no_proposal() -> None:
    assert error_of({**BASE, "qqqqq": 1}).endswith("qqqqq: unknown key")


def test_all_errors_come_at_once_with_their_keys() -> None:
    message = error_of(
        {
            "name": "a/b",
            "seed": -1,
            "modl": {},
            "data": {"window": 0, "split": {"by": "page", "fraction": 1}},
            "tokenizer": {"kind": "chr", "vocabulary": "many"},
            "model": {"kind": "gpt", "layers": 0, "width": 2.5},
            "training": {"steps": "five", "batch": None, "optimizer": "adem", "learning_rte": 1},
            "sample": {"temperature": -1, "top_p": 0, "prompts": []},
        }
    )
    keys = [
        *("name", "seed", "modl", "data.window", "data.split.by", "data.split.fraction", "tokenizer.kind"),
        *("tokenizer.vocabulary", "model.layers", "model.width", "training.steps", "training.batch"),
        *("training.optimizer", "training.learning_rte", "sample.temperature", "sample.top_p", "sample.prompts"),
    ]
    told = [part.split(": ")[0].strip() for part in message.removeprefix("recipe: ").split(";")]
    assert sorted(told) == sorted(keys)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"training.steps": "many"}, "training.steps: input should be a valid integer"),
        ({"training.steps": 2.5}, "training.steps: input should be a valid integer"),
        ({"training.steps": 0}, "training.steps: input should be greater than or equal to 1, not 0"),
        ({"training.minutes": 0.0}, "training.minutes: input should be greater than 0, not 0.0"),
        ({"training.minutes": float("inf")}, "training.minutes: input should be a finite number"),
        ({"training.learning_rate": float("nan")}, "training.learning_rate: input should be a finite number"),
        ({"training.compile": "perhaps"}, "training.compile: input should be a valid boolean"),
        ({"training.betas": [0.9]}, "training.betas"),
        ({"seed": 2**32}, "seed: input should be less than 4294967296"),
        ({"model.dropout": 1}, "model.dropout: input should be less than 1, not 1"),
        ({"data": 3}, "data: input should be a valid dictionary"),
        ({"model": 3}, "model: input should be a valid dictionary"),
        ({"tokenizer.normalize": ["upper"]}, "tokenizer.normalize.0: input should be 'nfc', 'nfkc' or 'lowercase'"),
        ({"sample.stop": [""]}, "sample.stop.0"),
    ],
)
def test_a_wrong_type_or_value_names_key_and_what_is_allowed(settings: dict[str, Any], told: str) -> None:
    assert told in error_of({**BASE, "model": {"kind": "gpt"}}, settings)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"kind": "gpt", "width": 30, "heads": 4}, "heads = 4 does not divide width = 30"),
        (
            {"kind": "gpt", "width": 32, "heads": 4, "key_value_heads": 3},
            "key_value_heads = 3 does not divide heads = 4",
        ),
        ({"kind": "gpt", "width": 12, "heads": 4}, "head_width = 3, by default width / heads, is odd"),
        ({"kind": "lstm", "width": 8, "embedding": 4, "tied": True}, "tied = true needs embedding = width"),
    ],
)
def test_sizes_that_do_not_fit(model: dict[str, Any], told: str) -> None:
    assert f"model: {told}" in error_of({**BASE, "model": model})


def test_an_unknown_kind_of_model_names_the_key_the_value_and_the_known() -> None:
    message = error_of({**BASE, "model": {"kind": "gtp", "layers": 2}})
    assert "model.kind" in message
    for word in ("'gtp'", "'gpt'", "'lstm'", "'gru'"):
        assert word in message
    assert "layers" not in message


def test_without_a_kind_the_model_is_a_gpt() -> None:
    assert make_recipe(BASE, {"model.layers": 6}) == make_recipe({**BASE, "model": {"kind": "gpt", "layers": 6}})
    assert make_recipe({**BASE, "model": {"width": 64}}).model.kind == "gpt"


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", ".", ".."])
def test_a_name_that_is_no_folder_name_is_refused(name: str) -> None:
    assert "name: " in error_of({**BASE, "name": name})


@pytest.mark.parametrize("prompts", [[], [""], ["x", ""]])
def test_a_sample_needs_something_to_start_from(prompts: list[str]) -> None:
    assert "sample.prompts" in error_of({**BASE, "sample": {"prompts": prompts}})


def test_recipes_are_frozen() -> None:
    recipe: Any = make_recipe(BASE)
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 3
    assert isinstance(recipe, Recipe)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "text",
    [
        f"model.layers={DEEP}",
        f"model.layers={DEEP[99_500:100_500]}",
        f"{'a.' * 5000}b=1",
        f"model.layers={'9' * 10_000}",
        f"seed=0x{'f' * 10_000}",
        f"model.{'x' * 10_000}=1",
        f"model.kind={'x' * 10_000}",
        f"sample.prompts={list(range(1000))}",
        f"model.layers='{'x' * 10_000}'",
        "x" * 10_000,
        "training.steps=0x10000000000000000",
        "training.minutes=1e300",
    ],
    ids=lambda text: text[:30],
)
def test_absurd_settings_are_one_short_line(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        make_recipe(BASE, dict([parse_setting(text)]))
    assert len(str(caught.value)) < 2000
    assert "\n" not in str(caught.value)


def test_of_many_errors_the_first_are_told() -> None:
    with pytest.raises(RecipeError, match=r"and \d+ more errors") as caught:
        make_recipe(BASE | {f"{'key' * 500}{number}": 1 for number in range(500)})
    assert len(str(caught.value)) < 2000
