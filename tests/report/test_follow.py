"""The loop over a run's events: what is shown, what is tracked, what comes back."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from tests.training.building import corpus, recipe, run

from lilliput.errors import RunError
from lilliput.report.console import TrainingView
from lilliput.report.follow import TRACK_EVERY, draw_curves, follow
from lilliput.training.events import Evaluated, Event, Finished, Note, Sampled, Started, Stepped
from lilliput.training.train import train

FLOORS = {"ngram": {"order": 4, "bits_per_character": 2.5}, "xz": {"bits_per_character": 3.0}}


class Recorder:
    """A tracker that remembers."""

    def __init__(self) -> None:
        self.values: list[tuple[int, dict[str, float]]] = []
        self.texts: list[tuple[int, str]] = []
        self.closed = 0

    def log(self, step: int, values: dict[str, float]) -> None:
        self.values.append((step, values))

    def text(self, step: int, sample: str) -> None:
        self.texts.append((step, sample))

    def close(self) -> None:
        self.closed += 1


def view() -> tuple[TrainingView, io.StringIO]:
    stream = io.StringIO()
    return TrainingView(Console(file=stream, width=80)), stream


def started(**changes: Any) -> Started:
    values: dict[str, Any] = {
        "folder": Path("runs/x"),
        "step": 0,
        "steps": 30,
        "minutes": None,
        "parameters": 12345,
        "vocab_size": 59,
        "context": 16,
        "training_tokens": 2700,
        "validation_tokens": 300,
        "baselines": FLOORS,
        "characters_per_token": 1.0,
    }
    return Started(**(values | changes))


def stepped(step: int, steps: int = 30) -> Stepped:
    return Stepped(step, step / steps, torch.tensor(4.0 - step / 10), 1e-3, 1000.0, 1.0, steps)


def finished(**changes: Any) -> Finished:
    values: dict[str, Any] = {
        "reason": "complete",
        "interrupted": False,
        "folder": Path("runs/x"),
        "step": 30,
        "best_step": 30,
        "seconds": 65.0,
        "parameters": 12345,
        "evaluation": {"loss": 2.0},
    }
    return Finished(**(values | changes))


def evaluated(step: int, loss: float, *, best: bool, best_loss: float) -> Evaluated:
    return Evaluated(step, loss, loss / 0.7, best, best_loss, step, 1.0)


def test_everything_is_shown_in_its_order_and_the_last_event_comes_back() -> None:
    shown, stream = view()
    last = finished(best_step=10)
    events: list[Event] = [
        Note("read x.txt as UTF-8"),
        started(),
        stepped(1),
        evaluated(10, 3.0, best=True, best_loss=3.0),
        Sampled(10, "The", "The old river\nsings"),
        evaluated(20, 3.5, best=False, best_loss=3.0),
        last,
    ]
    with shown:
        assert follow(iter(events), shown) is last
    text = stream.getvalue()
    expected = [
        "read x.txt as UTF-8",
        "12,345 parameters, vocabulary 59, context 16; 2,700 tokens to learn, 300 held out; 30 steps",
        "to beat, bits per character: count model (order 4) 2.500, xz 3.000",
        "writing to runs/x",
        "step 1/30  loss 3.900",
        "step 10  validation 3.0000  4.286 bits per character  (best so far)",
        "sample at step 10, validation 3.000",
        "The old river",
        "step 20  validation 3.5000  5.000 bits per character\n",
        "finished: 30 steps in 1:05, best validation 3.0000",
        "the best weights are from step 10",
    ]
    places = [text.find(line) for line in expected]
    assert -1 not in places, expected[places.index(-1)]
    assert places == sorted(places)
    assert text.count("The old river") == 1


def test_a_run_on_answers_tells_problems_and_right_answers() -> None:
    shown, stream = view()
    recorder = Recorder()
    baselines = {"most_frequent_answer": {"answer": "9", "exact_match": 0.1}}
    look = Evaluated(10, 0.5, None, True, 0.5, 10, 1.0, exact_match=0.75)
    problems = {
        "training_problems": 900,
        "validation_problems": 100,
        "characters_per_token": None,
        "baselines": baselines,
    }
    events: list[Event] = [started(**problems), look, Sampled(10, "", "right  1+1=2"), finished()]
    follow(iter(events), shown, lambda: [recorder])
    text = stream.getvalue()
    for line in (
        "context 16; 900 problems to learn, 100 held out; 30 steps",
        "to beat: 10.0% right by always giving the most frequent answer",
        "step 10  validation 0.5000  75.0% right  (best so far)",
        "  right  1+1=2\n",
    ):
        assert line in text
    assert recorder.values == [(10, {"validation_loss": 0.5, "exact_match": 0.75})]


def test_a_sample_is_shown_with_its_prompt_once() -> None:
    for written in ("The old", " old"):
        shown, stream = view()
        follow(iter([Sampled(1, "The", written), finished()]), shown)
        assert "  The old\n" in stream.getvalue()


def test_a_continued_and_a_timed_run_say_so() -> None:
    shown, stream = view()
    follow(iter([started(step=1200, steps=None, minutes=2.5), finished()]), shown)
    assert "2.5 minutes" in stream.getvalue()
    assert "continuing runs/x after step 1,200" in stream.getvalue()
    assert "writing to" not in stream.getvalue()


@pytest.mark.parametrize("changes", [{"interrupted": True, "evaluation": None}, {"best_step": 30}])
def test_the_best_weights_are_only_named_where_they_are_others(changes: dict[str, Any]) -> None:
    shown, stream = view()
    follow(iter([finished(**{"best_step": 10, **changes})]), shown)
    assert "best weights" not in stream.getvalue()


def test_trackers_get_losses_rates_evaluations_and_samples() -> None:
    shown, _ = view()
    one, two = Recorder(), Recorder()
    events: list[Event] = [started(), *(stepped(step) for step in range(1, 2 * TRACK_EVERY + 2))]
    events += [evaluated(21, 3.0, best=True, best_loss=3.0), Sampled(21, "The", "The old"), finished()]
    follow(iter(events), shown, lambda: [one, two])
    assert (one.closed, two.closed) == (1, 1)
    assert one.values == two.values
    assert [step for step, _ in one.values] == [TRACK_EVERY, 2 * TRACK_EVERY, 21]
    assert one.values[0][1] == {"loss": pytest.approx(4.0 - TRACK_EVERY / 10), "learning_rate": 1e-3}
    assert one.values[-1][1] == {"validation_loss": 3.0}
    assert one.texts == [(21, "The old")]


def test_trackers_are_opened_when_the_run_is_ready_and_closed_whatever_happens() -> None:
    recorder = Recorder()

    def opened() -> list[Recorder]:
        happened.append("opened")
        return [recorder]

    def events() -> Iterator[Event]:
        happened.append("claimed")
        yield Note("a note")
        yield started()
        raise KeyboardInterrupt

    happened: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        follow(events(), view()[0], opened)
    assert happened == ["claimed", "opened"]
    assert recorder.closed == 1

    def refused() -> Iterator[Event]:
        raise RunError("in use")
        yield

    happened.clear()
    with pytest.raises(RunError):
        follow(refused(), view()[0], opened)
    assert happened == []


class Unread:
    """A loss that must not be read: on a GPU that would wait for every step."""

    def item(self) -> float:
        raise AssertionError("the loss was read")


def test_a_loss_that_is_not_shown_is_not_read() -> None:
    shown, _ = view()
    unread: Any = Unread()
    events: list[Event] = [
        started(),
        stepped(1),
        *(Stepped(n, n / 30, unread, 1e-3, 1.0, 1.0, 30) for n in range(2, 9)),
    ]
    assert follow(iter([*events, finished()]), shown).step == 30


def test_a_run_that_ends_without_a_word_is_a_fault() -> None:
    with pytest.raises(RuntimeError, match="without a Finished event"):
        follow(iter([started()]), view()[0])


def test_a_real_run_can_be_followed(tmp_path: Path) -> None:
    shown, stream = view()
    with shown:
        last = follow(train(recipe(), corpus(), None, tmp_path / "run"), shown)
    assert last.step == 12
    assert stream.getvalue().count("--- sample at step") == 3


def test_curves_are_drawn_into_the_run(tmp_path: Path) -> None:
    assert draw_curves(tmp_path) is None
    run(tmp_path / "run", recipe())
    assert draw_curves(tmp_path / "run") == tmp_path / "run" / "loss.png"
    assert (tmp_path / "run" / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "run" / "loss.svg").read_text()


def test_curves_that_cannot_be_drawn_are_told_and_stop_nothing(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0, "learning_rate": 0.1, "seconds": 1}\n')
    (tmp_path / "loss.png").mkdir()
    told: list[str] = []
    assert draw_curves(tmp_path, told.append) is None
    assert len(told) == 1
    assert told[0].startswith("the loss curves are not drawn: cannot write ")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
