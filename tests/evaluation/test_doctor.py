"""What is said of a run, from what it has written down."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import made_up_text
from tests.training.building import corpus, example_recipe, recipe, run, sums

from lilliput.corpus import Corpus, Document
from lilliput.errors import RunError
from lilliput.evaluation.doctor import Chart, diagnose, read_chart
from lilliput.models import count_parameters
from lilliput.runs.folder import RunFolder
from lilliput.training.evaluator import evaluate_run
from lilliput.training.events import Note
from lilliput.writer import load


def falling(start: float, end: float, steps: int = 1000, noise: float = 0.1) -> list[tuple[int, float]]:
    draw = np.random.default_rng(0)
    return [
        (step, end + (start - end) * float(np.exp(-4 * step / steps)) + noise * float(draw.standard_normal()))
        for step in range(1, steps + 1)
    ]


def looks(*losses: float) -> list[tuple[int, float]]:
    return [(100 * number, loss) for number, loss in enumerate(losses, start=1)]


def network(held_out: float, *learnt: float) -> list[tuple[int, float, float]]:
    """The network alone at each look; the validation loss is that of the last one."""
    return [(100 * number, held_out, loss) for number, loss in enumerate(learnt, start=1)]


FALLING = (3.0, 2.5, 2.2, 2.0, 1.9, 1.8, 1.7, 1.65, 1.6, 1.55)
HEALTHY = Chart(
    steps=falling(4, 1.4),
    evaluations=looks(2.6, 2.2, 2.0, 1.9, 1.8, 1.75, 1.7, 1.65, 1.62, 1.6),
    network=network(1.9, *FALLING),
    uniform=4.6,
    spikes=[],
    parameters=600_000,
    training_tokens=1_000_000,
    validation_tokens=100_000,
    validation_problems=None,
    strongest=("PPMd (order 6)", 2.4),
    reached=2.2,
    counts=2.3,
    over=True,
)
OVERFITTING = replace(HEALTHY, evaluations=looks(2.6, 2.2, 2.0, 1.9, 1.8, 1.7, 1.72, 1.75, 1.8, 1.9))


def kinds(chart: Chart) -> list[str]:
    return [finding.kind for finding in diagnose(chart)]


def test_a_healthy_run_is_told_nothing():
    assert kinds(HEALTHY) == []
    assert kinds(replace(HEALTHY, steps=[], evaluations=[], over=False)) == []


def test_overfitting_names_since_when_and_what_is_kept():
    (finding,) = diagnose(OVERFITTING)
    assert finding.text.startswith("overfitting since step 700: the best step 600 is kept; since then")
    assert "from 1.700 to 1.900 while the network's training loss fell from 1.800 to 1.550" in finding.text
    assert "many for" not in finding.text
    (finding,) = diagnose(replace(OVERFITTING, parameters=2_000_000))
    assert "2,000,000 parameters are many for 1,000,000 training tokens" in finding.text
    assert "model.width" in finding.remedy


def test_one_worse_evaluation_or_a_little_rise_is_not_overfitting():
    assert kinds(replace(HEALTHY, evaluations=looks(2.6, 2.0, 1.9, 2.0))) == []
    assert kinds(replace(HEALTHY, evaluations=looks(2.6, 2.0, 1.9, 1.905, 1.905))) == []


def test_a_validation_loss_that_rises_with_the_training_loss_is_not_overfitting():
    assert "overfitting" not in kinds(replace(OVERFITTING, network=network(1.9, *reversed(FALLING))))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("instability", {"spikes": [400]}),
        ("rate too high", {"steps": [*falling(4, 1.4, 600), *((step, 1.9) for step in range(601, 1001))]}),
        ("nothing is learnt", {"steps": falling(4, 3.99)}),
        ("worse than a baseline", {"reached": 2.5, "counts": 2.6}),
        ("underfitting", {"network": network(1.57, *FALLING)}),
        ("destroyed network", {"network": network(13.0, *FALLING[:-1], 13.3)}),
        ("network adds nothing", {"counts": 2.205}),
        ("unlike held-out text", {"likeness": (2.4, 2.0)}),
        ("unlike held-out text", {"likeness": (1.6, 2.0)}),
        ("small validation set", {"validation_tokens": 4_999}),
        ("small validation set", {"validation_problems": 199}),
    ],
)
def test_each_thing_is_told_with_what_helps(kind, changes):
    (finding,) = diagnose(replace(HEALTHY, **changes))
    assert finding.kind == kind
    assert finding.text
    assert finding.remedy


def test_what_can_only_be_said_at_the_end_is_not_said_before():
    assert kinds(replace(HEALTHY, over=False, reached=None, counts=None, network=network(1.57, *FALLING))) == []


def test_a_mixture_is_not_compared_with_its_network() -> None:
    # Together with counts the held-out text has 1.39, but the network alone is far from that.
    chart = replace(
        HEALTHY, steps=falling(4, 1.7), evaluations=looks(1.6, 1.5, 1.39), network=network(2.1, 3.0, 2.0, 1.668)
    )
    assert kinds(chart) == []
    (finding,) = diagnose(replace(chart, network=network(1.69, 3.0, 2.0, 1.668)))
    assert "after 1,000 steps the loss of the network alone is 1.668" in finding.text
    assert "and 1.690 on held-out text, nearly the same" in finding.text


def test_after_few_steps_nothing_is_said_of_how_well_a_run_learns() -> None:
    chart = replace(HEALTHY, evaluations=looks(1.6), network=network(1.57, 1.55))
    assert kinds(replace(chart, evaluations=looks(1.7, 1.6), network=network(1.57, 1.7, 1.55))) == ["underfitting"]
    assert kinds(replace(chart, steps=falling(4, 1.6, 99))) == []


def test_a_run_of_an_earlier_version_is_told_less() -> None:
    assert kinds(replace(OVERFITTING, network=[], counts=None, uniform=float("inf"))) == []


def test_a_network_that_is_destroyed_is_told_at_any_step_and_first() -> None:
    chart = replace(
        HEALTHY, steps=falling(4, 8.0, 5), evaluations=looks(1.79), network=network(13.3, 13.276), counts=2.0
    )
    finding = diagnose(replace(chart, uniform=4.63))[0]
    assert finding.kind == "destroyed network"
    assert "own loss on the training text is 13.28, but uniform guessing has 4.63" in finding.text


def test_answers_that_are_all_right_are_not_underfitted():
    chart = replace(HEALTHY, steps=falling(4, 0.01, noise=0), evaluations=looks(1.0, 0.01), validation_problems=1000)
    chart = replace(chart, network=network(0.01, 1.0, 0.01))
    assert kinds(chart) == []


def test_the_doubt_shrinks_with_the_root_of_the_length():
    (finding,) = diagnose(replace(HEALTHY, validation_tokens=1_600))
    assert finding.text.endswith("uncertain by about 0.08")


OVERFIT = {
    "model.dropout": 0.0,
    "model.width": 64,
    "training.steps": 400,
    "training.evaluate_every": 50,
    "data.window": 16,
}


@pytest.mark.slow
def test_a_run_says_once_that_it_learns_by_heart(tmp_path: Path) -> None:
    events = run(tmp_path / "run", recipe(**OVERFIT), text=corpus(700))
    notes = [event.text for event in events if isinstance(event, Note)]
    assert sum(note.startswith("overfitting since step") for note in notes) == 1
    assert any("parameters are many for" in note and "remedy: a smaller model.width" in note for note in notes)
    assert any(note.startswith("the held-out text has only") for note in notes)


def test_held_out_text_that_is_unlike_the_rest_is_told(tmp_path: Path) -> None:
    index = "".join(f"{word}, {7 * number % 389}\n" for number, word in enumerate(sorted(made_up_text(30_000).split())))
    for name, end in (("like", made_up_text(3_000, 5)), ("unlike", index[:3_000])):
        document = Document(name, made_up_text(27_000) + "\n" + end)
        run(tmp_path / name, recipe(**{"training.steps": 1}), text=Corpus(name, (document,)))
    assert "unlike held-out text" not in kinds(read_chart(RunFolder(tmp_path / "like")))
    (finding,) = (
        found for found in diagnose(read_chart(RunFolder(tmp_path / "unlike"))) if found.kind == "unlike held-out text"
    )
    assert finding.text.startswith("the held-out end of the text is unlike the rest and ")
    assert finding.remedy.startswith("--set data.split.by=pieces, ")
    chart = replace(HEALTHY, likeness=(3.0, 2.0), streamed=True)
    assert diagnose(chart)[0].remedy.startswith("--validation with a representative text")
    pieces = recipe(**{"training.steps": 1, "data.split.by": "pieces"})
    run(tmp_path / "pieces", pieces, text=Corpus("unlike", (document,)))
    assert "unlike held-out text" not in kinds(read_chart(RunFolder(tmp_path / "pieces")))


def test_what_is_held_out_in_another_way_is_not_compared_with_the_middle(tmp_path: Path) -> None:
    documents = tuple(Document(str(number), made_up_text(3_000, number)) for number in range(10))
    text = Corpus("several", documents)
    run(tmp_path / "run", recipe(**{"training.steps": 1, "data.split.by": "document"}), text=text)
    assert read_chart(RunFolder(tmp_path / "run")).likeness is None


def test_the_chart_is_what_the_run_wrote(tmp_path: Path) -> None:
    run(tmp_path / "run", recipe())
    chart = read_chart(RunFolder(tmp_path / "run"))
    assert [step for step, _ in chart.steps] == list(range(1, 13))
    assert [step for step, _ in chart.evaluations] == [4, 8, 12]
    assert [step for step, _, _ in chart.network] == [4, 8, 12]
    assert chart.uniform == pytest.approx(math.log(json.loads((tmp_path / "run/model.json").read_text())["vocab_size"]))
    assert (chart.done, chart.over) == (12, True)
    writer = load(tmp_path / "run")
    assert chart.parameters == count_parameters(writer.model)
    assert chart.reached == evaluate_run(writer, tmp_path / "run")["bits_per_character"]
    (tmp_path / "run" / "weights.safetensors").unlink()
    assert read_chart(RunFolder(tmp_path / "run")).parameters is None


def test_a_run_with_answers_has_a_chart_too(tmp_path: Path) -> None:
    run(tmp_path / "run", example_recipe(), text=sums())
    chart = read_chart(RunFolder(tmp_path / "run"))
    assert chart.validation_problems == 14
    assert chart.strongest is None
    assert "small validation set" in kinds(chart)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        read_chart(RunFolder(tmp_path))
