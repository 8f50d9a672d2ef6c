"""The examples run and show what they promise."""

import json
import re
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import lilliput.api
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


def notebook_cells() -> list[dict[str, Any]]:
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    train, shown = lilliput.api.train, list[str]()

    def shortened(*texts: Any, minutes: float, training: dict[str, Any]) -> Any:
        small = {"layers": 1, "width": 16, "heads": 2}
        return train(*texts, model=small, training={**training, "steps": 3, "batch": 4}, data={"window": 16})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lilliput.api, "train", shortened)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(version_info=(9, 0)))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(HTML=shown.append))
    names: dict[str, Any] = {}
    for number, cell in enumerate(notebook_cells()):
        source = "".join(cell["source"]).replace("range(1000)", "range(60)")
        exec(compile(source, f"notebook.ipynb, code cell {number}", "exec"), names)
    assert Path("sentences.txt").stat().st_size < 20_000
    assert "data-note" in shown[0]
    printed = capsys.readouterr().out
    assert "The old " in printed
    assert "bits per character" in printed


def test_the_notebook_has_the_results_of_one_whole_run() -> None:
    cells = notebook_cells()
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert all(output["output_type"] != "error" and output.get("name") != "stderr" for output in outputs)
    pages = ["".join(output["data"].get("text/html", "")) for output in outputs if "data" in output]
    curve, heat_map = filter(None, pages)
    assert "<polyline" in curve
    assert "finished: " in curve
    # The verb that does not agree is the surprise that the text promises.
    assert re.search(r'class="s1[0-6]"[^>]*>s</span><span[^>]*> </span>', heat_map)
    assert not re.search(r"/(home|root|tmp|work|Users)/", json.dumps(cells))
