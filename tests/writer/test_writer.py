"""A run opened for use: what it writes, and what it does when the run is damaged, moved or from the future."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.building import recipe, run

from lilliput.errors import CheckpointError, GenerationError, LilliputError, RunError
from lilliput.runs.folder import RunFolder
from lilliput.writer import Writer, load


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a lower-casing tokenizer; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("writer") / "run"
    run(folder, recipe(**{"tokenizer.normalize": ["nfc", "lowercase"], "sample.prompts": ["The old", "b"]}))
    return folder


@pytest.fixture(scope="module")
def writer(trained: Path) -> Writer:
    return load(trained)


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "elsewhere" / "copy"))


# Writing.


def test_the_same_seed_writes_the_same_text(trained: Path, writer: Writer) -> None:
    text = writer.write("the", seed=5, max_tokens=40)
    assert text == writer.write("the", seed=5, max_tokens=40)
    assert text == load(trained).write("the", seed=5, max_tokens=40)
    assert len({writer.write("the", seed=seed, max_tokens=40) for seed in range(4)}) == 4


def test_the_text_is_the_prompt_and_what_is_streamed(writer: Writer) -> None:
    pieces = list(writer.stream("the", seed=2, max_tokens=30))
    text = writer.write("the", seed=2, max_tokens=30)
    assert text == "the" + "".join(piece.text for piece in pieces)
    assert [piece.tokens for piece in pieces] == sorted(piece.tokens for piece in pieces)
    assert pieces[-1].tokens == 30


def test_without_a_prompt_the_recipe_s_is_taken(writer: Writer) -> None:
    assert writer.write(max_tokens=3).startswith("The old")
    assert writer.write("", max_tokens=3).startswith("The old")
    assert writer.settings.max_tokens == 8
    assert len(list(writer.stream())) <= 9


def test_the_prompt_is_kept_as_given_and_read_as_the_tokenizer_reads(writer: Writer) -> None:
    upper, lower = writer.write("THE OLD", seed=3), writer.write("the old", seed=3)
    assert upper.startswith("THE OLD")
    assert upper.removeprefix("THE OLD") == lower.removeprefix("the old")
    # NFC: e and a combining accent are one letter.
    assert writer.write("e\u0301", seed=3)[2:] == writer.write("é", seed=3)[1:]


def test_texts_are_cleaned_as_the_text_that_was_learnt(writer: Writer) -> None:
    plain = writer.write("the\nold", seed=3, max_tokens=40).removeprefix("the\nold")
    for prompt in ("the\r\nold", "the\rold", "\ufeffthe\nold"):
        assert writer.write(prompt, seed=3, max_tokens=40) == prompt + plain
    # Nothing is taken for a frame.
    frame = "*** START OF THE PROJECT GUTENBERG EBOOK X ***\nold"
    assert writer.write(frame, max_tokens=3).startswith(frame)
    for option, typed, meant in (
        ("stop", "\r\n", "\n"),
        ("stop", "e\u0301", "\u00e9"),
        ("ban", "\r\n", "\n"),
        ("match", "[a-z]{3}\r\nthe", "[a-z]{3}\nthe"),
        ("allow", "the \r", "the \n"),
    ):
        first, second = (writer.write("the", seed=2, max_tokens=60, **{option: text}) for text in (typed, meant))
        assert first == second
    leads = [writer.fill("the", suffix, max_tokens=10)[0] for suffix in ("\r\nthe", "\nthe")]
    assert leads[0] == leads[1]


@pytest.mark.parametrize("prompt", ["é", "日本語", "\U0001f600", "\ud800", "\x00", "\u200b\r\n", "œuvre ﬁn"])
def test_a_prompt_may_hold_characters_that_training_never_saw(writer: Writer, prompt: str) -> None:
    text = writer.write(prompt, seed=1, max_tokens=5)
    assert text.startswith(prompt)
    assert text == writer.write(prompt, seed=1, max_tokens=5)


def test_a_prompt_may_be_longer_than_the_context(writer: Writer) -> None:
    assert writer.write("the old river " * 50, max_tokens=40).startswith("the old river " * 50)


def test_temperature_zero_takes_the_likeliest_whatever_the_seed(writer: Writer) -> None:
    assert len({writer.write("the", seed=seed, temperature=0, max_tokens=30) for seed in range(4)}) == 1
    assert writer.write("the", temperature=0, max_tokens=30) == writer.write("the", top_k=1, max_tokens=30)


def test_writing_leaves_the_model_as_it_is(writer: Writer) -> None:
    before = {name: value.clone() for name, value in writer.model.state_dict().items()}
    writer.write("the", max_tokens=5)
    assert not writer.model.training
    assert all(value.equal(before[name]) for name, value in writer.model.state_dict().items())


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"temperature": "hot"},
        {"top_k": 0},
        {"top_k": 1.5},
        {"top_p": 0},
        {"top_p": 1.1},
        {"max_tokens": 0},
        {"max_tokens": None},
        {"stop": ("",)},
        {"stop": 3},
        {"until": "page"},
        {"bias": {"the": 1.0}},
        {"tempature": 1},
        {"seed": -1},
    ],
)
def test_impossible_options_are_one_line(writer: Writer, options: dict[str, Any]) -> None:
    with pytest.raises(GenerationError) as caught:
        writer.write("the", **options)
    message = str(caught.value)
    assert next(iter(options)) in message
    assert "\n" not in message
    # `stream` says so at the call, not at the first piece.
    with pytest.raises(GenerationError):
        writer.stream("the", **options)


# Stop strings.


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda writer: writer.write(5), "prompt: should be a text, not 5"),
        (lambda writer: writer.write(b"the"), "prompt: should be a text, not b'the'"),
        (lambda writer: writer.search(["the"]), "prompt: should be a text, not ['the']"),
        (lambda writer: writer.write_many("the"), "prompts: should be several texts, not one: ['the']"),
        (lambda writer: writer.write_many(["the", 7]), "prompt: should be a text, not 7"),
        (lambda writer: writer.fill("the", 5), "suffix: should be a text, not 5"),
        (lambda writer: writer.write("the", seed="x"), "seed: should be a whole number, 0 or more, not 'x'"),
        (lambda writer: writer.write("the", seed=1.5), "seed: should be a whole number, 0 or more, not 1.5"),
        (lambda writer: writer.write_many(["the"], seed=None), "seed: should be a whole number, 0 or more, not None"),
        (lambda writer: writer.write("the", filters=[3]), "filters: should be functions of logits and ids, not 3"),
    ],
)
def test_arguments_of_another_type_are_named(writer: Writer, call: Callable[[Writer], Any], told: str) -> None:
    with pytest.raises(GenerationError) as caught:
        call(writer)
    assert str(caught.value) == f"sampling: {told}"


def test_one_text_stands_for_a_list_of_one(writer: Writer) -> None:
    for options in ({"stop": "s"}, {"ban": "th"}, {"temperatures": 0.5}):
        several = {key: [value] for key, value in options.items()}
        assert writer.write("the", seed=1, **options) == writer.write("the", seed=1, **several)
    assert writer.write("the", seed=np.int64(3)) == writer.write("the", seed=3)


@pytest.mark.parametrize("counts", [False, True])
def test_a_writer_that_has_written_can_go_to_another_process(trained: Path, tmp_path: Path, counts: bool) -> None:
    if counts:
        trained = tmp_path / "run"
        run(trained, recipe(**{"model.counts": True, "model.ngrams": 3, "model.ngram_rows": 64, "training.steps": 1}))
    writer = load(trained, note=lambda text: None)
    text = writer.write("the", seed=4, max_tokens=20)
    assert pickle.loads(pickle.dumps(writer)).write("the", seed=4, max_tokens=20) == text
    assert writer.write("the", seed=4, max_tokens=20) == text


def test_a_writer_stops_before_its_stop_string(writer: Writer) -> None:
    whole = writer.write("the", seed=1, max_tokens=60)
    written = whole.removeprefix("the")
    for start, length in ((10, 1), (20, 3), (30, 8)):
        stop = written[start : start + length]
        text = writer.write("the", seed=1, max_tokens=60, stop=("never written", stop))
        assert text == "the" + written[: written.find(stop)]
    # What stands in the prompt stops nothing.
    assert writer.write("the", seed=1, max_tokens=3, stop=("the",)) == whole[:6]


def test_pieces_tell_tokens_and_probabilities(writer: Writer) -> None:
    pieces = list(writer.stream("the", seed=2, max_tokens=30, temperature=0))
    ids = [piece.token for piece in pieces if piece.token is not None]
    assert len(ids) == 30
    assert writer.tokenizer.decode(ids) == "".join(piece.text for piece in pieces)
    assert all(piece.probability is None or 0 < piece.probability <= 1 for piece in pieces)
    assert all(piece.tokens_per_second > 0 for piece in pieces)


def test_a_filter_of_one_s_own(writer: Writer) -> None:
    letter = int(writer.tokenizer.encode("e")[0])
    text = writer.write(
        "the", max_tokens=20, filters=[lambda logits, ids: logits + 99 * (np.arange(logits.size) == letter)]
    )
    assert text == "the" + "e" * 20


# Opening.


def test_a_run_moves_without_its_text(copied: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tokens", "metrics.jsonl", "samples.jsonl", "facts.json", "environment.json", "checkpoints"):
        path = copied / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    monkeypatch.chdir(copied.parent)
    notes: list[str] = []
    assert load("copy", notes.append).write("the", seed=4) == writer.write("the", seed=4)
    assert load(Path("copy"), notes.append).folder == Path("copy")
    assert notes == []


@pytest.mark.parametrize("content", [None, b"", b"\xff\x00", b"[" * 100_000, b"a = " + b"1" * 10_000])
def test_a_run_whose_recipe_is_missing_or_broken_still_writes(
    copied: Path, writer: Writer, content: bytes | None
) -> None:
    (copied / "recipe.toml").unlink()
    if content is not None:
        (copied / "recipe.toml").write_bytes(content)
    notes: list[str] = []
    assert load(copied, notes.append).settings == writer.settings
    assert len(notes) == 1
    assert notes[0].startswith(f"{copied / 'recipe.toml'}: ")
    assert notes[0].endswith("; the copy of it in manifest.json is used")
    assert "\n" not in notes[0]


@pytest.mark.parametrize("damage", ["flip", "cut", "delete", "manifest", "both"])
def test_damaged_weights_fall_back_to_the_checkpoint_and_say_so(copied: Path, writer: Writer, damage: str) -> None:
    if damage != "manifest":
        hurt(copied / "weights.safetensors", damage)
    if damage in ("manifest", "both"):
        hurt(copied / "manifest.json", damage)
    notes: list[str] = []
    opened = load(copied, notes.append)
    # The best weights of this run are its last.
    assert opened.write("the", seed=4) == writer.write("the", seed=4)
    assert len(notes) == 1
    assert notes[0].endswith("using the checkpoint of step 12")


def hurt(path: Path, damage: str) -> None:
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[-3] ^= 4
        path.write_bytes(content)
    else:
        path.unlink()


def test_a_broken_newest_checkpoint_is_passed_over(copied: Path) -> None:
    (copied / "weights.safetensors").unlink()
    hurt(copied / "checkpoints" / "step-00000012" / "weights.safetensors", "flip")
    notes: list[str] = []
    load(copied, notes.append)
    assert "step 12 is broken" in notes[0]
    assert notes[-1].endswith("using the checkpoint of step 8")


def test_damaged_everything_is_one_error(copied: Path) -> None:
    for path in copied.rglob("weights.safetensors"):
        hurt(path, "flip")
    with pytest.raises(CheckpointError, match="every checkpoint is broken") as caught:
        load(copied, lambda note: None)
    assert "\n" not in str(caught.value)
    shutil.rmtree(copied / "checkpoints")
    with pytest.raises(CheckpointError, match="no checkpoint to use instead; train again") as caught:
        load(copied, lambda note: None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"kind": "mamba", "layers": 3}},
        {"settings": {"kind": "gpt", "window_pattern": "SSL"}},
        {"settings": {"kind": "gpt", "heads": 3}},
        {"settings": None},
        {"vocab_size": "many"},
        {"vocab_size": None},
        {"vocab_size": -1},
        {"context": 0},
        {"context": []},
        {"context": float("inf")},
    ],
)
def test_a_model_of_an_unknown_future_is_one_line(copied: Path, change: dict[str, Any]) -> None:
    model = json.loads((copied / "model.json").read_text())
    RunFolder(copied).write_model(model | change)
    with pytest.raises(RunError, match=r"model\.json: does not describe a model this version knows") as caught:
        load(copied)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["settings", "vocab_size", "context"])
def test_a_model_file_without_a_key_is_one_line(copied: Path, key: str) -> None:
    model = json.loads((copied / "model.json").read_text())
    del model[key]
    RunFolder(copied).write_model(model)
    with pytest.raises(RunError, match=key):
        load(copied)


@pytest.mark.parametrize("change", [{"vocab_size": 3}, {"settings": {"kind": "lstm"}}])
def test_weights_of_another_model_are_refused(copied: Path, change: dict[str, Any]) -> None:
    model = json.loads((copied / "model.json").read_text())
    RunFolder(copied).write_model(model | change)
    with pytest.raises(CheckpointError, match="do not fit this model") as caught:
        load(copied)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.json", "tokenizer/tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"[]", b"{}"])
def test_any_broken_file_is_one_of_our_errors(copied: Path, name: str, content: bytes) -> None:
    (copied / name).write_bytes(content)
    with pytest.raises(LilliputError) as caught:
        load(copied)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tokens", [None, b"", [0, 999], [0.5]])
def test_counts_need_the_tokens_of_their_run(tmp_path: Path, tokens: Any) -> None:
    folder = tmp_path / "run"
    run(folder, recipe(**{"model.counts": True}))
    path = folder / "tokens" / "training.npy"
    path.unlink()
    if isinstance(tokens, bytes):
        path.write_bytes(tokens)
    elif tokens:
        np.save(path, np.array(tokens, dtype=np.uint16 if tokens[0] == 0 else np.float32))
    with pytest.raises(RunError, match=r"training\.npy: .*--fresh") as error:
        load(folder)
    assert "\n" not in str(error.value)


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run at"):
        load(tmp_path / "none")
    with pytest.raises(RunError, match="not a run"):
        load(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError):
        load(tmp_path / "file")
