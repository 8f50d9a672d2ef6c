import json

import pytest

from lilliput.errors import RunError
from lilliput.report.curves import read_curve

STEPS = [
    {"step": 1, "loss": 4.0, "learning_rate": 0.1, "seconds": 0.5, "tokens": 64},
    {"step": 2, "loss": 3.0, "learning_rate": 0.2, "seconds": 1.0, "tokens": 128},
    {"step": 2, "validation_loss": 3.5, "best": True},
]


def write(folder, lines, facts=None):
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    if facts is not None:
        (folder / "facts.json").write_text(json.dumps(facts))
    return folder


def test_a_run_is_read_with_its_facts(tmp_path):
    baselines = {"ngram": {"order": 4, "bits_per_character": 2.4}, "xz": {"bits_per_character": 2.6}}
    curve = read_curve(
        write(tmp_path / "poems", STEPS, {"characters_per_token": 2.5, "baselines": baselines, "other": 1})
    )
    assert (curve.name, list(curve.steps), list(curve.losses)) == ("poems", [1, 2], [4.0, 3.0])
    assert (list(curve.learning_rates), list(curve.seconds)) == ([0.1, 0.2], [0.5, 1.0])
    assert list(curve.validation) == [(2, 3.5)]
    assert curve.characters_per_token == 2.5
    assert curve.baselines == {"count model (order 4)": 2.4, "xz": 2.6}


def test_the_share_of_right_answers_is_read(tmp_path):
    baselines = {"most_frequent_answer": {"answer": "9", "exact_match": 0.1}}
    lines = [*STEPS[:2], {**STEPS[2], "exact_match": 0.25}]
    curve = read_curve(write(tmp_path / "sums", lines, {"baselines": baselines}))
    assert list(curve.exact_match) == [(2, 0.25)]
    assert curve.baselines == {}
    assert read_curve(write(tmp_path / "text", STEPS)).exact_match == []


def test_the_network_alone_has_a_curve_where_something_is_beside_it(tmp_path):
    alone = {"step": 2, "validation_loss": 3.5, "network_validation_loss": 3.5, "network_training_loss": 3.4}
    mixed = {"step": 3, "validation_loss": 3.5, "network_validation_loss": 3.75, "network_training_loss": 3.4}
    curve = read_curve(write(tmp_path / "poems", [*STEPS, alone, mixed], None))
    assert curve.network == [(3, 3.75)]


@pytest.mark.parametrize("facts", [None, {}, {"baselines": None}])
def test_facts_may_be_missing(tmp_path, facts):
    curve = read_curve(write(tmp_path / "run", STEPS, facts))
    assert curve.characters_per_token is None
    assert curve.baselines == {}


def test_a_continued_run_counts_as_it_stands_last(tmp_path):
    again = [{**STEPS[1], "loss": 2.5}, {**STEPS[1], "step": 3, "loss": 2.0}]
    curve = read_curve(write(tmp_path / "run", STEPS + again))
    assert list(curve.losses) == [4.0, 2.5, 2.0]


def test_an_unfinished_last_line_is_passed_over(tmp_path):
    folder = write(tmp_path / "run", STEPS)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')
    assert list(read_curve(folder).steps) == [1, 2]


@pytest.mark.parametrize("broken", ['{"step": 3, "lo', "[1]", '{"loss": 1}', '{"step": 3, "loss": "high"}'])
def test_a_broken_line_is_named_and_the_rest_is_drawn(tmp_path, broken):
    folder = write(tmp_path / "run", STEPS)
    lines = (folder / "metrics.jsonl").read_text()
    (folder / "metrics.jsonl").write_text(broken + "\n" + lines)
    told = []
    assert list(read_curve(folder, told.append).steps) == [1, 2]
    assert told == [f"{folder / 'metrics.jsonl'}: line 1 is damaged and left out"]


@pytest.mark.parametrize("facts", ["{", "[]", '{"baselines": {"ngram": 3}}', '{"characters_per_token": "many"}'])
def test_broken_facts_are_refused(tmp_path, facts):
    folder = write(tmp_path / "run", STEPS)
    (folder / "facts.json").write_text(facts)
    with pytest.raises(RunError, match=r"facts\.json") as error:
        read_curve(folder)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="is missing: give the folder"):
        read_curve(tmp_path)
    with pytest.raises(RunError, match="no training steps"):
        read_curve(write(tmp_path / "run", []))
