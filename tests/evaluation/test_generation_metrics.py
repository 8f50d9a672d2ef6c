from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.conftest import made_up_text
from tests.training.building import recipe, run

from lilliput.errors import CorpusError, GenerationError, RunError
from lilliput.evaluation.generation_metrics import LENGTHS, RunTexts, judge, read_texts, write_lines
from lilliput.generation.text import Piece
from lilliput.runs.folder import RunFolder
from lilliput.writer import Writer

TEXT = made_up_text(3000)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps; tests only read it."""
    folder = tmp_path_factory.mktemp("judging") / "run"
    run(folder, recipe(**{"training.steps": 2, "training.evaluate_every": 2}))
    return folder


class Script:
    """Stands in for a writer: its texts are written beforehand."""

    def __init__(self, *texts: str, prompt: str = "\n", context: int = 64) -> None:
        self.texts = texts
        self.prompt = prompt
        self.model = SimpleNamespace(context=context)
        self.asked: list[dict[str, Any]] = []

    def start(self, prompt: str | None) -> str:
        return prompt or self.prompt

    def stream(self, prompt: str | None = None, **options: Any) -> Iterator[Piece]:
        text = self.texts[len(self.asked) % len(self.texts)]
        self.asked.append(options)
        yield from (Piece(character, number) for number, character in enumerate(text, start=1))


def written(script: Script, lines: int, **options: Any) -> str:
    return write_lines(cast(Writer, script), lines, temperature=0.5, **options)


def test_the_texts_of_a_run_are_those_it_learnt_and_held_out(small: Path) -> None:
    texts = read_texts(small)
    assert texts.training + texts.held_out == TEXT
    assert texts.training_share == 1
    assert texts.language is None


def test_of_a_long_training_text_the_end_is_used(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_texts(small)
    monkeypatch.setattr("lilliput.evaluation.generation_metrics.MOST_TOKENS", 500)
    texts = read_texts(small)
    assert 0 < texts.training_share < 1
    assert whole.training.endswith(texts.training)
    monkeypatch.setattr("lilliput.evaluation.generation_metrics._DECODED_AT_ONCE", 100)
    texts = read_texts(small)
    assert texts.lines_before == whole.training.removesuffix(texts.training).count("\n") > 0
    copied = whole.training[-400:]
    lines = [judge(each, copied, None)["written"]["longest_source_line"] for each in (whole, texts)]
    assert lines[0] == lines[1]
    assert judge(texts, TEXT, None)["training_share"] == pytest.approx(texts.training_share, abs=1e-5)


def test_a_named_corpus_brings_its_language(small: Path, tmp_path: Path) -> None:
    copy = RunFolder(tmp_path)
    for path in small.rglob("*"):
        if path.is_file() and path.name != "manifest.json":
            target = tmp_path / path.relative_to(small)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    facts = copy.read_json(copy.facts)
    copy.write_json(copy.facts, facts | {"text": facts["text"] | {"name": "french-poetry"}})
    assert read_texts(tmp_path).language == "fr"
    copy.write_json(copy.facts, facts | {"training": facts["training"] | {"tokens": 1}})
    with pytest.raises(RunError, match="does not match facts"):
        read_texts(tmp_path)
    copy.write_json(copy.facts, facts | {"training": {"problems": 5, "tokens": 1}})
    with pytest.raises(CorpusError, match=r"no text to compare with; use lilliput eval"):
        read_texts(tmp_path)


def test_lines_are_written_from_one_text_after_another() -> None:
    script = Script("one\ntwo\n\nthree\ncut o", "four\nfive\nsix\n")
    told: list[int] = []
    assert written(script, 5, seed=7, progress=told.append) == "one\ntwo\n\nthree\n\nfour\nfive\n"
    assert told == [3, 5]
    assert [asked["seed"] for asked in script.asked] == [7, 8]
    assert {asked["temperature"] for asked in script.asked} == {0.5}


def test_the_line_that_the_prompt_began_does_not_count() -> None:
    assert written(Script(" the end\nmine\ncut", prompt="Once"), 1) == "mine\n"


def test_a_text_without_line_ends_counts_as_one_line() -> None:
    assert written(Script("all in one", prompt="Once"), 2) == "all in one\n\nall in one\n"


@pytest.mark.parametrize(("context", "length"), [(16, LENGTHS[0]), (400, 400), (4000, LENGTHS[1])])
def test_a_text_is_about_as_long_as_the_context(context: int, length: int) -> None:
    script = Script("one\ntwo\n", context=context)
    written(script, 1)
    assert script.asked[0]["max_tokens"] == length


def test_a_run_that_writes_nothing_is_told() -> None:
    with pytest.raises(GenerationError, match="without a word"):
        written(Script("\n \n\n"), 3)


def test_three_texts_are_measured_alike() -> None:
    training = "le port, la mer, le vent, la lampe; le port, la mer, le vent, la lampe, le chat\n" * 9
    held_out = "la mer dort, le vent dort, la lampe dort\n" * 8
    given = "la port, le mer, le vent, la blorpe\n" * 4
    report = judge(RunTexts(training, held_out, 1.0, "fr"), given, "fr")
    assert {report[name]["words"] for name in ("held_out", "shuffled")} == {72}
    assert (report["written"]["words"], report["written"]["gender_pairs"]) == (32, 12)
    assert report["written"]["gender"] == pytest.approx(1 / 3, abs=1e-5)
    assert report["held_out"]["gender"] == report["held_out"]["number"] == 1
    assert report["shuffled"]["gender"] < 1
    assert report["written"]["real_words"] == 0.875
    assert report["written"]["longest_copied"] == 4
    assert report["written"]["longest_text"] == "mer, le vent, la"
    assert (report["written"]["longest_line"], report["written"]["longest_source_line"]) == (1, 1)
    assert report["distinct_words"] == 32
    assert judge(RunTexts(training, held_out, 1.0, None), given, None)["written"]["gender"] is None


@pytest.mark.parametrize(("given", "held_out", "which"), [("few words", TEXT, "written"), (TEXT, "few", "held-out")])
def test_too_short_a_text_is_told(given: str, held_out: str, which: str) -> None:
    with pytest.raises(CorpusError, match=f"the {which} text has . words: judging needs at least 20"):
        judge(RunTexts(TEXT, held_out, 1.0, None), given, None)
