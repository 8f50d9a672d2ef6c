"""A run that starts with the weights and the tokenizer of another."""

from pathlib import Path

import pytest
import torch

from lilliput.corpus import Corpus, Document
from lilliput.errors import RecipeError
from lilliput.runs.checkpoint import newest_checkpoint
from lilliput.runs.folder import RunFolder
from lilliput.training.events import Evaluated
from tests.conftest import made_up_text
from tests.training.building import corpus, recipe, run, stop_after


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "run"
    run(folder, recipe(**{"training.steps": 60, "training.evaluate_every": 60}))
    return folder


def other_text() -> Corpus:
    """A text without some letters of the first, and with a letter that the first lacks."""
    text = made_up_text(2000, seed=2).replace("k", "ß")
    return Corpus("other", (Document("other", text),), ())


def test_a_run_starts_with_the_weights_and_the_tokenizer_of_another(base: Path, tmp_path: Path) -> None:
    small = recipe(**{"training.steps": 1, "training.learning_rate": 1e-9, "training.evaluate_every": 1})
    run(tmp_path / "tuned", small, text=other_text(), base=base)
    tuned, first = RunFolder(tmp_path / "tuned").read_weights(), RunFolder(base).read_weights()
    assert all(torch.allclose(tuned[name], first[name], atol=1e-5) for name in first)
    names = [path.name for path in (base / "tokenizer").iterdir() if path.suffix == ".json"]
    tokenizers = [RunFolder(folder).load_tokenizer() for folder in (base, tmp_path / "tuned")]
    assert names
    assert tokenizers[0].encode("The keeper waits.").tolist() == tokenizers[1].encode("The keeper waits.").tolist()
    assert tokenizers[1].decode(tokenizers[1].encode("ß").tolist()) == "ß"


def test_a_base_lowers_the_loss(base: Path, tmp_path: Path) -> None:
    small = recipe(**{"training.steps": 5, "training.evaluate_every": 5})
    losses = []
    for name, options in (("fresh", {}), ("tuned", {"base": base})):
        events = run(tmp_path / name, small, text=corpus(2000, seed=3), **options)
        losses += [event.validation_loss for event in events if isinstance(event, Evaluated)]
    assert losses[1] < losses[0] - 0.1


def test_a_run_continues_exactly_without_its_base(base: Path, tmp_path: Path) -> None:
    copied = tmp_path / "base"
    base_files = {path.relative_to(base): path.read_bytes() for path in base.rglob("*") if path.is_file()}
    for name, content in base_files.items():
        (copied / name).parent.mkdir(parents=True, exist_ok=True)
        (copied / name).write_bytes(content)
    run(tmp_path / "whole", recipe(), base=base)
    run(tmp_path / "halves", recipe(), base=copied, stop=stop_after(7))
    for path in sorted(copied.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    run(tmp_path / "halves", recipe(), base=copied)
    whole, halves = (newest_checkpoint(RunFolder(tmp_path / name).checkpoints, print) for name in ("whole", "halves"))
    assert whole is not None
    assert halves is not None
    assert all(torch.equal(whole.weights[name], halves.weights[name]) for name in whole.weights)


def test_a_base_with_another_model_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"base.*a different model from the recipe \(.*model\.width: 16 -> 8\)"):
        run(tmp_path / "tuned", recipe(**{"model.width": 8}), base=base)
    assert not (tmp_path / "tuned").exists()
