"""`lilliput judge`: a run's text, or another, in one table with real and with shuffled text."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lilliput, assert_refused
from tests.conftest import made_up_text


def test_judge_as_json_keeps_the_text_and_repeats_itself(lilliput: Lilliput, finished: Path) -> None:
    arguments = ("judge", str(finished), "--lines", "6", "--temperature", "1.2", "--seed", "3", "--json")
    outcome = lilliput(*arguments, "--out", "written.txt")
    assert outcome.code == 0
    assert outcome.out.count("\n") == 1
    report = json.loads(outcome.out)
    assert report.keys() >= {"written", "held_out", "shuffled", "language", "distinct_words", "training_share"}
    assert (report["lines"], report["temperature"], report["seed"]) == (6, 1.2, 3)
    assert report["written"].keys() == report["held_out"].keys()
    lines = Path("written.txt").read_bytes().decode().split("\n")
    assert sum(bool(line.strip()) for line in lines) == 6
    assert lilliput(*arguments).out == outcome.out
    assert_refused(lilliput(*arguments, "--out", "written.txt"), "written.txt", "new name")


def test_judge_another_text(lilliput: Lilliput, finished: Path) -> None:
    Path("other.txt").write_text(made_up_text(2000, seed=9))
    outcome = lilliput("judge", str(finished), "--text", "other.txt")
    assert outcome.code == 0
    for word in ("written", "held-out", "shuffled", "real words", "%", "distinct pairs", "longest copied span (line"):
        assert word in outcome.out
    assert "gender" not in outcome.out
    read = "read other.txt as ASCII, LF, 2,000 bytes\n"
    assert outcome.err == f"{read}agreement is measured for these languages only: fr. Choose one with --language\n"
    french = lilliput("judge", str(finished), "--text", "other.txt", "--language", "fr")
    assert "gender" in french.out
    assert french.err == read


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--text", "short.txt"), ("3 words", "at least")),
        (("--text", "none.txt"), ("none.txt",)),
        (("--out", "no/such/folder.txt"), ("no/such",)),
        (("--lines", "0"), ("--lines",)),
        (("--temperature", "-1"), ("temperature",)),
    ],
)
def test_what_cannot_be_judged(
    lilliput: Lilliput, finished: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    Path("short.txt").write_text("only three words\n")
    outcome = lilliput("judge", str(finished), *arguments, "--json")
    assert outcome.code == 2
    assert outcome.out == ""
    for word in words:
        assert word in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_text_that_could_not_be_judged_is_not_kept(lilliput: Lilliput, finished: Path) -> None:
    Path("short.txt").write_text("only three words\n")
    assert lilliput("judge", str(finished), "--text", "short.txt", "--out", "kept.txt").code == 2
    assert not Path("kept.txt").exists()


def test_languages(lilliput: Lilliput, finished: Path) -> None:
    Path("other.txt").write_text(made_up_text(2000, seed=9))
    assert "gender" in lilliput("judge", str(finished), "--text", "other.txt", "--language", "FR").out
    outcome = lilliput("judge", str(finished), "--text", "other.txt", "--language", "xx")
    assert_refused(outcome, "--language xx: unsupported language. Choose fr")


def test_a_missing_run(lilliput: Lilliput) -> None:
    assert_refused(lilliput("judge", "nowhere"), "nowhere", "no run at")


@pytest.mark.parametrize("verb", ["eval", "judge"])
def test_another_text_is_read_as_told_and_the_reading_is_shown(lilliput: Lilliput, finished: Path, verb: str) -> None:
    rows = [f"{number}\tLe ch\xe2teau {number} est pr\xe8s de la mer, et le vent souffle.\n" for number in range(200)]
    Path("other.tsv").write_text("id\tvers\n" + "".join(rows), encoding="cp437")
    outcome = lilliput(verb, str(finished), "--text", "other.tsv", "--encoding", "cp437", "--field", "vers", "--json")
    assert outcome.code == 0
    assert "read other.tsv as CP437, LF" in outcome.err
    assert "field 'vers' read" in outcome.err
    assert_refused(
        lilliput(verb, str(finished), "--text", "other.tsv", "--encoding", "klingon"), "unknown encoding 'klingon'"
    )
