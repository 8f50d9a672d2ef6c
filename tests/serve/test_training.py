"""Trainings that the page starts, and the runs that it lists."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import made_up_text
from tests.serve.conftest import Running

from lilliput.errors import RunError
from lilliput.serve.training.jobs import Trainings, cleaned
from lilliput.serve.training.run_list import listed, run_paths


def wait_for(served: Running, name: str, *states: str) -> dict[str, Any]:
    for _ in range(600):
        run: dict[str, Any] = served.web.get(f"/api/runs/{name}").json()
        if run.get("state") in states and run["step"]:
            return run
        assert "error" not in run, run
        time.sleep(0.1)
    raise AssertionError(f"{name} is {run}")


@pytest.mark.slow
def test_a_text_is_uploaded_trained_stopped_continued_played_and_deleted(served: Running) -> None:
    uploaded = served.web.post(
        "/api/uploads", params={"name": "../My story!.txt"}, content=made_up_text(6000).encode()
    ).json()
    assert (uploaded["name"], uploaded["characters"], uploaded["documents"]) == ("My-story", 6000, 1)
    assert made_up_text(6000).startswith(uploaded["start"])
    plan = {"upload": uploaded["upload"], "minutes": 0.1}
    assert served.web.post("/api/plans", json=plan).json()["rows"][0][0] == "model"
    assert served.web.post("/api/runs", json=plan | {"name": "a/b story"}).json() == {"name": "b-story"}
    assert "b-story" in {run["name"] for run in served.web.get("/api/runs").json()["runs"]}
    other = served.web.post("/api/runs", json=plan | {"name": "second"})
    assert "under way" in other.json()["error"]["message"]
    wait_for(served, "b-story", "training")
    assert "being trained" in served.web.delete("/api/runs/b-story").json()["error"]["message"]
    assert served.web.post("/api/runs/b-story/stop").json() == {}
    stopped = wait_for(served, "b-story", "stopped", "finished")
    assert len(stopped["curve"]) == stopped["step"]
    assert stopped["recipe"].startswith("name")
    if stopped["state"] == "stopped":
        assert served.web.post("/api/runs/b-story/continue").json() == {}
        assert served.web.get("/api/runs/b-story").json()["state"] == "training"
    finished = wait_for(served, "b-story", "finished")
    assert finished["step"] >= stopped["step"]
    assert finished["bits_per_character"] > 0
    assert finished["findings"]
    assert finished["samples"]
    assert any(row["name"].startswith("PPMd") for row in finished["baselines"])
    assert served.web.post("/api/runs/b-story/open").json() == {}
    played = served.web.post("/v1/completions", json={"model": "b-story", "prompt": "The", "max_tokens": 3})
    assert played.status_code == 200
    assert served.web.delete("/api/runs/b-story").json() == {}
    assert served.web.get("/api/runs/b-story").status_code == 404
    assert not (served.application.trainings.parent / ".uploads" / uploaded["upload"]).exists()
    assert "b-story" not in {model["id"] for model in served.web.get("/v1/models").json()["data"]}


def test_what_is_no_text_is_refused_and_leaves_nothing(served: Running) -> None:
    reply = served.web.post("/api/uploads", params={"name": "x.txt"}, content=bytes(range(256)) * 10)
    assert reply.status_code == 400
    assert "x.txt" in reply.json()["error"]["message"]
    assert not list(served.application.trainings.parent.glob(".uploads/*/x.txt"))


def test_only_names_of_the_list_are_runs(served: Running) -> None:
    for name in ("none", "..", "%2e%2e", ".uploads", "gpt%2F.."):
        assert served.web.get(f"/api/runs/{name}").status_code in (404, 405), name
        assert served.web.delete(f"/api/runs/{name}").status_code in (404, 405), name
    reply = served.web.post("/api/runs", json={"upload": "../../etc", "minutes": 1, "name": "x"})
    assert "upload it again" in reply.json()["error"]["message"]
    for minutes in (0, -1, 1e9):
        plan = {"upload": "0" * 16, "minutes": minutes}
        assert served.web.post("/api/plans", json=plan).status_code == 400


def test_runs_of_a_folder_are_listed_and_damaged_ones_say_why(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "facts.json").write_text("{", encoding="utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "gpt").symlink_to(runs[0])
    rows = listed(run_paths(tmp_path), lambda name: name == "gpt", lambda name: False)
    assert [(row["name"], row["state"], row["open"]) for row in rows] == [
        ("broken", "broken", False),
        ("gpt", "finished", True),
    ]
    assert "facts.json" in rows[0]["message"]
    assert rows[1]["step"] == 30


def test_a_training_that_fails_says_why(tmp_path: Path) -> None:
    trainings = Trainings(tmp_path)
    uploaded = trainings.upload("tiny.txt", b"too short")
    trainings.start(uploaded["upload"], 1, "tiny")
    for _ in range(300):
        if not trainings.starting():
            break
        time.sleep(0.1)
    with pytest.raises(RunError, match="use a longer text"):
        trainings.run("tiny")
    with pytest.raises(RunError, match="repeat the command"):
        trainings.proceed("another")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("poems.txt", "poems.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\texts\\my poems.txt", "my-poems.txt"),
        ("<b>.txt", "b.txt"),
        ("...", "text"),
        ("\u00e9t\u00e9 \u65e5.txt", "\u00e9t\u00e9-\u65e5.txt"),
        ("a" * 300, "a" * 60),
    ],
)
def test_names_are_cleaned(name: str, safe: str) -> None:
    assert cleaned(name) == safe


def test_texts_that_no_run_has_learnt_do_not_stay(tmp_path: Path) -> None:
    trainings = Trainings(tmp_path)
    unused = trainings.upload("story.txt", made_up_text(3000).encode())
    assert (tmp_path / ".uploads" / unused["upload"]).exists()
    trainings.close()
    assert list((tmp_path / ".uploads").iterdir()) == []


def test_deleting_a_run_leaves_another_model_of_its_name(served: Running, runs: list[Path]) -> None:
    parent = served.application.trainings.parent
    shutil.copytree(runs[1], parent / "lstm")
    assert served.web.delete("/api/runs/lstm").json() == {}
    assert not (parent / "lstm").exists()
    assert served.client.models.retrieve("lstm").id == "lstm"
