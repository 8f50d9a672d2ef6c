"""`lilliput sample`: seeds, options, prompts, and output that goes elsewhere."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM, Lilliput, Outcome, assert_refused, process, start


@pytest.mark.parametrize(
    ("former", "now"),
    [
        (("--length", "5"), "--length is now --max-tokens"),
        (("--characters", "5"), "--characters is now --max-characters"),
        (("--set", "length=5"), "length: the key is now max_tokens"),
        (("--set", "characters=5"), "characters: the key is now max_characters"),
    ],
)
def test_words_of_earlier_versions_are_refused_by_name(
    lilliput: Lilliput, finished: Path, former: tuple[str, str], now: str
) -> None:
    outcome = lilliput("sample", str(finished), *former)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert now in outcome.err


def test_a_seed_writes_its_text_and_several_are_told_apart(lilliput: Lilliput, finished: Path) -> None:
    arguments = ("sample", str(finished), "--prompt", "The", "--max-tokens", "20")
    first, second = lilliput(*arguments).out, lilliput(*arguments, "--seed", "2").out
    assert first == lilliput(*arguments).out
    assert first != second
    assert lilliput(*arguments, "--count", "2").out == f"-------- seed 1\n{first}\n-------- seed 2\n{second}\n"


def test_whoever_reads_along_is_told_of_the_seed(
    lilliput: Lilliput, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("sample", str(finished), "--prompt", "The", "--max-tokens", "5")
    assert "--seed" not in lilliput(*arguments).err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "--seed 5 writes another text" in lilliput(*arguments, "--seed", "3", "--count", "2").err
    for quiet in (("--json",), ("--temperature", "0")):
        assert "--seed" not in lilliput(*arguments, *quiet).err


def test_options_reach_the_sampler(lilliput: Lilliput, finished: Path) -> None:
    arguments = ("sample", str(finished), "--prompt", "The", "--max-tokens", "30")
    likeliest = lilliput(*arguments, "--temperature", "0").out
    assert lilliput(*arguments, "--top-k", "1", "--seed", "3").out == likeliest
    assert lilliput(*arguments, "--top-p", "0.000001", "--seed", "4").out == likeliest
    stop = likeliest[8:10]
    stopped = lilliput(*arguments, "--temperature", "0", "--stop", "never", "--stop", stop).out
    assert stopped == "The" + likeliest[3:].split(stop)[0] + "\n"


def test_where_a_text_ends_and_what_it_may_not_hold(lilliput: Lilliput, finished: Path) -> None:
    arguments = ("sample", str(finished), "--prompt", "The", "--max-tokens", "60")
    assert len(lilliput(*arguments, "--max-characters", "7").out) == len("The") + 7 + 1
    whole = lilliput(*arguments, "--temperature", "1.5").out
    first = whole.rstrip("\n").split("\n")[0]
    assert lilliput(*arguments, "--temperature", "1.5", "--until", "line").out.rstrip() == first.rstrip()
    letters = lilliput(*arguments, "--ban", "e", "--ban", "a").out.removeprefix("The")
    assert len(letters) > 10
    assert not {"e", "a"} & set(letters)
    biased = lilliput(*arguments, "--set", "bias.e=50", "--set", "sample.temperatures=[1, 0]").out
    assert biased == "The" + "e" * 60 + "\n"


def test_beams_find_likelier_texts_than_the_likeliest_tokens(lilliput: Lilliput, finished: Path) -> None:
    arguments = ("sample", str(finished), "--prompt", "The", "--max-tokens", "12", "--json")
    rows = [json.loads(line) for line in lilliput(*arguments, "--beams", "8", "--count", "3").out.splitlines()]
    assert [row["tokens"] for row in rows] == [12, 12, 12]
    likely = [row["log_probability"] for row in rows]
    assert likely == sorted(likely, reverse=True)
    one = json.loads(lilliput(*arguments, "--beams", "2").out)
    assert likely[0] >= one["log_probability"]
    shown = lilliput(*arguments[:-1], "--beams", "8", "--count", "3").out
    assert shown.startswith(f"-------- 1, probability e^{likely[0]:.1f}\n{rows[0]['text']}\n")
    ended = lilliput(*arguments[:-1], "--beams", "4", "--until", "sentence", "--max-tokens", "40").out
    assert ended.startswith("The")
    assert_refused(lilliput(*arguments, "--beams", "2", "--count", "3"), "--count 3")
    assert_refused(lilliput(*arguments, "--beams", "4", "--set", "beam_groups=3"), "beam_groups")


def test_a_text_leads_to_its_suffix(lilliput: Lilliput, finished: Path) -> None:
    arguments = ("sample", str(finished), "--prompt", "The ", "--suffix", " river.", "--max-tokens", "20", "--json")
    rows = [json.loads(line) for line in lilliput(*arguments, "--count", "3").out.splitlines()]
    assert all(row["text"].startswith("The ") and row["text"].endswith(" river.") for row in rows)
    likely = [row["log_probability"] for row in rows]
    assert likely == sorted(likely, reverse=True)
    assert len({row["text"] for row in rows}) == 3
    texts = [json.loads(lilliput(*arguments).out)["text"] for _ in range(2)]
    assert texts == [rows[0]["text"]] * 2
    assert_refused(lilliput(*arguments, "--count", "9999"), "--count 9999")
    assert_refused(lilliput("sample", str(finished), "--suffix", ""), "suffix")


def test_what_is_copied_is_marked(lilliput: Lilliput, finished: Path) -> None:
    arguments = (
        "sample",
        str(finished),
        "--prompt",
        "The ",
        "--max-tokens",
        "300",
        "--temperature",
        "0.3",
        "--novelty",
    )
    outcome = lilliput(*arguments)
    plain = lilliput(*arguments[:-1]).out
    assert outcome.out.replace("[[", "").replace("]]", "") == plain
    assert outcome.err.startswith("copied: ")
    row = json.loads(lilliput(*arguments, "--json").out)
    spans = [row["text"][one:end] for one, end in row["copied_spans"]]
    assert re.findall(r"\[\[(.*?)\]\]", outcome.out, re.DOTALL) == spans
    assert all(len(span.split()) >= 5 for span in spans)
    assert (row["copied"] > 0) == bool(spans)
    assert (row["longest_copied"] >= 5) == bool(spans)


def test_writing_together(lilliput: Lilliput, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def session(answers: str) -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
        return lilliput("sample", str(finished), "--prompt", "The ", "--interactive").out

    first = session("\n")
    offered = re.findall(r"^  (\d)  (\S.*?) +([\d.]+)%$", first, re.MULTILINE)
    assert [number for number, _, _ in offered] == [str(number) for number in range(1, 10)]
    shares = [float(share) for _, _, share in offered]
    assert shares == sorted(shares, reverse=True)
    assert first.endswith("\nThe \n")
    # A word is taken, one's own is written, one is drawn and taken back; the end of the input ends it.
    whole = session("2\nand the\n+\n-\n")
    assert whole.rstrip("\n").split("\n")[-1].startswith("The ")
    assert whole.endswith("and the \n")
    assert offered[1][1] in whole


def test_eight_bits_say_what_they_cost(lilliput: Lilliput, finished: Path) -> None:
    outcome = lilliput("sample", str(finished), "--prompt", "The", "--max-tokens", "20", "--quant", "8")
    assert outcome.code == 0
    assert outcome.out.startswith("The")
    used, costs = outcome.err.splitlines()
    assert re.fullmatch(
        r"8 bits: one text: (8|32)-bit arithmetic, [\d,]+ tokens/s on this machine \((8|32)-bit: [\d,]+ tokens/s\)",
        used,
    )
    assert costs.startswith("8 bits: ")
    assert "nats per token" in costs
    together = lilliput("sample", str(finished), "--prompt", "The", "--max-tokens", "2", "--quant", "8", "--count", "3")
    assert together.err.startswith("8 bits: 3 texts at once: ")
    assert_refused(lilliput("sample", str(finished), "--quant", "4"), "--quant 4")


def test_a_text_keeps_to_its_pattern(lilliput: Lilliput, finished: Path) -> None:
    arguments = ("sample", str(finished), "--prompt", "The ", "--temperature", "1", "--max-tokens", "60")
    assert re.fullmatch(r"The (river|moon) [a-f]{3}\n", lilliput(*arguments, "--match", "(river|moon) [a-f]{3}").out)
    lines = lilliput(*arguments, "--acrostic", "ash", "--set", "line_length=30", "--max-tokens", "900").out
    letters = [re.sub(r"\W+", "", line)[0].lower() for line in lines.removeprefix("The ").strip().split("\n")]
    assert letters == ["a", "s", "h"]
    assert max(map(len, lines.split("\n"))) <= 30 + len("The ")
    assert set(lilliput(*arguments, "--set", "allow=aeiou ").out.removeprefix("The ")) <= set("aeiou \n")
    best = lilliput(*arguments, "--match", "(river|moon|stone)", "--beams", "3").out
    assert best in ("The river\n", "The moon\n", "The stone\n")
    assert_refused(lilliput(*arguments, "--match", "(river"), "match")
    outcome = lilliput(*arguments, "--match", "[a-z]+!", "--ban", "!", "--max-tokens", "9")
    assert outcome.code == 2
    assert "raise max_tokens" in outcome.err


def test_texts_of_different_lengths_match_together(lilliput: Lilliput, finished: Path) -> None:
    arguments = ("sample", str(finished), "--prompt", "The ", "--temperature", "1", "--match", "(river|the old)")
    rows = [json.loads(line) for line in lilliput(*arguments, "--count", "20", "--json").out.splitlines()]
    assert len(rows) == 20
    assert {row["text"] for row in rows} == {"The river", "The the old"}


def test_a_prompt_from_standard_input(lilliput: Lilliput, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"A child")))
    assert lilliput("sample", str(finished), "--prompt", "-", "--max-tokens", "3").out.startswith("A child")


@pytest.mark.parametrize(
    "options",
    [
        ("--temperature", "-1"),
        ("--temperature", "nan"),
        ("--temperature", "hot"),
        ("--top-k", "0"),
        ("--top-p", "1.5"),
        ("--min-p", "2"),
        ("--repetition-penalty", "0"),
        ("--until", "page"),
        ("--max-characters", "0"),
        ("--beams", "0"),
        ("--ban", ""),
        ("--set", "typical=2"),
        ("--set", "typicle=0.5"),
        ("--set", "bias.the=1"),
        ("--set", "typical"),
        ("--max-tokens", "0"),
        ("--count", "0"),
        ("--seed", "-1"),
        ("--stop", ""),
    ],
)
def test_impossible_options_print_nothing_but_their_error(
    lilliput: Lilliput, finished: Path, options: tuple[str, str]
) -> None:
    for more in ((), ("--json",)):
        outcome = lilliput("sample", str(finished), *options, *more)
        # Typer calls it --top-k and the recipe top_k.
        named = options[1].partition("=")[0].partition(".")[0] if options[0] == "--set" else options[0].strip("-")
        assert_refused(Outcome(outcome.code, outcome.out, outcome.err.replace("_", "-")), named)


# Output that goes elsewhere.


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(finished: Path) -> None:
    running = start("sample", str(finished), "--count", "50", "--max-tokens", "3000")
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdin is not None
    running.stdin.close()
    running.stdout.readline()
    running.stdout.close()
    assert running.stderr.read() == ""
    running.stderr.close()
    try:
        assert running.wait(timeout=60) == 0
    except subprocess.TimeoutExpired:
        running.kill()
        raise


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8:strict"])
def test_a_terminal_that_lacks_a_character_gets_another(finished: Path, encoding: str) -> None:
    outcome = process(
        *("sample", str(finished), "--prompt", "日本 \udcff!", "--max-tokens", "200", "--temperature", "5"),
        PYTHONIOENCODING=encoding,
    )
    assert outcome.code == 0, outcome.err
    assert "Traceback" not in outcome.err
    assert "!" in outcome.out


@pytest.mark.slow
def test_a_prompt_in_another_encoding_is_read(finished: Path) -> None:
    outcome = subprocess.run(
        [PROGRAM, "sample", finished, "--prompt", "-", "--max-tokens", "3", "--json"],
        input="été".encode("latin-1"),
        capture_output=True,
        timeout=60,
    )
    assert b"Traceback" not in outcome.stderr
    assert outcome.returncode in (0, 2)
    if outcome.returncode == 0:
        assert json.loads(outcome.stdout.decode("utf-8"))["tokens"] == 3
    else:
        assert outcome.stderr.startswith(b"error: ")
