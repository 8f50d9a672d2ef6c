"""What a run depends on is compared with its checksum when it is used; what can be done without is done without."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lilliput.errors import LilliputError, RunError
from lilliput.evaluation.doctor import read_chart
from lilliput.recipe import make_recipe, read_recipe
from lilliput.runs import manifest as manifests
from lilliput.runs.folder import RunFolder
from lilliput.runs.manifest import MANIFEST, Manifest
from lilliput.training.evaluator import evaluate_run
from lilliput.training.events import Event, Note
from lilliput.writer import load
from tests.training.building import corpus, example_recipe, finished, recipe, run, sums

STEPS = {"training.steps": 2, "training.evaluate_every": 1, "model.counts": True}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage") / "run"
    run(folder, recipe(**STEPS))
    return folder


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def on(folder: Path, **settings: Any) -> list[Event]:
    return run(folder, recipe(**STEPS | settings))


def notes(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note)]


def flip(path: Path, place: int = -2) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


# Checksums.


@pytest.mark.parametrize("damage", ["flipped", "appended", "foreign"])
@pytest.mark.parametrize("name", ["training", "validation"])
def test_other_tokens_are_refused(copied: Path, name: str, damage: str) -> None:
    path = copied / "tokens" / f"{name}.npy"
    if damage == "flipped":
        flip(path)
    elif damage == "appended":
        path.write_bytes(path.read_bytes() + b"\0\0")
    else:
        np.save(path, np.ones_like(np.load(path)))
    with pytest.raises(
        RunError, match=rf"{name}\.npy: damaged \(its SHA-256 does not match manifest\.json\); .*--fresh"
    ):
        on(copied, **{"training.steps": 3})
    with pytest.raises(RunError, match=rf"{name}\.npy: damaged"):
        evaluate_run(load(copied), copied)


def test_other_bounds_of_answers_are_refused(tmp_path: Path) -> None:
    settings = {"training.steps": 1}
    run(tmp_path / "run", example_recipe(**settings), text=sums())
    path = tmp_path / "run" / "tokens" / "validation.bounds.npy"
    np.save(path, np.load(path) - np.uint32(1))
    with pytest.raises(RunError, match=r"bounds\.npy: damaged"):
        run(tmp_path / "run", example_recipe(**settings), text=sums())


@pytest.mark.parametrize("name", ["tokenizer/tokenizer.json", "model.json"])
def test_another_tokenizer_or_model_is_refused(copied: Path, name: str) -> None:
    values = json.loads((copied / name).read_text())
    (copied / name).write_text(json.dumps(values, indent=3))  # the same with other spaces
    with pytest.raises(RunError, match=r"damaged \(its SHA-256"):
        load(copied)


def test_other_facts_are_refused_where_they_are_needed(copied: Path) -> None:
    flip(copied / "facts.json", (copied / "facts.json").read_bytes().index(b"bits_per_character") + 24)
    told: list[str] = []
    load(copied, told.append)
    assert len(told) == 1
    assert "facts.json: damaged" in told[0]
    for use in (lambda: on(copied), lambda: read_chart(RunFolder(copied))):
        with pytest.raises(RunError, match=r"facts\.json: damaged"):
            use()


def test_a_model_file_is_written_anew_when_the_run_goes_on(copied: Path) -> None:
    whole = (copied / "model.json").read_bytes()
    (copied / "model.json").write_bytes(b"{")
    with pytest.raises(RunError, match="repeat the command that made the run"):
        load(copied)
    on(copied)
    assert (copied / "model.json").read_bytes() == whole


def test_a_damaged_manifest_does_not_condemn_the_files(copied: Path) -> None:
    flip(copied / MANIFEST, (copied / MANIFEST).read_bytes().index(b"training.npy") + 20)
    told: list[str] = []
    load(copied, told.append)
    assert any("using the checkpoint of step 2" in note for note in told)
    assert any("manifest.json: damaged" in note for note in notes(on(copied)))
    load(copied, pytest.fail)


def test_a_run_without_facts_is_not_begun_anew(copied: Path) -> None:
    (copied / "facts.json").unlink()
    with pytest.raises(RunError, match=r"facts\.json is missing"):
        on(copied)
    assert (copied / "weights.safetensors").exists()


# The recipe.


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"name = 3\n"])
def test_a_run_goes_on_without_its_recipe_file(copied: Path, content: bytes | None) -> None:
    whole = (copied / "recipe.toml").read_bytes()
    (copied / "recipe.toml").unlink()
    if content is not None:
        (copied / "recipe.toml").write_bytes(content)
    with pytest.raises(RunError, match=r"training\.batch: 4 -> 5"):
        on(copied, **{"training.batch": 5})
    events = on(copied)
    assert finished(events).step == 2
    assert any("recipe.toml: changed since it was written" in note for note in notes(events))
    assert (copied / "recipe.toml").read_bytes() == whole


def test_a_recipe_that_is_nowhere_is_that_of_the_command_if_the_model_is(copied: Path) -> None:
    (copied / "recipe.toml").write_bytes(b"")
    (copied / MANIFEST).unlink()
    with pytest.raises(RunError, match=r"model\.width: 16 -> 32"):
        on(copied, **{"model.width": 32})
    events = on(copied)
    assert any("continues with this command's recipe" in note for note in notes(events))
    assert read_recipe(copied / "recipe.toml") == recipe(**STEPS)


def test_sampling_options_may_be_edited(copied: Path) -> None:
    text = (copied / "recipe.toml").read_text()
    (copied / "recipe.toml").write_text(text.replace("max_tokens = 8", "max_tokens = 9"))
    told: list[str] = []
    assert load(copied, told.append).settings.max_tokens == 9
    assert told == [
        f"{copied / 'recipe.toml'}: its [sample] section was edited after training; the edited values are used"
    ]
    assert any("recipe.toml: changed since it was written" in note for note in notes(on(copied)))
    assert (copied / "recipe.toml").read_text() == text


# Versions.


@pytest.fixture
def later(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run in the name of a later version."""
    manifest = Manifest.read(copied)
    manifest.recipe = None
    with monkeypatch.context() as patched:
        patched.setattr(manifests, "this_version", lambda: "99.3.0")
        manifest.sums = {"weights.safetensors": manifest.sums["weights.safetensors"]}
        manifest.write(copied)
    return copied


UPGRADE = r"made by Lilliput 99\.3\.0, this is \d+(\.\d+)*: upgrade with pip install --upgrade lilliput"


@pytest.mark.parametrize("name", ["model.json", "tokenizer/tokenizer.json", "recipe.toml"])
def test_a_key_of_a_later_version_asks_for_an_upgrade(later: Path, name: str) -> None:
    path = later / name
    if name == "recipe.toml":
        path.write_text("unheard_of = 1\n" + path.read_text())
        with pytest.raises(RunError, match=UPGRADE):
            on(later)
    else:
        values = json.loads(path.read_text())
        values.get("settings", values)["unheard_of"] = 1
        path.write_text(json.dumps(values))
        with pytest.raises(RunError, match=UPGRADE):
            load(later)


def test_sampling_options_of_a_later_version_stop_nothing(later: Path) -> None:
    path = later / "recipe.toml"
    path.write_text(path.read_text().replace("[sample]", "[sample]\nunheard_of = 1"))
    told: list[str] = []
    writer = load(later, told.append)
    assert evaluate_run(writer, later)["tokens"] > 0
    assert len(told) == 1
    assert "upgrade" in told[0]
    assert "default sampling options are used" in told[0]


@pytest.mark.parametrize("found", ["0.0.9", "", "x", "9" * 1000, "99\x1b[2J.1\n"])
def test_a_version_is_compared_by_its_numbers(found: str) -> None:
    advice = manifests.upgrade(found)
    assert advice is None or advice.isprintable()
    assert manifests.upgrade(manifests.this_version()) is None


FORMATS = sorted(Path(__file__).parent.glob("format-*"))


@pytest.mark.parametrize("path", FORMATS, ids=lambda path: path.name)
def test_runs_of_earlier_formats_are_used_and_go_on(path: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(path, tmp_path / "run"))
    writer = load(folder, pytest.fail)
    assert writer.write(max_tokens=4)
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluate_run(writer, folder)["loss"] == pytest.approx(evaluation["loss"])
    assert read_chart(RunFolder(folder)).over
    values = RunFolder(folder).read_recipe().as_dict()
    assert finished(run(folder, make_recipe(values, {"training.steps": 5}), text=corpus(700))).step == 5
    assert "tokens/training.npy" in Manifest.read(folder).sums
    assert json.loads((folder / "model.json").read_text())["format"] == int(path.name.removeprefix("format-"))


@pytest.mark.parametrize("path", FORMATS, ids=lambda path: path.name)
def test_a_run_of_an_earlier_format_goes_on_without_its_recipe(path: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(path, tmp_path / "run"))
    values = RunFolder(folder).read_recipe().as_dict()
    manifest = Manifest.read(folder)
    manifest.recipe = None
    manifest.write(folder)
    (folder / "recipe.toml").unlink()
    with pytest.raises(RunError, match=r"different recipe \(model\.ensemble: 1 -> 2\)"):
        run(folder, make_recipe(values, {"model.ensemble": 2}), text=corpus(700))
    assert finished(run(folder, make_recipe(values, {"training.steps": 5}), text=corpus(700))).step == 5


def test_a_format_of_the_future_is_told(copied: Path) -> None:
    assert json.loads((copied / "model.json").read_text())["format"] == 2
    RunFolder(copied).write_model({"format": 3})
    with pytest.raises(RunError, match=r"model\.json: in a format that this version cannot read; upgrade"):
        RunFolder(copied).model_format()


# Links and pipes.


def files_of(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock")


def test_no_file_of_a_run_is_written_through_a_link(copied: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(copied, outside)
    before = {path: path.read_bytes() for path in files_of(outside)}
    for path in files_of(copied):
        path.unlink()
        path.symlink_to(outside / path.relative_to(copied))
    (copied / ".lock").unlink(missing_ok=True)
    (copied / ".lock").symlink_to(outside / "recipe.toml")
    on(copied, **{"training.steps": 4})
    assert {path: path.read_bytes() for path in files_of(outside)} == before
    run(copied, recipe(**STEPS), fresh=True)
    assert {path: path.read_bytes() for path in files_of(outside)} == before


@pytest.mark.parametrize("content", [b"[" * 100_000, b"1" * 10_000, b'{"sha256": [], "settings": 3, "step": []}'])
def test_no_damage_is_a_traceback(copied: Path, content: bytes) -> None:
    for path in files_of(copied):
        whole = path.read_bytes()
        path.write_bytes(content)
        for use in (lambda: load(copied, lambda note: None), lambda: read_chart(RunFolder(copied), lambda note: None)):
            try:
                use()
            except LilliputError as error:
                assert "\n" not in str(error)
                assert len(str(error)) < 1000
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "name",
    [
        "model.json",
        "recipe.toml",
        "facts.json",
        "manifest.json",
        "metrics.jsonl",
        "evaluation.json",
        "weights.safetensors",
        "tokenizer/tokenizer.json",
        "tokens/training.npy",
    ],
)
def test_a_pipe_is_not_waited_for(copied: Path, name: str) -> None:
    (copied / name).unlink()
    os.mkfifo(copied / name)
    for use in (lambda: load(copied, lambda note: None), lambda: read_chart(RunFolder(copied), lambda note: None)):
        try:
            use()
        except LilliputError as error:
            assert "not a file" in str(error)
