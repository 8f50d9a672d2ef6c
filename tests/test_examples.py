"""The examples run and show what they promise."""

import re
import runpy
from pathlib import Path

import pytest

from tests.conftest import made_up_text

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_a_model_trained_by_hand_learns_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.txt"
    text.write_text(made_up_text(6000), encoding="utf-8")
    runpy.run_path(str(EXAMPLES / "train_by_hand.py"))["main"]([str(text), "--steps", "20"])
    shown, _, sample = capsys.readouterr().out.partition("\n\n")
    losses = [float(loss) for loss in re.findall(r"^step +\d+: loss (.*)$", shown, re.MULTILINE)]
    assert losses[-1] < losses[0] - 0.5
    before, after = (float(loss) for loss in re.findall(r"^\w+ training: (\S+) nats", shown, re.MULTILINE))
    assert after < before
    assert sample.startswith("The ") and len(sample) > 20
