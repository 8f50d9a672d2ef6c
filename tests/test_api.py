"""Training from Python."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

import lilliput
from lilliput.errors import CorpusError, LilliputError, RecipeError, RunError
from lilliput.interrupts import Interrupts
from lilliput.runs.folder import RunFolder
from tests.conftest import made_up_text

TINY: dict[str, Any] = {
    "data": {"window": 16},
    "model": {"layers": 1, "width": 16, "heads": 2},
    "training": {"steps": 6, "batch": 4, "evaluate_every": 3},
    "sample": {"max_tokens": 8},
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def steps_of(folder: Path) -> list[int]:

    run = RunFolder(folder)
    return [row["step"] for row in run.read_lines(run.metrics) if "loss" in row]


def test_training_returns_a_writer_that_writes(text_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = lilliput.train(text_file, **TINY)
    assert isinstance(model, lilliput.Writer)
    text = model.write("the", seed=2, max_tokens=20)
    assert text.startswith("the")
    assert text == lilliput.load("runs/story").write("the", seed=2, max_tokens=20)
    assert model.tokenizer.decode(model.tokenizer.encode("the lamp")) == "the lamp"
    assert model.tokenizer.vocab_size == model.model.vocab_size
    assert {path.name for path in Path("runs").iterdir()} == {"story"}
    assert Path("runs/story/loss.png").exists()
    assert Path("runs/story/loss.svg").exists()
    # A program's standard output is its own.
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "sliding windows" in printed.err


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
    facts = RunFolder(Path("run")).read_facts()
    assert facts["validation"]["characters"] == 3000
    assert model.write("a", max_tokens=2).startswith("a")


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
    with pytest.raises(RecipeError, match="no recipe file"):
        lilliput.train("none.toml")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_takes_effect_when_the_step_is_finished_and_saved(
    text_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    update, calls = torch.optim.AdamW.step, []

    def interrupted(self: torch.optim.AdamW, *rest: Any) -> Any:
        calls.append(self)
        if len(calls) == 5:
            signal.raise_signal(signal.SIGINT)
        return update(self, *rest)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(torch.optim.AdamW, "step", interrupted)
        lilliput.train(text_file, **TINY)
    assert (Path("runs/story/checkpoints/step-00000005")).is_dir()
    assert steps_of(Path("runs/story")) == list(range(1, 6))
    assert capfd.readouterr().err.endswith("stopped after step 5. Repeat the call to continue\n")


def test_a_training_in_a_thread_is_saved_before_the_interpreter_ends(
    text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update, ends = torch.optim.AdamW.step, []

    def ending(self: torch.optim.AdamW, *rest: Any) -> Any:
        # The interpreter calls this from its main thread, and waits.
        ending_thread = threading.Thread(target=ends[0])
        ending_thread.start()
        ends.append(ending_thread.join)
        while not interrupts[0].wanted():
            pass
        return update(self, *rest)

    interrupts: list[Interrupts] = []
    enter = Interrupts.__enter__
    monkeypatch.setattr(Interrupts, "__enter__", lambda self: interrupts.append(self) or enter(self))
    monkeypatch.setattr("atexit.register", ends.append)
    monkeypatch.setattr(torch.optim.AdamW, "step", ending)

    def training() -> None:
        with pytest.raises(SystemExit):
            lilliput.train(text_file, **TINY)

    thread = threading.Thread(target=training)
    thread.start()
    thread.join()
    ends[1]()
    assert (Path("runs/story/checkpoints/step-00000001")).is_dir()


def test_a_training_in_a_thread_begins_and_ends_after_the_main_thread(
    text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the interpreter sets when its main thread ends, before it waits for the other ones.
    monkeypatch.setattr("concurrent.futures.thread._shutdown", True)
    with pytest.raises(RuntimeError, match="interpreter shutdown"), ThreadPoolExecutor() as executor:
        executor.submit(print)
    assert lilliput.train(text_file, **TINY).write("the", max_tokens=4)
