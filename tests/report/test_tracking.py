import importlib.util
import sys

import pytest

from lilliput.errors import DependencyError
from lilliput.report.tracking import open_trackers, require_trackers


@pytest.mark.slow
def test_tensorboard_gets_values_and_samples(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (tracker,) = open_trackers(["tensorboard"], tmp_path, {"model": {"layers": 2}})
    tracker.log(1, {"loss": 2.0, "learning_rate": 0.5})
    tracker.log(2, {"loss": 1.5})
    tracker.text(2, "To be\nor *not*")
    tracker.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 2.0), (2, 1.5)]
    assert [event.value for event in events.Scalars("learning_rate")] == [0.5]
    (sample,) = events.Tensors("sample/text_summary")
    assert sample.tensor_proto.string_val[0].decode() == "    To be\n    or *not*"
    (recipe,) = events.Tensors("recipe/text_summary")
    assert '"layers": 2' in recipe.tensor_proto.string_val[0].decode()


@pytest.mark.slow
def test_wandb_writes_an_offline_run(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    (tracker,) = open_trackers(["wandb"], tmp_path / "poems", {"model": {"layers": 2}})
    tracker.log(1, {"loss": 2.0})
    tracker.text(1, "a < b")
    tracker.close()
    wandb.teardown()  # waits for the process that writes the file
    (folder,) = (tmp_path / "poems" / "wandb").glob("offline-run-*")
    (data,) = folder.glob("run-*.wandb")
    assert data.stat().st_size > 0
    assert b"layers" in data.read_bytes()
    (sample,) = (folder / "files" / "media" / "html").iterdir()
    assert "a &lt; b" in sample.read_text()


def test_a_missing_package_is_named_before_anything_is_opened(tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else real(name))
    with pytest.raises(DependencyError, match=r"wandb.*pip install 'lilliput\[trackers\]'"):
        open_trackers(["tensorboard", "wandb"], tmp_path, {})
    assert list(tmp_path.iterdir()) == []


def test_a_broken_package_is_named_before_anything_is_touched(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    (tmp_path / "wandb.py").write_text("raise AttributeError('np.float_ was removed')")
    with pytest.raises(DependencyError, match=r"wandb, which is installed but broken \(AttributeError: np.float_ was"):
        require_trackers(["wandb"])


def test_no_names_open_nothing(tmp_path):
    assert open_trackers([], tmp_path, {}) == []
