"""A model that writes each line from its end: whole lines, and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import made_up_verse
from tests.training.building import finished, recipe, run, sums

from lilliput.corpus import Corpus, Document, Examples
from lilliput.errors import GenerationError, RecipeError, VerseError
from lilliput.verse.french import French
from lilliput.verse.lexicon import Lexicon
from lilliput.writer import Writer, load
from lilliput.writer.form_writer import FormWriter

VERSE = Corpus("verse", (Document("verse", made_up_verse(200)),), ())


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    folder = tmp_path_factory.mktemp("reversed") / "run"
    settings = {"tokenizer.reverse_lines": True, "training.steps": 60, "training.evaluate_every": 60}
    last = finished(run(folder, recipe(**settings), text=VERSE))
    assert last.evaluation is not None
    return load(folder)


def test_it_writes_whole_lines_behind_a_prompt_of_whole_lines(writer: Writer) -> None:
    text = writer.write("ba lana", seed=1, max_tokens=120)
    assert text.startswith("ba lana\n")
    assert text.endswith("\n")
    # The last letters of the lines are those of the text.
    lines = [line for line in text.split("\n")[1:-1] if line]
    assert sum(line[-1] in "aioul" for line in lines) > 0.7 * len(lines)
    assert sum(line[0] in "bdf" for line in lines) > len(lines) / 2


def test_a_line_ends_where_it_should(writer: Writer) -> None:
    text = writer.write("ba lana\n", seed=2, until="line", max_tokens=60)
    assert "\n" not in text.removeprefix("ba lana\n").lstrip("\n")


def test_the_tokens_of_a_line_are_reversed(writer: Writer) -> None:
    ids = writer.tokenizer.encode("ba\n").tolist()
    assert [writer.tokenizer.pieces[id_] for id_ in ids] == ["a", "b", "\n"]


@pytest.mark.parametrize(
    "call",
    [
        lambda writer: writer.search("ba", beams=2),
        lambda writer: writer.next_words("ba"),
        lambda writer: writer.fill("ba", "lana"),
        lambda writer: writer.score_ids([1, 2]),
        lambda writer: writer.write("ba", acrostic="b"),
        lambda writer: writer.write("ba", match="[a-z]*"),
    ],
)
def test_what_needs_a_model_that_writes_forwards(writer: Writer, call: Callable[[Writer], object]) -> None:
    with pytest.raises(GenerationError, match="from its end"):
        call(writer)


@pytest.mark.parametrize(("text", "settings"), [(sums(), {}), (VERSE, {"data.labels": "file"})])
def test_answers_and_labels_stay_as_they_are(text: Corpus | Examples, settings: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"tokenizer\.reverse_lines works on texts only"):
        run(tmp_path / "run", recipe(**{"tokenizer.reverse_lines": True} | settings), text=text)


def test_forms_need_one_too(writer: Writer) -> None:
    with pytest.raises(VerseError, match="from its end"):
        FormWriter(writer, Lexicon.of("la lune", French()), [])
