"""Bad input is one line with the remedy, exit code 2, and nothing changed on the disk."""

import io
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from lilliput.runs.claiming import claim
from lilliput.runs.folder import RunFolder
from tests.cli.conftest import TINY, Lilliput, assert_refused, tree
from tests.conftest import made_up_text

RUN = Path("runs/story")


@pytest.fixture(autouse=True)
def _files(place: Path) -> None:
    Path("empty.txt").write_bytes(b"")
    Path("blank.txt").write_text(" \n\t\n")
    Path("tiny.txt").write_text("a")
    Path("binary.bin").write_bytes(bytes(range(256)) * 20)
    Path("picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(300))
    Path("broken.gz").write_bytes(b"\x1f\x8b\x08\x00garbage")
    Path("folder").mkdir()
    Path("loop.txt").symlink_to("loop.txt")
    Path("bad.toml").write_text("[training\n")
    Path("bad.json").write_text("{")
    Path("typo.toml").write_text('[trainig]\nsteps = 1\n[data]\ncorpus = "story.txt"\nwindo = 3\n')
    Path("date.toml").write_text("description = 2024-01-01\n[training]\nsteps = 1\n")
    Path("no-text.toml").write_text("[training]\nsteps = 1\n")


def files(folder: Path) -> dict[str, bytes | None]:
    """All files but the locks: an empty folder with a lock is no change that anybody minds."""
    return {name: content for name, content in tree(folder).items() if content is not None and ".lock" not in name}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.txt",), ("there is no file", "none.txt")),
        (("stroy.txt",), ("did you mean story.txt",)),
        (("empty.txt",), ("empty.txt", "empty")),
        (("blank.txt",), ("blank.txt", "blank")),
        (("binary.bin",), ("binary.bin is binary, not text",)),
        (("picture.png",), ("picture.png is a PNG picture", "OCR")),
        (("broken.gz",), ("broken.gz",)),
        (("folder",), ("the folder folder holds no text",)),
        (("loop.txt",), ("loop.txt",)),
        (("story.txt/inside.txt",), ("inside.txt",)),
        (("x" * 5000,), ("cannot be read",)),
        (("a\0b",), ("a",)),
        (("story.txt", "none.txt"), ("none.txt",)),
        (("story.txt", "shakespeare"), ("named corpus", "alone")),
        (("shakespear-lstm",), ("did you mean 'shakespeare-lstm'",)),
        (("none.toml",), ("no recipe file none.toml",)),
        (("bad.toml",), ("bad.toml", "not a readable TOML file")),
        (("bad.json",), ("bad.json is not JSON", "correct it")),
        (("typo.toml",), ("trainig: unknown key (did you mean 'training'?)", "data.windo", "training: missing")),
        (("date.toml",), ("description",)),
        (("no-text.toml",), ("data.corpus names no text", "--corpus FILE")),
        (("no-text.toml", "--corpus", "none.txt"), ("none.txt",)),
        (("story.txt", "--corpus", "story.txt"), ("--corpus", "the text of a recipe")),
        (("story.txt", "--validation", "none.txt"), ("none.txt",)),
        (("story.txt", "--validation", "empty.txt"), ("empty.txt",)),
        (("story.txt", "--set", "model.layers"), ("KEY=VALUE",)),
        (("story.txt", "--set", "model.layrs=3"), ("model.layrs: unknown key (did you mean 'layers'?)",)),
        (("story.txt", "--set", "modle.layers=3"), ("modle: unknown key (did you mean 'model'?)",)),
        (
            ("story.txt", "--set", "model.layers=many", "--set", "training.batch=0", "--set", "seed=x"),
            ("model.layers: input should be a valid integer", "training.batch: ", "seed: "),
        ),
        (("story.txt", "--set", "model.width=30", "--set", "model.heads=4"), ("heads = 4 does not divide width = 30",)),
        (("story.txt", "--set", "model.kind=mamba"), ("model.kind", "'mamba'", "'gpt'", "'lstm'")),
        (("story.txt", "--minutes", "0"), ("training.minutes",)),
        (("story.txt", "--minutes", "-3"), ("training.minutes",)),
        (("story.txt", "--minutes", "nan"), ("training.minutes",)),
        (("story.txt", "--minutes", "1", "--set", "training.steps=3"), ("steps or minutes, not both",)),
        (("story.txt", "--seed", "-1"), ("seed",)),
        (("story.txt", *TINY, "--set", "tokenizer.vocabulary=5"), ("vocabulary 5 is too small", "at least 17")),
        (("story.txt", *TINY, "--set", "tokenizer.vocabulary=5000"), ("vocabulary 5000 is too large", "at most")),
        (("story.txt", *TINY, "--set", "tokenizer.kind=byte", "--set", "tokenizer.vocabulary=9"), ("exactly 256",)),
        (("story.txt", *TINY, "--set", "training.precision=float16"), ("training.precision", "needs a CUDA GPU")),
        (("story.txt", *TINY, "--set", "data.split.by=document"), ("one document", "by position")),
        (("tiny.txt", *TINY), ("tiny", "longer text")),
        (("story.txt", *TINY, "--out", "story.txt"), ("story.txt", "--out")),
        (("story.txt", *TINY, "--out", "story.txt/run"), ("cannot write", "--out")),
        (("story.txt", *TINY, "--out", "."), ("not empty and not a run", "--out")),
    ],
    ids=lambda value: " ".join(value[0:1] + value[-1:])[:40] if isinstance(value, tuple) else None,
)
def test_training_on_what_cannot_be(
    lilliput: Lilliput, place: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    import torch

    if torch.cuda.is_available() and "training.precision=float16" in arguments:
        pytest.skip("this machine has float16")
    before = files(place)
    outcome = lilliput("train", *arguments)
    assert outcome.code == 2
    assert_refused(outcome, *words)
    assert files(place) == before


def test_a_folder_that_may_not_be_read(lilliput: Lilliput, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever runs the tests as root may read everything, so the refusal is acted.
    original = os.scandir

    def scandir(path: Any = ".") -> Any:
        if Path(path).name == "folder":
            raise PermissionError(13, "Permission denied", str(path))
        return original(path)

    Path("folder/a.txt").write_text(made_up_text(500))
    monkeypatch.setattr(os, "scandir", scandir)
    assert_refused(lilliput("train", "folder"), "folder", "Permission denied", "chmod +r")


def test_a_file_that_may_not_be_read(lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.open

    def refuse(self: Path, *arguments: Any, **options: Any) -> IO[Any]:
        if self.name == "story.txt":
            raise PermissionError(13, "Permission denied", str(self))
        return original(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    assert_refused(lilliput("train", "story.txt"), "story.txt", "Permission denied")


def test_empty_and_binary_standard_input(lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (b"", b"\n\n", bytes(range(256))):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert_refused(lilliput("train", "-"), "standard input")
    assert not Path("runs").exists()


# Runs that are there.


@pytest.fixture
def trained(finished: Path) -> dict[str, bytes | None]:
    """Put a finished run into its place and return its files."""
    shutil.copytree(finished, RUN)
    return files(RUN)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "model.width=32"), ("model.width: 16 -> 32", "--fresh", "--out")),
        (("--set", "data.window=8", "--seed", "2"), ("data.window: 16 -> 8", "seed: 1 -> 2")),
        (("--validation", "story.txt"), ("a different text", "--fresh")),
        (("--set", "training.trackers=['tensorboard']", "--set", "training.batch=5"), ("training.batch: 4 -> 5",)),
        (("--fresh", "--set", "model.heads=3"), ("heads = 3 does not divide",)),
        (("--fresh", "--set", "tokenizer.vocabulary=5"), ("vocabulary 5 is too small",)),
        (("--fresh", "--set", "tokenizer.kind=gtp2"), ("tokenizer.kind",)),
    ],
)
def test_a_refusal_leaves_the_run_as_it_was(
    lilliput: Lilliput, trained: dict[str, bytes | None], arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_refused(lilliput("train", "story.txt", *TINY, *arguments), *words)
    assert files(RUN) == trained
    assert lilliput("sample", str(RUN), "--max-tokens", "3").code == 0


def test_a_run_in_use(lilliput: Lilliput, trained: dict[str, bytes | None]) -> None:
    lock = claim(RunFolder(RUN))
    try:
        for more in ((), ("--fresh",), ("--set", "training.trackers=['tensorboard']")):
            assert_refused(lilliput("train", "story.txt", *TINY, *more), "in use by another process", "--out")
            assert files(RUN) == trained
        # Reading it is free.
        assert lilliput("sample", str(RUN), "--max-tokens", "3").code == 0
        assert lilliput("eval", str(RUN)).code == 0
    finally:
        lock.release()


@pytest.mark.parametrize("setting", ["tokenizer.vocabulary=5", "training.precision=float16"])
def test_after_a_refusal_the_right_command_just_works(lilliput: Lilliput, setting: str) -> None:
    import torch

    if torch.cuda.is_available() and "float16" in setting:
        pytest.skip("this machine has float16")
    assert lilliput("train", "story.txt", *TINY, "--set", setting).code == 2
    assert lilliput("train", "story.txt", *TINY).code == 0


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_corrupt_checkpoint_falls_back_to_the_one_before_and_says_so(
    lilliput: Lilliput, trained: dict[str, bytes | None]
) -> None:
    damage(RUN / "checkpoints" / "step-00000006" / "optimizer.safetensors")
    outcome = lilliput("train", "story.txt", *TINY, "--set", "training.steps=8")
    assert outcome.code == 0
    assert "checkpoint of step 6 is broken" in outcome.err
    assert "continuing runs/story after step 3" in outcome.err


def test_when_all_checkpoints_are_corrupt_nothing_is_overwritten(
    lilliput: Lilliput, trained: dict[str, bytes | None]
) -> None:
    for path in RUN.glob("checkpoints/*/state.json"):
        damage(path)
    before = files(RUN)
    outcome = lilliput("train", "story.txt", *TINY, "--set", "training.steps=8")
    assert (outcome.code, outcome.out) == (2, "")
    *notes, last = outcome.err.splitlines()
    assert last.startswith("error: ")
    assert "every checkpoint is broken; start over with --fresh" in last
    assert not any(note.startswith("error:") for note in notes)
    left = files(RUN)
    for name in ("recipe.toml", "manifest.json"):  # they have the new length
        del left[name], before[name]
    assert left == before


@pytest.mark.parametrize("verb", ["sample", "eval", "plot"])
@pytest.mark.parametrize("run", ["none", "folder", "story.txt"])
def test_what_is_no_run(lilliput: Lilliput, place: Path, verb: str, run: str) -> None:
    before = files(place)
    assert_refused(lilliput(verb, run), run)
    assert files(place) == before


@pytest.mark.parametrize(
    ("name", "verbs"),
    [
        ("model.json", ("sample", "eval")),
        ("tokenizer/tokenizer.json", ("sample", "eval", "train")),
        ("facts.json", ("eval", "plot", "train")),
        ("tokens/training.npy", ("eval", "train")),
        ("tokens/validation.npy", ("eval", "train")),
        ("metrics.jsonl", ("plot",)),
    ],
)
@pytest.mark.parametrize("content", [b"", b"[]\n[]\n", b"\xff\xfe\x00garbage\n\n", b"{}\n{}\n"])
def test_a_broken_file_of_a_run_is_one_line(
    lilliput: Lilliput, trained: dict[str, bytes | None], name: str, verbs: tuple[str, ...], content: bytes
) -> None:
    for verb in verbs:
        (RUN / name).write_bytes(content)
        arguments = ("story.txt", *TINY, "--set", "training.steps=7") if verb == "train" else (str(RUN),)
        outcome = lilliput(verb, *arguments)
        assert outcome.code == 2, (verb, outcome)
        assert outcome.err.splitlines()[-1].startswith("error: ")


def test_other_facts_are_refused(lilliput: Lilliput, trained: dict[str, bytes | None]) -> None:
    (RUN / "facts.json").write_text("{}")
    for verb in ("eval", "judge", "doctor"):
        outcome = lilliput(verb, str(RUN))
        assert outcome.code == 2
        assert "facts.json: damaged" in outcome.err.splitlines()[-1]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), OSError("180068 requested and 153536 written")]
)
@pytest.mark.parametrize("function", ["training.data.prepare.write_segments", "runs.recorder.save_checkpoint"])
def test_a_full_disk_is_one_line(
    lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch, function: str, error: OSError
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(f"lilliput.{function}", fail)
        outcome = lilliput("train", "story.txt", *TINY)
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1].startswith(f"error: cannot write runs/story: {error.strerror or error}")
    assert lilliput("train", "story.txt", *TINY).code == 0


def test_an_empty_name_is_no_folder(lilliput: Lilliput, trained: dict[str, bytes | None]) -> None:
    assert_refused(lilliput("eval", str(RUN), "--text", ""), "the name of the text is empty")
    assert_refused(lilliput("train", ""), "the name of the text is empty")


def test_a_run_is_no_text(lilliput: Lilliput, trained: dict[str, bytes | None]) -> None:
    assert_refused(lilliput("train", str(RUN), *TINY), "is a run, not a text", "lilliput sample")
    assert files(RUN) == trained


def test_a_text_that_cannot_be_measured(lilliput: Lilliput, trained: dict[str, bytes | None]) -> None:
    for text, word in (("none.txt", "none.txt"), ("empty.txt", "empty.txt"), ("tiny.txt", "at least 2")):
        assert_refused(lilliput("eval", str(RUN), "--text", text), word)
    assert_refused(lilliput("plot", str(RUN), "--out", "story.txt/x.png"), "story.txt")


def test_unknown_names(lilliput: Lilliput, place: Path) -> None:
    before = files(place)
    assert_refused(lilliput("recipes", "show", "darwin-gtp"), "did you mean 'darwin-gpt'?")
    assert_refused(lilliput("corpora", "get", "shakspeare"), "shakespeare")
    assert_refused(lilliput("corpora", "get", "darwin", "--from", "none.txt"), "none.txt")
    assert files(place) == before


def test_debug_shows_where_it_happened(lilliput: Lilliput) -> None:
    from lilliput.errors import CorpusError

    with pytest.raises(CorpusError):
        lilliput("train", "none.txt", "--debug")


def test_a_loss_that_explodes_is_told(lilliput: Lilliput) -> None:
    settings = ("--set", "training.optimizer=sgd", "--set", "training.learning_rate=1e38", "--set", "training.clip=1e9")
    outcome = lilliput("train", "story.txt", *TINY, *settings, "--set", "training.warmup=0")
    assert outcome.code == 2
    last = outcome.err.splitlines()[-1]
    assert re.match(r"error: the (training loss|gradient's norm) became (nan|inf) at step", last)
    assert "smaller training.learning_rate" in last
    assert json.loads((RUN / "facts.json").read_text())
