"""What a session writes, and what a silent recorder does not."""

from pathlib import Path

import torch

from lilliput.runs.checkpoint import Checkpoint, Progress, checkpoint_steps
from lilliput.runs.folder import RunFolder
from lilliput.runs.recorder import Recorder
from tests.training.building import recipe


def record(recorder: Recorder) -> None:
    """Call every method that writes."""
    recorder.begin(recipe())
    recorder.model({"settings": {}, "vocab_size": 4, "context": 8})
    for step in (1, 2, 3, 4):
        recorder.metrics([{"step": step, "loss": 1.0}])
        recorder.samples([{"step": step, "text": "a"}])
        recorder.checkpoint(Checkpoint(Progress(step=step, best_step=1), {"w": torch.ones(1)}, {}))
    recorder.rewind(3, print)
    recorder.weights({"w": torch.ones(1)})
    recorder.evaluation({"step": 3, "loss": 1.0})


def test_a_recorder_writes_what_a_session_leaves(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    record(Recorder(run))
    assert run.read_recipe() == recipe()
    assert [row["step"] for row in run.read_lines(run.metrics)] == [1, 2, 3]
    assert [row["step"] for row in run.read_lines(run.samples)] == [1, 2, 3]
    assert checkpoint_steps(run.checkpoints) == [4, 3, 1]  # the last two and the best
    assert run.read_weights()["w"] == 1
    assert run.evaluation.exists()
    Recorder(run).evaluation(None)
    assert not run.evaluation.exists()


def test_checkpoints_are_kept_for_good_at_every_nth_step(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    record(Recorder(run, keep_every=2))
    assert checkpoint_steps(run.checkpoints) == [4, 3, 2, 1]


def test_a_silent_recorder_writes_nothing(tmp_path: Path) -> None:
    record(Recorder(RunFolder(tmp_path), silent=True))
    assert not list(tmp_path.iterdir())
