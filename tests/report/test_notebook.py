"""Training in a notebook: one display for each call, whatever ends it. The notebook is a stub that remembers."""

import signal
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.test_api import TINY

import lilliput
from lilliput.report.notebook import NotebookDisplay


class Stub:
    """What a notebook shows: the latest content of each display."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []
        self.updates = 0

    def display(self, content: dict[str, str], raw: bool, display_id: bool) -> Any:
        assert raw and display_id
        number = len(self.shown)
        self.shown.append(content)

        def update(content: dict[str, str], raw: bool) -> None:
            self.shown[number] = content
            self.updates += 1

        return types.SimpleNamespace(update=update)

    def html(self) -> str:
        return self.shown[-1]["text/html"]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    made = Stub()
    # Matplotlib asks for the version.
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(version_info=(9, 0)))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=made.display))
    return made


def test_a_display_has_the_status_the_curve_the_latest_sample_and_the_result(stub: Stub) -> None:
    display = NotebookDisplay()
    display.flush()
    assert stub.shown == []
    display.write("a <note>\n")
    display.curve.add("training", 1, 2.0)
    display.status("step 1", 0.25)
    assert stub.shown[0]["text/plain"] == "a <note>\nstep 1"
    for part in ('<progress value="0.250">', "step 1", "<svg", "<summary>log</summary>", "a &lt;note&gt;"):
        assert part in stub.html()
    display.sample("sample at step 1", "<b>first\x1b")
    display.sample("sample at step 2", "<i>second\x1b")
    display.finish("finished: 2 steps")
    display.close_log()
    assert "first" not in stub.html()
    assert "sample at step 2" in stub.html()
    assert "&lt;i&gt;second\ufffd" in stub.html()
    assert "step 1</div>" not in stub.html()
    display.write("the table\n")
    display.flush()
    log, _, result = stub.html().partition("</details>")
    assert "the table" in result
    assert "the table" not in log
    assert stub.shown[0]["text/plain"] == "a <note>\nthe table\n"
    assert len(stub.shown) == 1


def test_training_draws_a_curve_and_a_second_training_another(
    stub: Stub, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    update, calls = torch.optim.AdamW.step, []

    def interrupted(self: torch.optim.AdamW, *rest: Any) -> Any:
        calls.append(self)
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)  # the stop button
        return update(self, *rest)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(torch.optim.AdamW, "step", interrupted)
        lilliput.train(text_file, **TINY)
    assert len(stub.shown) == 1
    assert "stopped after step 4. Repeat the call to continue" in stub.html().partition("</details>")[2]
    before = stub.shown[0]
    model = lilliput.train(text_file, **TINY)
    assert len(stub.shown) == 2
    assert stub.shown[0] is before
    log, _, result = stub.html().partition("</details>")
    for part in (
        "finished: 6 steps",
        "<polyline",
        "validation",
        "sample at step 6",
        "continuing runs/story after step 4",
    ):
        assert part in log
    assert "sliding windows" in result
    assert model.write("the", max_tokens=3).startswith("the")
    # Nothing beside the displays.
    assert capfd.readouterr() == ("", "")


def test_a_notebook_shows_a_model_with_a_text_of_its_own(text_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[type, Any] = {}
    html = types.SimpleNamespace(for_type=shown.__setitem__)
    shell = types.SimpleNamespace(display_formatter=types.SimpleNamespace(formatters={"text/html": html}))
    for reversed_lines in (False, True):
        folder = text_file.parent / str(reversed_lines)
        settings = TINY | {"tokenizer": {"reverse_lines": reversed_lines}}
        lilliput.train(text_file, out=folder, **settings)
        with monkeypatch.context() as notebook:
            notebook.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
            model = lilliput.load(folder)
        text = shown[lilliput.Writer](model)
        assert f"{model.model.vocab_size} tokens, context" in text
        assert "data-note" in text
