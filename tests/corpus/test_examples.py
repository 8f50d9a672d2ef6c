import csv
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from lilliput.corpus import END, Example, Examples, open_examples, require_examples, shared_prompts, split_examples
from lilliput.corpus.examples import gather
from lilliput.corpus.settings import FieldSettings, ReadSettings
from lilliput.errors import CorpusError

ROWS = [
    {"prompt": "1+1=", "answer": "2", "id": 7},
    {"prompt": "Où ?\u2028", "answer": "là\n"},
    {"prompt": "1+1=", "answer": "two"},
]


def written(folder: Path, rows: list[object], name: str = "questions.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def numbered(prompts: list[str]) -> Examples:
    return gather("made up", [Example(prompt, f"answer {number}") for number, prompt in enumerate(prompts)])


def opened(path: Path) -> Examples:
    examples = open_examples(path)
    assert examples is not None
    return examples


def test_a_file_of_prompts_and_answers_is_read(tmp_path: Path) -> None:
    examples = opened(written(tmp_path, ROWS))
    assert list(examples) == [Example("1+1=", "2"), Example("Où ?\u2028", "là\n"), Example("1+1=", "two")]
    assert [examples[index] for index in range(len(examples))] == list(examples)
    assert examples.longest == len("Où ?\u2028là\n")
    assert examples.where(2) == "questions.jsonl, line 3"
    assert "3 prompts" in examples.notes[0]


def test_packed_files_hold_the_same(tmp_path: Path) -> None:
    plain = written(tmp_path, ROWS)
    data = plain.read_bytes()
    (tmp_path / "q.jsonl.gz").write_bytes(gzip.compress(data))
    (tmp_path / "q.jsonl.xz").write_bytes(lzma.compress(data))
    (tmp_path / "wide.jsonl").write_bytes(data.decode().encode("utf-16"))
    with zipfile.ZipFile(tmp_path / "q.zip", "w") as archive:
        archive.writestr("inner/q.jsonl", data)
    for name in ("q.jsonl.gz", "q.jsonl.xz", "wide.jsonl", "q.zip"):
        assert opened(tmp_path / name).sha256 == opened(plain).sha256


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.jsonl", b'{"text": "one", "prompt": "a", "answer": "b"}\n'),
        ("other.jsonl", b'{"poem": "one"}\n'),
        ("chat.json", b'{"name": "x", "messages": [{"from": "Anna", "text": "hi"}]}'),
        ("broken.jsonl", b"{\n"),
        ("empty.jsonl", b"\n \n"),
        ("nothing.jsonl", b""),
        ("plain.txt", b'{"prompt": "a", "answer": "b"}\n'),
        ("torn.zip", b"PK\x03\x04 torn"),
    ],
)
def test_what_is_no_file_of_prompts_is_left_to_the_reader_of_texts(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert open_examples(tmp_path / name) is None


def test_folders_missing_files_and_archives_of_several_are_left_too(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.jsonl", '{"prompt": "a", "answer": "b"}')
        archive.writestr("b.txt", "a text")
    (tmp_path / "two.zip").write_bytes(buffer.getvalue())
    for name in ("folder.jsonl", "none.jsonl", "two.zip"):
        assert open_examples(tmp_path / name) is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"prompt": "cut', r"questions\.jsonl, line 3 is not JSON .*: write one object a line"),
        ("[1]", "line 3 is neither an object nor a string: write"),
        (
            '{"prompt": "a", "answer": ["b"]}',
            r'line 3: "answer" is \["b"\], not a text: name the fields with',
        ),
        (f'{{"prompt": "a", "answer": {json.dumps("b" + END)}}}', r'line 3: "answer" holds U\+0003.*: remove it'),
        (f'{{"prompt": "a", "answer": {"9" * 5000}}}', r"line 3 is not JSON \(a number has too many digits"),
        ('{"prompt": "a\\ud800", "answer": "b"}', 'line 3: "prompt" holds half of a surrogate pair'),
    ],
)
def test_a_broken_line_is_refused_with_its_number_and_the_remedy(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(f'{{"prompt": "a", "answer": "b"}}\n\n{line}\n')
    with pytest.raises(CorpusError, match=told) as error:
        open_examples(path)
    assert "\n" not in str(error.value)


def test_records_without_a_prompt_or_an_answer_are_left_out_and_counted(tmp_path: Path) -> None:
    lacking: list[object] = [
        {"prompt": "a"},
        {"answer": "b"},
        {"prompt": None, "answer": "b"},
        {"prompt": "a", "answer": ""},
    ]
    examples = opened(written(tmp_path, [ROWS[0], *lacking, {"prompt": "three", "answer": 3}]))
    assert [*examples] == [Example("1+1=", "2"), Example("three", "3")]
    assert examples.where(1) == "questions.jsonl, line 6"
    assert examples.notes == (
        "read questions.jsonl as 2 prompts with their answers (prompt: 'prompt', answer: 'answer'); left out: 'id'; "
        "4 without a prompt or an answer left out",
    )
    with pytest.raises(CorpusError, match="holds no record with both 'prompt' and 'answer'"):
        open_examples(written(tmp_path, lacking[2:]))


@pytest.mark.parametrize(
    ("record", "example"),
    [
        ({"question": "Where?", "answer": "Here."}, ("Where?", "Here.")),
        ({"Question": "Where?", "Answer": "Here."}, ("Where?", "Here.")),
        ({"prompt": "Where?", "completion": " Here."}, ("Where?", " Here.")),
        ({"prompt": "Where?", "response": "Here."}, ("Where?", "Here.")),
        ({"input": "Where?", "output": "Here."}, ("Where?", "Here.")),
        ({"instruction": "Add.", "input": "1 2", "output": "3"}, ("Add.\n1 2", "3")),
        ({"instruction": "Go.", "input": "", "output": "Gone."}, ("Go.", "Gone.")),
        ({"instruction": "Go.", "context": "Now.", "response": "Gone.", "category": "x"}, ("Go.\nNow.", "Gone.")),
        ({"prompt": "one\r\ntwo", "answer": "e\u0301"}, ("one\ntwo", "\u00e9")),
    ],
)
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv", ".parquet"])
def test_prompts_and_answers_have_many_names(
    tmp_path: Path, record: dict[str, str], example: tuple[str, str], suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".jsonl":
        path.write_text(json.dumps(record))
    elif suffix == ".json":
        path.write_text(json.dumps([record]))
    elif suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist([record]), path)
    else:
        with path.open("w", newline="") as file:
            writer = csv.writer(file, "excel-tab" if suffix == ".tsv" else "excel")
            writer.writerows([list(record), list(record.values())])
    assert [*opened(path)] == [Example(*example)]


def test_fields_of_ones_own(tmp_path: Path) -> None:
    path = written(tmp_path, [{"ask": "Where?", "say": "Here.", "text": "no"}])
    assert open_examples(path) is None
    own = ReadSettings(fields=FieldSettings(prompt="ask", answer="say"))
    examples = open_examples(path, own)
    assert examples is not None
    assert [*examples] == [Example("Where?", "Here.")]
    assert examples.notes[0].endswith("(prompt: 'ask', answer: 'say'); left out: 'text'")
    pairs = written(tmp_path, [{"question": "a", "answer": "b"}], "pairs.jsonl")
    assert open_examples(pairs, ReadSettings(fields=FieldSettings(text="question"))) is None
    with pytest.raises(ValueError, match="prompt and answer belong together"):
        FieldSettings(prompt="ask")


TURNS = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": [{"type": "text", "text": "Where?"}]},
    {"role": "assistant", "content": "Here."},
]
SHARED = [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi"}]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (json.dumps({"messages": TURNS}), "a.jsonl"),
        (json.dumps([{"messages": TURNS}]), "a.json"),
        (json.dumps({"messages": TURNS}), "a.json"),
        (json.dumps([TURNS]), "a.json"),
    ],
)
def test_every_turn_of_the_assistant_is_an_answer(tmp_path: Path, content: str, name: str) -> None:
    (tmp_path / name).write_text(content)
    assert [*opened(tmp_path / name)] == [
        Example("system: Be short.\nuser: Hello\nassistant: ", "Hi"),
        Example("system: Be short.\nuser: Hello\nassistant: Hi\nuser: Where?\nassistant: ", "Here."),
    ]


def test_another_form_of_chats(tmp_path: Path) -> None:
    examples = opened(written(tmp_path, [{"id": "x", "conversations": SHARED}]))
    assert [*examples] == [Example("user: Hello\nassistant: ", "Hi")]
    assert "every turn of the assistant in 'conversations' is an answer" in examples.notes[0]
    picture = {"from": "human", "value": None}
    examples = opened(written(tmp_path, [{"conversations": [picture, *SHARED, {"from": "gpt", "value": ""}]}]))
    assert examples.notes[0].endswith("1 without a prompt or an answer left out; 1 turn without text left out")


def test_several_files_are_one(tmp_path: Path) -> None:
    one = written(tmp_path, [{"prompt": "a", "answer": "b"}], "one.jsonl")
    two = written(tmp_path, [{"question": "c", "answer": "d"}], "two.jsonl")
    for targets in ([one, two], [tmp_path]):
        examples = open_examples(targets)
        assert examples is not None
        assert [*examples] == [Example("a", "b"), Example("c", "d")]
        assert len(examples.notes) == 2
    (tmp_path / "zero.txt").write_text("a text")
    with pytest.raises(CorpusError, match=r"zero\.txt holds no prompts and answers, unlike the files before it"):
        open_examples([one, tmp_path / "zero.txt"])


def test_packed_examples_may_not_grow_beyond_all_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lilliput.corpus.files.expansion._ALWAYS_ALLOWED", 1000)
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"prompt": "a", "answer": "b"}\n' * 40_000))
    with pytest.raises(CorpusError, match=r"bomb\.jsonl\.gz unpacks to more than"):
        open_examples(path)


def test_what_must_be_examples_is_told_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("no examples")
    with pytest.raises(CorpusError, match=r'holds no prompts and answers.*give \.jsonl.*"prompt" and "answer"'):
        require_examples(tmp_path / "text.txt")
    with pytest.raises(CorpusError, match="there is no file"):
        require_examples(tmp_path / "missing.jsonl")


def test_what_macos_adds_to_an_archive_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "q.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("q.jsonl", '{"prompt": "a", "answer": "b"}\n')
        archive.writestr("__MACOSX/._q.jsonl", b"\x00\x05\x16\x07")
    assert [*require_examples(path)] == [Example("a", "b")]


def test_the_checksum_is_that_of_texts_and_bounds() -> None:
    one, other = gather("a", [Example("ab", "c")]), gather("a", [Example("a", "bc")])
    assert one.text == other.text
    assert one.sha256 != other.sha256
    assert one.sha256 == gather("b", [Example("ab", "c")]).sha256


def test_a_share_of_the_prompts_is_held_out_by_chance() -> None:
    examples = numbered([f"question {number}" for number in range(400)])
    training, held_out = split_examples(examples, 0.1)
    assert len(training) == 360
    assert {*training, *held_out} == {*examples}
    # A file in the order of its numbers must not hold out one last digit only.
    assert len({example.prompt[-1] for example in held_out}) > 5
    assert [*split_examples(examples, 0.1)[1]] == [*held_out]


def test_a_prompt_stays_on_one_side_with_all_its_answers() -> None:
    examples = numbered([f"question {number % 7}" for number in range(60)])
    training, held_out = split_examples(examples, 0.3)
    assert len(training) + len(held_out) == 60
    assert shared_prompts(training, held_out) == 0
    assert len({example.prompt for example in held_out}) == 2


def test_lines_stay_those_of_the_file(tmp_path: Path) -> None:
    rows = [{"prompt": f"question {number}", "answer": "yes"} for number in range(10)]
    _, held_out = split_examples(opened(written(tmp_path, rows)), 0.1)
    assert held_out.where(0) == f"questions.jsonl, line {int(held_out[0].prompt.split()[1]) + 1}"
    assert numbered(["a", "b"]).where(1) == "made up, problem 2"


@pytest.mark.parametrize("fraction", [0.001, 0.5, 0.999])
def test_both_sides_have_something(fraction: float) -> None:
    training, held_out = split_examples(numbered(["a", "b"]), fraction)
    assert len(training) == len(held_out) == 1


def test_one_prompt_cannot_be_divided() -> None:
    with pytest.raises(CorpusError, match=r"holds 1 different prompt,.*give more"):
        split_examples(numbered(["a", "a"]), 0.5)


def test_a_file_to_be_measured_on_takes_the_place_of_the_division() -> None:
    examples, other = numbered(["a", "b"]), numbered(["b", "c"])
    assert split_examples(examples, 0.5, other) == (examples, other)
    assert shared_prompts(examples, other) == 1


def test_choosing_keeps_the_order() -> None:
    chosen = numbered(["a", "b", "c"]).take(np.array([True, False, True]))
    assert [example.prompt for example in chosen] == ["a", "c"]
    assert chosen.bounds_N2.tolist() == [[1, 9], [10, 18]]
