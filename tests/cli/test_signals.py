"""Ctrl-C and a closed terminal, sent to a real process."""

import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from lilliput.runs.folder import RunFolder
from tests.cli.conftest import TINY, Lilliput, start

LONG = (*TINY, "--set", "training.steps=500", "--set", "training.evaluate_every=250", "--set", "sample.max_tokens=3")


def interrupted(sent: signal.Signals, *arguments: str) -> tuple[subprocess.Popen[str], str, str]:
    """Send a signal to a training once it has taken its first step."""
    running = start("train", "story.txt", *LONG, *arguments)
    assert running.stderr is not None
    before = ""
    for line in running.stderr:
        before += line
        if line.startswith("step 1/"):
            break
    running.send_signal(sent)
    out, err = running.communicate(timeout=60)
    return running, out, before + err


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_saves_and_says_how_to_continue(lilliput: Lilliput, sent: signal.Signals, code: int) -> None:
    stopped, out, err = interrupted(sent, "--fresh", "--out", "my run", "--json")
    assert stopped.returncode == code, err
    assert out == ""
    assert "Traceback" not in err
    said = err.splitlines()[-1]
    assert said.startswith("stopped after step ")
    step = int(said.split(";")[0].split()[-1])
    assert 0 < step < 500
    command = shlex.split(said.split("to continue: ")[1])
    assert command == ["lilliput", "train", "story.txt", *LONG, "--out", "my run", "--json"]
    assert f"step-{step:08d}" in {path.name for path in Path("my run/checkpoints").iterdir()}

    if sent == signal.SIGHUP:
        return  # what follows is the same, and takes seconds
    continued = lilliput(*command[1:])
    assert continued.code == 0, continued.err
    assert f"continuing my run after step {step:,}" in continued.err
    run = RunFolder(Path("my run"))
    assert [row["step"] for row in run.read_lines(run.metrics) if "loss" in row] == list(range(1, 501))


@pytest.mark.slow
def test_a_killed_process_leaves_a_run_that_goes_on(lilliput: Lilliput) -> None:
    running = start("train", "story.txt", *LONG, "--set", "training.evaluate_every=20")
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("step 40 "):
            break
    running.kill()
    running.communicate()
    continued = lilliput("train", "story.txt", *LONG, "--set", "training.evaluate_every=250")
    assert continued.code == 0, continued.err
    assert "continuing runs/story after step" in continued.err
    run = RunFolder(Path("runs/story"))
    assert [row["step"] for row in run.read_lines(run.metrics) if "loss" in row] == list(range(1, 501))
