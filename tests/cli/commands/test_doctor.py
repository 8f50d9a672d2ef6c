"""`lilliput doctor`."""

import json

from tests.cli.conftest import Lilliput


def test_the_verb_says_it_for_people_and_programs(lilliput: Lilliput) -> None:
    settings = ("--set", "training.steps=2", "--set", "model.width=16", "--set", "model.heads=2")
    assert lilliput("train", "story.txt", *settings).code == 0
    shown = lilliput("doctor", "runs/story")
    assert shown.code == 0
    assert shown.out.startswith("2 steps done: too few for a diagnosis")
    assert "small validation set: the held-out text has only" in shown.out
    assert "remedy: a longer text" in shown.out
    found = json.loads(lilliput("doctor", "runs/story", "--json").out)
    assert (found["run"], found["steps"]) == ("runs/story", 2)
    assert {"kind", "text", "remedy"} == found["findings"][0].keys()
    assert lilliput("doctor", "runs/nothing").code == 2
