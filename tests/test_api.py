"""Training from Python."""

from pathlib import Path
from typing import Any

import pytest

import lilliput
from lilliput.errors import CorpusError, LilliputError, RecipeError, RunError
from tests.conftest import made_up_text

TINY: dict[str, Any] = {
    "data": {"window": 16},
    "model": {"layers": 1, "width": 16, "heads": 2},
    "training": {"steps": 6, "batch": 4, "evaluate_every": 3},
    "sample": {"length": 8},
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def steps_of(folder: Path) -> list[int]:
    from lilliput.runs import RunFolder

    run = RunFolder(folder)
    return [row["step"] for row in run.read_lines(run.metrics) if "loss" in row]


def test_training_returns_a_writer_that_writes(text_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = lilliput.train(text_file, **TINY)
    assert isinstance(model, lilliput.Writer)
    text = model.write("the", seed=2, length=20)
    assert text.startswith("the")
    assert text == lilliput.load("runs/story").write("the", seed=2, length=20)
    assert model.tokenizer.decode(model.tokenizer.encode("the lamp")) == "the lamp"
    assert model.tokenizer.vocab_size == model.model.vocab_size
    assert {path.name for path in Path("runs").iterdir()} == {"story"}
    assert Path("runs/story/loss.png").exists()
    assert Path("runs/story/loss.svg").exists()
    # A program's standard output is its own.
    assert capfd.readouterr().out == ""


def test_minutes_bound_the_training(text_file: Path) -> None:
    settings = {**TINY, "training": {"batch": 4}}
    model = lilliput.train(str(text_file), minutes=0.01, out="here", **settings)
    assert model.folder == Path("here")
    assert steps_of(Path("here"))
    assert lilliput.read_recipe(Path("here/recipe.toml")).training.minutes == 0.01
    assert not Path("runs").exists()


def test_the_same_call_continues(text_file: Path) -> None:
    lilliput.train(text_file, **TINY)
    before = (Path("runs/story/weights.safetensors").read_bytes(), steps_of(Path("runs/story")))
    lilliput.train(text_file, **TINY)
    assert before == (Path("runs/story/weights.safetensors").read_bytes(), steps_of(Path("runs/story")))
    lilliput.train(text_file, **{**TINY, "training": {**TINY["training"], "steps": 9}})
    assert steps_of(Path("runs/story")) == list(range(1, 10))


def test_another_model_is_refused_unless_it_starts_afresh(text_file: Path) -> None:
    lilliput.train(text_file, **TINY)
    wider = {**TINY, "model": {**TINY["model"], "width": 32}}
    with pytest.raises(RunError, match=r"model\.width: 16 -> 32"):
        lilliput.train(text_file, **wider)
    lilliput.train(text_file, fresh=True, **wider)
    assert lilliput.read_recipe(Path("runs/story/recipe.toml")).model.width == 32


def test_several_texts_and_a_text_to_be_measured_on(text_file: Path, tmp_path: Path) -> None:
    for name, seed in (("second.txt", 2), ("held.txt", 3)):
        (tmp_path / name).write_text(made_up_text(3000, seed))
    model = lilliput.train([text_file, "second.txt"], validation=Path("held.txt"), out=Path("run"), **TINY)
    recipe = lilliput.read_recipe(Path("run/recipe.toml"))
    assert recipe.data.corpus == (str(text_file), "second.txt")
    assert recipe.data.validation == "held.txt"
    facts = lilliput.runs.RunFolder(Path("run")).read_json(Path("run/facts.json"))  # type: ignore[attr-defined]
    assert facts["validation"]["characters"] == 3000
    assert model.write("a", length=2).startswith("a")


def test_a_recipe_on_another_text(text_file: Path) -> None:
    (lilliput.named_recipe("shakespeare-lstm")).write(Path("mine.toml"))
    settings = {"training": {"steps": 3, "batch": 2}, "data": {"window": 8}, "model": {"width": 8, "embedding": 8}}
    model = lilliput.train("mine.toml", corpus=text_file, **settings)
    assert model.folder == Path("runs/shakespeare-lstm-story")
    assert model.model.settings.kind == "lstm"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"seeed": 3}, "seeed: unknown key (did you mean 'seed'?)"),
        ({"model": {"layrs": 3}}, "model.layrs: unknown key (did you mean 'layers'?)"),
        ({"model": {"width": 30, "heads": 4}}, "heads = 4 does not divide width = 30"),
        ({"training": {"steps": "many"}}, "training.steps: input should be a valid integer"),
        ({"minutes": -1}, "training.minutes"),
        ({"minutes": 1, "training": {"steps": 3}}, "give steps or minutes, not both"),
        ({"model": 3}, "model"),
        ({"corpus": "other.txt"}, "corpus"),
    ],
)
def test_settings_that_cannot_be(text_file: Path, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError) as caught:
        lilliput.train(text_file, **settings)
    assert told in str(caught.value)
    assert not Path("runs").exists()


def test_texts_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="there is no file"):
        lilliput.train("none.txt")
    with pytest.raises(LilliputError, match="no text"):
        lilliput.train([])
    with pytest.raises(RecipeError, match="no such recipe file"):
        lilliput.train("none.toml")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_loses_only_what_came_after_the_checkpoint(
    text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lilliput.report.console import TrainingView

    def interrupted(self: TrainingView, step: int, *rest: Any) -> None:
        if step > 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingView, "due", lambda self: True)
        patch.setattr(TrainingView, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lilliput.train(text_file, **TINY)
    lilliput.train(text_file, **TINY)
    assert steps_of(Path("runs/story")) == list(range(1, 7))
