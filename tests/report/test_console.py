import errno
import io
import subprocess
import sys
import types

import pytest
from rich.console import Console

from lilliput.report.console import TrainingView, clock, percent, printable


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def plain_view():
    stream, time = io.StringIO(), Clock()
    return TrainingView(Console(file=stream, width=80), time), stream, time


def live_view(width=120):
    stream, time = io.StringIO(), Clock()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None, _environ={"TERM": "xterm"})
    return TrainingView(console, time), stream, time


def step(view, number=1, total=100, progress=0.01, loss=2.5, left=30.0):
    view.step(number, total, progress, loss, 1e-3, 12345.6, left)


def test_plain_lines_are_few_and_without_carriage_returns():
    view, stream, time = plain_view()
    with view:
        for number in range(1, 100):
            step(view, number, progress=number / 100)
            time.now += 1
    lines = stream.getvalue().splitlines()
    assert 9 <= len(lines) <= 11
    assert "\r" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
    assert lines[0].startswith("step 1/100  loss 2.500  12,346 tokens/s")
    assert lines[1].startswith("step 11/100")
    assert lines[1].endswith("11%  elapsed 0:10  left 0:30")


def test_losses_that_can_be_compared_stand_together_and_are_named():
    view, stream, _ = plain_view()
    with view:
        view.evaluated(50, 1.387, bits_per_character=2.0, network_loss=1.7012, network_training_loss=1.668)
        step(view, loss=1.69)
        view.finished(100, 65.2, 1.3)
    text = stream.getvalue()
    assert "step 50  validation 1.3870 with counts and guesses  2.000 bits per character  network alone 1.7012" in text
    assert "network alone 1.7012  on training text 1.6680\n" in text
    assert "network alone: loss 1.690, val 1.701  with counts and guesses: val 1.387" in text
    assert "best validation 1.3000 nats per token with counts and guesses" in text
    for width, both in ((80, False), (130, True)):
        view, stream, _ = live_view(width)
        with view:
            view.evaluated(50, 1.387, network_loss=1.7012)
            step(view, loss=1.69)
        assert "network alone: loss 1.690" in stream.getvalue()
        assert ("with counts and guesses: val 1.387" in stream.getvalue()) == both


def test_due_says_what_step_will_do():
    view, stream, time = plain_view()
    with view:
        assert view.due()
        step(view)
        assert not view.due()
        time.now += 10
        assert view.due()
    assert len(stream.getvalue().splitlines()) == 1


def test_the_last_step_is_always_shown():
    view, stream, _ = plain_view()
    with view:
        step(view)
        step(view, 100, progress=1.0, loss=1.25)
    assert "step 100/100  loss 1.250" in stream.getvalue()


def test_evaluations_samples_notes_and_the_end_are_always_shown():
    view, stream, _ = plain_view()
    with view:
        view.note("2 threads, [fp32]")
        view.evaluated(50, 1.9, best=True, bits_per_character=2.741)
        view.sample("To be,\nor [b]not[/b]\n", 50, 1.9)
        view.finished(100, 65.2, 1.8)
    text = stream.getvalue()
    assert "2 threads, [fp32]\n" in text
    assert "step 50  validation 1.9000  2.741 bits per character  (best so far)\n" in text
    assert "--- sample at step 50, validation 1.900\n  To be,\n  or [b]not[/b]\n---\n" in text
    assert "finished: 100 steps in 1:05, best validation 1.8000 nats per token\n" in text


def test_a_plain_line_is_not_broken_at_a_width():
    view, stream, _ = plain_view()
    with view:
        view.note("word " * 60)
    assert len(stream.getvalue().splitlines()) == 1


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("total", [50_000, None])
def test_the_live_line_fits_and_shows_what_matters(width, total):
    view, stream, _ = live_view(width)
    with view:
        view.evaluated(12_000, 1.95)
        step(view, 12_500, total, progress=0.25, left=225.0)
        view._progress.refresh()
    line = next(line for line in reversed(stream.getvalue().splitlines()) if "loss 2.500" in line)
    assert "step 12,500" in line
    assert ("/50,000" in line) == (total is not None)
    assert "val 1.950" in line
    assert "left 3:45" in line
    assert ("tokens/s" in line) == (width >= 80)
    assert ("25%" in line) == (width >= 100)


def test_the_live_view_does_not_take_standard_output():
    view, _, _ = live_view()
    before = sys.stdout
    with view:
        assert sys.stdout is before


def test_the_live_view_ends_after_an_error():
    view, stream, _ = live_view()
    with pytest.raises(KeyboardInterrupt), view:
        step(view)
        raise KeyboardInterrupt
    assert view._progress is None
    assert stream.getvalue().endswith("\x1b[?25h")  # the cursor is shown again


def test_a_model_cannot_rule_the_terminal():
    assert printable("a\x1b[2Jb\r\x07\x9b\té\n漢\U0001f600") == "a\ufffd[2Jb\ufffd\ufffd\ufffd\té\n漢\U0001f600"
    view, stream, _ = plain_view()
    with view:
        view.sample("x\x1b]0;title\x07", 1)
    assert "\x1b" not in stream.getvalue()
    assert "x\ufffd]0;title\ufffd" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (-3, "0:00"), (65.4, "1:05"), (3599.7, "1:00:00"), (7384, "2:03:04")]
)
def test_times(seconds, shown):
    assert clock(seconds) == shown


def test_everything_goes_to_standard_error_and_imports_stay_light():
    code = (
        "import sys; from lilliput.report.console import TrainingView\n"
        "with TrainingView() as view: view.note('hello')\n"
        "assert not {'torch', 'matplotlib', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "hello\n")


def test_an_evaluation_of_answers_shows_how_many_are_right():
    view, stream, _ = plain_view()
    with view:
        view.evaluated(50, 0.0123, best=True, exact_match=0.987)
    assert "step 50  validation 0.0123  98.7% right  (best so far)\n" in stream.getvalue()


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "0%"), (1, "100%"), (0.5, "50.0%"), (0.9996, "99.96%"), (0.99999, "99.999%"), (0.0001, "0.01%")],
)
def test_a_percentage_is_only_whole_where_all_is_right(share, shown):
    assert percent(share) == shown


def test_progress_that_cannot_be_written_stops_nothing():
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    for live in (False, True):
        view = TrainingView(Console(file=Full(), force_terminal=live, _environ={"TERM": "xterm"}), Clock())
        with view:
            step(view)
            view.note("a note")
            view.sample("a sample", 1)
            view.finished(1, 1.0)


def test_a_notebook_has_one_display_that_is_updated(monkeypatch):
    shown = []

    class Display:
        def update(self, content, raw):
            shown.append(content["text/plain"])

    def display(content, raw, display_id):
        assert not shown  # the only one
        shown.append(content["text/plain"])
        return Display()

    monkeypatch.setenv("FORCE_COLOR", "1")  # as Jupyter does
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=display))
    time = Clock()
    view = TrainingView(Console(force_jupyter=True), time)
    with view:
        view.note("a note")
        for number in range(1, 4):
            step(view, number)
            time.now += 1
        view.evaluated(3, 1.9, best=True)
        assert shown[-1].startswith("a note\nstep 3  validation 1.9000  (best so far)\nstep 3/100  loss 2.500")
        view.finished(3, 5.0)
    view.console.print("the final table")
    assert shown[-1] == "a note\nstep 3  validation 1.9000  (best so far)\nfinished: 3 steps in 0:05\nthe final table\n"
