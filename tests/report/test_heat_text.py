"""A heat-map in the terminal: colours from two bits on, and a plain text where there are none."""

import io
from typing import Any

import pytest
from rich.console import Console
from tests.report.test_heat_map import surprise_of

from lilliput.report.heat_map.terminal import coloured_text, print_heat_map, print_surprise

SURPRISE = surprise_of(("The", None), (" old", 1.9), (" [red]river[/red]\x1b[2J", 9.0), ("\n", 3.0), ("sings\n", 0.1))


def printed(system: Any) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=system is not None, color_system=system, highlight=False)
    print_heat_map(console, SURPRISE)
    print_surprise(console, SURPRISE)
    return stream.getvalue()


def test_without_colours_the_text_is_plain() -> None:
    text = printed(None)
    assert text.startswith("The old [red]river[/red]\ufffd[2J\nsings\n")
    assert "\x1b" not in text
    assert "\u21b5" not in text
    assert "bits of surprise" not in text


def test_the_figures_and_the_words_follow() -> None:
    text = printed(None)
    assert "bits per character, 3.500 bits per token (" in text
    most, _, least = text.partition("least surprising words")
    rows = [line.split() for line in most.splitlines() if line.endswith(" 1")]
    assert rows[0] == ["[red]river[/red]\ufffd[2J", "9.0", "1"]
    assert "sings" in least
    assert "The" not in least


def test_surprising_tokens_stand_on_a_colour() -> None:
    text = coloured_text(SURPRISE.tokens)
    assert text.plain == "The old [red]river[/red]\ufffd[2J\u21b5\nsings\n"
    coloured = {text.plain[span.start : span.end]: str(span.style) for span in text.spans}
    assert coloured == {" [red]river[/red]\ufffd[2J": "#000000 on #d55e00", "\u21b5": "#000000 on #e39400"}
    sixteen = coloured_text(SURPRISE.tokens, sixteen=True)
    assert [str(span.style) for span in sixteen.spans] == ["white on red", "black on yellow"]


@pytest.mark.parametrize(("system", "code"), [("truecolor", "48;2;213;94;0"), ("standard", "41m")])
def test_a_terminal_gets_the_colours_that_it_has(system: str, code: str) -> None:
    text = printed(system)
    assert code in text
    assert "bits of surprise:" in text
    assert "\x1b[2J" not in text
