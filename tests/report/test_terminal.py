"""Nothing that rules a terminal reaches one: not from written text, and not from names and messages."""

import ast
import io
import sys
from pathlib import Path

import pytest

from lilliput.report.screen import Console
from lilliput.report.terminal import Guarded, guarded, printable
from lilliput.report.terminal_tables import table

SOURCE = Path(__file__).parents[2] / "src" / "lilliput"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_control_characters_are_shown_as_one_that_does_nothing() -> None:
    for value in (*range(0x20), *range(0x7F, 0xA0)):
        assert (printable(chr(value)) == chr(value)) == (chr(value) in "\t\n")
    assert printable("a\r\nb\u00a0é日\U0001f600") == "a\nb\u00a0é日\U0001f600"


def test_written_text_is_guarded_on_a_terminal_only() -> None:
    for stream, told in ((Terminal(), "\ufffd[2Jb"), (io.StringIO(), "\x1b[2Jb")):
        guard = Guarded(stream, always=False)
        assert guard.write("\x1b[2Jb") == 5
        assert stream.getvalue() == told
        assert guard.isatty() == stream.isatty()


def test_messages_are_guarded_wherever_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with guarded():
        sys.stdout.write("\x1b[31mred")
        sys.stderr.write("\x1b[31mred")
    assert (out.getvalue(), err.getvalue()) == ("\x1b[31mred", "\ufffd[31mred")
    assert sys.stdout is out


def test_tables_keep_their_own_codes_and_lose_those_of_names() -> None:
    stream = Terminal()
    Console(file=stream, force_terminal=True, color_system="standard", highlight=False).print(
        table([{"name": "\x1b[2Jrun\x07"}], {"name": "name"}), style="bold"
    )
    assert "\x1b[2J" not in stream.getvalue()
    assert "\x07" not in stream.getvalue()
    assert "\ufffd[2Jrun" in stream.getvalue()
    assert "\x1b[1m" in stream.getvalue()


def test_verbs_show_tables_on_no_other_console() -> None:
    for path in (SOURCE / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "rich.console":
                assert "Console" not in {name.name for name in node.names}, f"{path.name}: take report.screen.Console"
