"""What is chosen for a text that comes without a recipe."""

from pathlib import Path
from typing import Any

import pytest

from lilliput.corpus import Corpus, Document
from lilliput.models.settings import GPTSettings, RecurrentSettings
from lilliput.planning import plan
from lilliput.planning import resolve as resolving
from lilliput.planning.plan import make_plan
from lilliput.planning.resolve import resolve
from lilliput.recipe import Recipe, differences
from lilliput.runs.folder import RunFolder
from lilliput.tokenizers import load
from lilliput.tokenizers.escape import NIBBLES
from lilliput.training.data import held_out, prepare


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("An old man had a boat, and the boat had a hole.\n" * 1000, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _machine_of_the_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "machine_speed", lambda: 1.0)


def planned(text: Path, **settings: Any) -> Recipe:
    return resolve([str(text)], settings={key.replace("__", "."): value for key, value in settings.items()}).recipe


def test_a_text_gets_counts_and_ngrams_of_which_more_is_dropped_the_longer_it_is_read(text: Path) -> None:
    models = [planned(text, training__minutes=minutes).model for minutes in (0.0001, 0.1, 1, 1000)]
    assert all(isinstance(model, GPTSettings) and model.ngrams == 5 and model.counts for model in models)
    dropped = [model.ngram_dropout for model in models if isinstance(model, GPTSettings)]
    assert dropped[0] == 0
    assert dropped == sorted(dropped)
    assert len(set(dropped)) == 4
    assert dropped[-1] == 0.7


def test_a_minute_is_worth_more_on_a_faster_machine(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def networks(minutes: float, speed: float) -> int:
        monkeypatch.setattr(resolving, "machine_speed", lambda: speed)
        model = planned(text, training__minutes=minutes, data__window=32).model
        assert isinstance(model, GPTSettings)
        return model.ensemble

    per_minute = 1e6 / len(text.read_text(encoding="utf-8"))
    assert per_minute > 9
    assert [networks(1, speed * 9 / per_minute) for speed in (0.9, 1.1, 4, 10)] == [1, 2, 3, 4]


def begun(folder: Path, recipe: Recipe) -> None:
    """Write what tells a folder of a run that was begun."""
    recipe.write(folder / "recipe.toml")
    (folder / "facts.json").write_text("{}", encoding="utf-8")


def forbidden() -> float:
    raise AssertionError("the machine was measured")


def test_a_length_in_steps_gives_the_same_plan_whatever_the_clock_says(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "machine_speed", forbidden)
    models = [planned(text, training__steps=steps, training__batch=4).model for steps in (1, 20, 2000)]
    assert all(isinstance(model, GPTSettings) and model.ensemble == 1 for model in models)
    dropped = [model.ngram_dropout for model in models if isinstance(model, GPTSettings)]
    assert dropped[0] < dropped[1] < dropped[2]  # the oftener a text is read
    assert planned(text, training__minutes=0.1).training.minutes == 0.1  # too short to measure anything


def test_a_machine_that_is_half_as_fast_plans_for_half_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / "long.txt"
    long.write_text("An old man had a boat, and the boat had a hole.\n" * 5000, encoding="utf-8")
    monkeypatch.setattr(plan, "can_compile", lambda: True)
    monkeypatch.setattr(resolving, "machine_speed", lambda: 0.49)
    assert [planned(long, training__minutes=minutes).data.window for minutes in (1, 1.1)] == [128, 256]
    assert [planned(long, training__minutes=minutes).training.compile for minutes in (6, 6.2)] == [False, True]
    monkeypatch.setattr(resolving, "machine_speed", lambda: 10.0)
    assert [planned(long, training__minutes=minutes).data.window for minutes in (0.1, 0.3)] == [128, 256]
    # A faster machine compiles no faster.
    assert [planned(long, training__minutes=minutes).training.compile for minutes in (1, 3)] == [False, True]


def test_what_the_clock_decided_stands_in_the_recipe_and_is_repeated_from_it(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "machine_speed", lambda: 0.31)
    first = resolve([str(text)], settings={"training.minutes": 2})
    begun(tmp_path, first.recipe)
    assert first.recipe.description.startswith("planned for ")
    monkeypatch.setattr(resolving, "machine_speed", lambda: 8.0)
    assert resolve([str(text)], settings={"training.minutes": 2}).recipe.model != first.recipe.model
    going_on = resolve([str(text)], settings={"training.minutes": 4}).recipe_for(tmp_path)
    assert (going_on.model, going_on.description) == (first.recipe.model, first.recipe.description)
    monkeypatch.setattr(resolving, "machine_speed", forbidden)
    assert resolve([str(tmp_path / "recipe.toml")]).recipe == first.recipe


def test_a_planned_run_of_an_earlier_version_keeps_its_plan(text: Path, tmp_path: Path) -> None:
    first = resolve([str(text)], settings={"training.minutes": 2})
    assert first.recipe.model.ensemble > 1
    begun(tmp_path, first.recipe)
    path = tmp_path / "recipe.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("ensemble", "members"), encoding="utf-8")
    going_on = resolve([str(text)], settings={"training.minutes": 0.1}).recipe_for(tmp_path)
    assert going_on.model == first.recipe.model


@pytest.mark.parametrize("possible", [True, False])
def test_long_runs_of_transformers_are_compiled(text: Path, possible: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "can_compile", lambda: possible)
    assert [planned(text, training__minutes=minutes).training.compile for minutes in (1, 2.9)] == [False, False]
    assert [planned(text, training__minutes=minutes).training.compile for minutes in (3, 500)] == [possible] * 2
    assert planned(text).training.compile is possible
    assert not planned(text, training__steps=100_000).training.compile
    assert not planned(text, model__kind="lstm").training.compile
    assert not planned(text, training__compile=False).training.compile


def test_the_more_time_there_is_for_a_text_the_more_networks_share_it(text: Path) -> None:
    characters = len(text.read_text(encoding="utf-8"))
    networks = []
    for minutes_per_million in (8.9, 9.1, 29, 31, 81, 1000):
        model = planned(text, training__minutes=minutes_per_million * characters / 1e6).model
        assert isinstance(model, GPTSettings)
        networks.append(model.ensemble)
    assert networks == [1, 2, 2, 3, 4, 4]
    shared, alone = (planned(text, training__minutes=1, **more).model for more in ({}, {"model__ensemble": 1}))
    assert isinstance(shared, GPTSettings) and isinstance(alone, GPTSettings)
    assert (shared.ensemble, alone.ensemble) == (2, 1)
    assert alone.ngram_dropout > shared.ngram_dropout  # it reads all that the two have between them
    assert planned(text, training__steps=1000).model.ensemble == 1


@pytest.mark.parametrize("shape", ["gpt2", "llama"])
def test_the_published_shapes_stay_as_they_are(text: Path, shape: str) -> None:
    model = planned(text, model__shape=shape).model
    assert isinstance(model, GPTSettings)
    assert model.ngrams == 1
    assert not model.counts


def test_a_recurrent_network_is_planned_without_what_a_transformer_has(text: Path) -> None:
    assert isinstance(planned(text, model__kind="lstm").model, RecurrentSettings)


def test_what_is_set_has_the_last_word(text: Path) -> None:
    model = planned(text, model__ngrams=3, model__ngram_dropout=0.11).model
    assert isinstance(model, GPTSettings)
    assert (model.ngrams, model.ngram_dropout) == (3, 0.11)


def test_a_run_goes_on_as_it_was_planned(text: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first, later = (resolve([str(text)], settings={"training.minutes": minutes}) for minutes in (0.5, 5))
    assert first.recipe.model != later.recipe.model
    folder.mkdir()
    assert later.recipe_for(folder) == later.recipe
    begun(folder, first.recipe)
    going_on = later.recipe_for(folder)
    assert going_on.model == first.recipe.model
    assert going_on.training.minutes == 5
    assert not differences(first.recipe, going_on)


def test_what_was_set_by_hand_is_not_taken_for_planned(text: Path, tmp_path: Path) -> None:
    by_hand = resolve([str(text)], settings={"model.layers": 1})
    begun(tmp_path, by_hand.recipe)
    plain = resolve([str(text)]).recipe_for(tmp_path)
    assert differences(by_hand.recipe, plain) == ["model.layers: 1 -> 3"]
    other = resolve([str(text)], settings={"model.width": 192}).recipe_for(tmp_path)
    changes = differences(by_hand.recipe, other)
    assert "model.width: 96 -> 192" in changes
    # What follows from the width follows from the new one.
    assert "model.feed_forward: 384 -> 768" in changes


def test_in_seconds_windows_are_short(tmp_path: Path) -> None:
    long = tmp_path / "long.txt"
    long.write_text("An old man had a boat, and the boat had a hole.\n" * 5000, encoding="utf-8")
    assert [planned(long, training__minutes=minutes).data.window for minutes in (0.3, 0.5)] == [128, 256]
    assert planned(long, training__minutes=0.3, data__window=64).data.window == 64
    assert planned(long, training__steps=10).data.window == 256


def characters(number: int) -> str:
    """Return so many characters, each once; among them some that normalising joins, and one that no alphabet keeps."""
    odd = ["\uf900", "\ufa10", "\u212b", NIBBLES[3]]
    return "".join([*odd, *map(chr, range(0x4E00, 0x4E00 + number - len(odd)))])


@pytest.mark.parametrize("number", [3900, 3967, 3984, 3985, 3989, 4000, 4001, 4005, 4100, 4200])
@pytest.mark.parametrize("kind", ["char", "byte"])
def test_a_plan_for_any_alphabet_can_be_trained(
    number: int, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = held_out.measure_baselines("abcabc", "abc")
    monkeypatch.setattr(held_out, "measure_baselines", lambda *parts, **options: few)  # these take their time
    monkeypatch.setattr(held_out, "measure_likeness", lambda *parts, **options: None)
    alphabet = characters(number)
    for part, rare in enumerate((10, 40, 200)):  # characters that only the held-out part has
        text = alphabet[rare:] * 2 + "\n" + alphabet[:rare]
        source = Corpus("made up", (Document("made up", text),), ())
        settings = {"tokenizer.kind": kind, "data.split.fraction": rare / len(text), "training.steps": 1}
        recipe = make_plan("made up", source, settings).recipe()
        run = RunFolder(tmp_path / str(part))
        run.path.mkdir()
        prepare.prepare(recipe, run, source, None)
        tokenizer = load(run.tokenizer)
        assert tokenizer.vocab_size <= 4000
        assert tokenizer.decode(tokenizer.encode(text)) == tokenizer.normalized(text)
