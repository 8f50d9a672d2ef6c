import math
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from lilliput.errors import RunError
from lilliput.report.plots import RunCurve, plot_runs, smoothed


def run(name="poems", steps=40, **more):
    numbers = range(1, steps + 1)
    losses = [1.5 + 2 * math.exp(-step / 10) for step in numbers]
    validation = [(step, losses[step - 1] + 0.1) for step in numbers if step % 10 == 0]
    rates, seconds = [1e-3] * steps, [step * 6.0 for step in numbers]
    values = {"validation": validation, "characters_per_token": 2.0, "baselines": {"count model, order 3": 2.0}} | more
    return RunCurve(name, list(numbers), losses, rates, seconds, **values)


def comments(file):
    """The texts of an SVG: matplotlib draws letters as shapes and keeps the words in comments."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.parse(file, parser).getroot()
    return [node.text.strip() for node in root.iter(ElementTree.Comment)]


def test_both_files_are_written_and_are_pictures(tmp_path):
    png, svg = plot_runs([run()], tmp_path / "new" / "loss.png")
    assert (png.name, svg.name) == ("loss.png", "loss.svg")
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (1280, 864)
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")


@pytest.mark.parametrize(("given", "stem"), [("a.svg", "a"), ("a.PNG", "a"), ("a", "a"), ("run.v2", "run.v2")])
def test_either_name_gives_the_same_stem(tmp_path, given, stem):
    assert [file.name for file in plot_runs([run()], tmp_path / given)] == [f"{stem}.png", f"{stem}.svg"]


def test_one_run_has_both_units_its_baselines_and_its_best(tmp_path):
    texts = comments(plot_runs([run()], tmp_path / "a")[1])
    best = (1.5 + 2 * math.exp(-4) + 0.1) / math.log(2) / 2
    assert {"bits per character", "nats per token", "step", "learning", "rate"} <= set(texts)
    assert "count model, order 3: 2.000" in texts
    assert f"best validation: {best:.3f}" in texts
    assert "poems: 40 steps in 4 min 0 s" in texts


def test_the_plot_says_which_loss_is_whose(tmp_path):
    mixed = run(network=[(10, 2.5), (20, 2.0)])
    texts = comments(plot_runs([mixed], tmp_path / "a")[1])
    whose = {"training, network alone (smoothed)", "validation, network alone", "validation, with counts and guesses"}
    assert whose <= set(texts)
    assert "validation, network alone" in comments(plot_runs([mixed, run("prose")], tmp_path / "b")[1])
    assert not whose & set(comments(plot_runs([run()], tmp_path / "c")[1]))


def test_several_runs_are_named_and_share_one_unit(tmp_path):
    other = run("prose", characters_per_token=1.0, baselines={"count model, order 3": 2.5})
    texts = comments(plot_runs([run(), other], tmp_path / "a", against="seconds")[1])
    assert "nats per token" not in texts
    assert "minutes of training" in texts
    assert any(text.startswith("poems: best") for text in texts)
    assert any(text.startswith("prose: best") for text in texts)
    assert {"count model, order 3 (poems): 2.000", "count model, order 3 (prose): 2.500"} <= set(texts)


def test_a_baseline_that_runs_share_is_drawn_once(tmp_path):
    texts = comments(plot_runs([run(), run("again")], tmp_path / "a")[1])
    assert texts.count("count model, order 3: 2.000") == 1


def test_without_the_unit_the_axis_is_nats_and_no_baseline_is_drawn(tmp_path):
    texts = comments(plot_runs([run(), run("old", characters_per_token=None)], tmp_path / "a")[1])
    assert "nats per token" in texts
    assert "bits per character" not in texts
    assert not any("count model" in text for text in texts)


def test_right_answers_have_their_curve_and_axis(tmp_path):
    sums = {"characters_per_token": None, "baselines": {}, "exact_match": [(10, 0.1), (20, 0.6), (40, 0.9995)]}
    texts = comments(plot_runs([run("sums", **sums)], tmp_path / "a")[1])
    assert {"nats per token", "answers right", "answers right: 99.95%", "100%"} <= set(texts)
    both = comments(plot_runs([run("sums", **sums), run()], tmp_path / "b")[1])
    assert any(text.startswith("sums: best") and text.endswith("answers right: 99.95%") for text in both)
    assert "answers right" not in comments(plot_runs([run()], tmp_path / "c")[1])


def test_a_tuned_run_has_no_training_curve_and_an_axis_of_rhymes(tmp_path):
    tuned = replace(run("tuned", rhyme=[(10, 0.02), (40, 0.5)]), losses=[math.nan] * 40)
    texts = comments(plot_runs([tuned], tmp_path / "a")[1])
    assert {"bits per character", "lines that rhyme", "lines that rhyme: 50.0%"} <= set(texts)
    assert not any("training" in text or "nats" in text for text in texts)


def test_a_run_of_one_step_and_a_diverged_one_are_drawn(tmp_path):
    short = RunCurve("short", [1], [2.0], [0.0], [0.1])
    broken = RunCurve("broken", [1, 2, 3], [2.0, math.nan, math.inf], [0.1] * 3, [1, 2, 3], [(3, math.nan)], 1.0)
    lost = RunCurve("lost", [1, 2], [math.nan] * 2, [0.1] * 2, [1, 2], [(2, math.nan)], 1.0)
    for curve in (short, broken, lost):
        assert all(file.stat().st_size > 1000 for file in plot_runs([curve], tmp_path / curve.name))


def test_the_svg_is_the_same_every_time_and_does_not_grow_with_the_run(tmp_path):
    first = plot_runs([run(steps=200)], tmp_path / "a")[1].read_bytes()
    assert plot_runs([run(steps=200)], tmp_path / "b")[1].read_bytes() == first
    assert plot_runs([run(steps=50_000)], tmp_path / "c")[1].stat().st_size < 500_000


def test_smoothing_keeps_a_straight_start_and_means_the_rest():
    line = np.arange(50.0)
    assert smoothed(line, 5)[:45] == pytest.approx(line[:45])
    noise = np.random.default_rng(0).normal(size=2000)
    assert smoothed(noise, 50)[50:].std() < 0.25
    assert smoothed(noise, 0) == pytest.approx(noise)


def test_nothing_to_plot_and_nowhere_to_write_are_refused(tmp_path):
    with pytest.raises(RunError, match="nothing to plot"):
        plot_runs([], tmp_path / "a")
    with pytest.raises(RunError, match="nothing to plot"):
        plot_runs([run(), RunCurve("empty", [], [], [], [])], tmp_path / "a")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        plot_runs([run()], tmp_path / "file" / "a.png")


def test_matplotlib_comes_late_and_pyplot_never(tmp_path):
    code = (
        "import sys, pathlib; from lilliput.report.plots import RunCurve, plot_runs\n"
        "assert 'matplotlib' not in sys.modules and 'torch' not in sys.modules\n"
        f"plot_runs([RunCurve('a', [1, 2], [2.0, 1.0], [0.1, 0.1], [1, 2])], pathlib.Path({str(tmp_path / 'x')!r}))\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""
