"""Prompts and their answers: what is learnt where only the answer counts.

All characters stand in one string, and an array says where each prompt and each answer ends: a million examples are two
objects, not millions. Every answer is closed by one character, Unicode's END OF TEXT, so that the model learns to stop;
a file that holds this character is refused, so one rule serves every file. Left out: more than one turn, several right
answers to one prompt, and the cleaning of texts: a prompt has no frame, and its line ends are the author's.

Axes: N examples.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lilliput.corpus.reading import missing
from lilliput.corpus.settings import AUTOMATIC, ReadSettings
from lilliput.corpus.unpacking import PACKED, expand, unpack
from lilliput.errors import CorpusError
from lilliput.files import parse_json, reason_of

END = "\x03"
"""The character that closes every answer."""
_FIELDS = ("prompt", "answer")


@dataclass(frozen=True, slots=True)
class Example:
    """Hold one prompt and its answer."""

    prompt: str
    answer: str


@dataclass(frozen=True, eq=False)
class Examples:
    """Hold many examples as one text.

    `bounds_N2` says where each prompt and each answer ends in `text`; a prompt begins where the answer before it ends.
    `lines_N` are the line numbers in the file that they come from, if there is one.
    """

    name: str
    text: str
    bounds_N2: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    lines_N: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.bounds_N2)

    def __getitem__(self, index: int) -> Example:
        middle, end = self.bounds_N2[index].tolist()
        start = int(self.bounds_N2[index - 1, 1]) if index else 0
        return Example(self.text[start:middle], self.text[middle:end])

    def __iter__(self) -> Iterator[Example]:
        start = 0
        for middle, end in self.bounds_N2.tolist():
            yield Example(self.text[start:middle], self.text[middle:end])
            start = end

    @cached_property
    def sha256(self) -> str:
        """Return the checksum of the texts and of where each begins and ends, as hexadecimal digits."""
        checksum = hashlib.sha256(self.text.encode())
        checksum.update(self.bounds_N2.astype("<i8").tobytes())
        return checksum.hexdigest()

    @property
    def longest(self) -> int:
        """Return the most characters that a prompt and its answer have together."""
        return int(np.diff(self.bounds_N2[:, 1], prepend=0).max())

    def where(self, index: int) -> str:
        """Return the words by which a message names an example."""
        if self.lines_N is None:
            return f"{self.name}, problem {index + 1:,}"
        return f"{self.name}, line {int(self.lines_N[index]):,}"

    def take(self, chosen_N: NDArray[np.bool_]) -> "Examples":
        """Return the chosen examples, in their order."""
        kept = (example for example, taken in zip(self, chosen_N.tolist(), strict=True) if taken)
        lines = None if self.lines_N is None else self.lines_N[chosen_N]
        return gather(self.name, kept, self.notes, lines)


def gather(
    name: str, examples: Iterable[Example], notes: tuple[str, ...] = (), lines_N: NDArray[np.int64] | None = None
) -> Examples:
    """Put single examples together."""
    parts: list[str] = []
    lengths: list[int] = []
    for example in examples:
        parts += [example.prompt, example.answer]
        lengths += [len(example.prompt), len(example.answer)]
    bounds_N2 = np.cumsum(np.array(lengths, np.int64)).reshape(-1, 2)
    return Examples(name, "".join(parts), bounds_N2, notes, lines_N)


def open_examples(target: str | Path, settings: ReadSettings = AUTOMATIC) -> Examples | None:
    """Read a `.jsonl` file (packed or not) whose first row has `prompt` and `answer`; None if the target is no such.

    Raises CorpusError, with the line and the remedy, for a row that is no example.
    """
    path = Path(target).expanduser()
    text = _json_lines(path, settings)
    if text is None:
        return None
    # Not splitlines: U+2028 and its like may stand inside a JSON string.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines or not _is_example(lines[0][1]):
        return None
    examples = [_read(f"{path.name}, line {number:,}", line) for number, line in lines]
    note = f"read {path.name} as {len(examples):,} prompts with their answers"
    return gather(path.name, examples, (note,), np.array([number for number, _ in lines], np.int64))


def require_examples(target: str | Path, settings: ReadSettings = AUTOMATIC) -> Examples:
    """Read prompts and answers where nothing else will do. Raises CorpusError if the target is no such file."""
    examples = open_examples(target, settings)
    if examples is not None:
        return examples
    if not Path(target).expanduser().exists():
        raise missing(Path(target))
    raise CorpusError(
        f"{target} holds no prompts and answers, which is what is learnt here: give one .jsonl file with lines like "
        '{"prompt": "...", "answer": "..."}'
    )


def shortened(text: str, most: int = 160) -> str:
    """Return a prompt or answer as it is shown: the beginning of what would fill the screen."""
    return text if len(text) <= most else text[:most] + "..."


def split_examples(
    examples: Examples, fraction: float, validation: Examples | None = None
) -> tuple[Examples, Examples]:
    """Divide into training and validation: a share of the different prompts is held out, with all their answers.

    They are drawn by chance: every tenth of the numbers 1, 2, 3 and so on, say, would end in the same digit. The same
    file is always divided alike.

    Validation examples of one's own take the place of the division. Raises CorpusError if there are fewer than two
    different prompts to divide.
    """
    if validation is not None:
        return examples, validation
    numbers: dict[str, int] = {}
    number_N = np.array([numbers.setdefault(example.prompt, len(numbers)) for example in examples], np.int64)
    count = len(numbers)
    if count < 2:
        raise CorpusError(
            f"{examples.name} holds {count} different prompt{'s' * (count != 1)}, and one for training and one to be "
            "measured on are needed: give more, or a validation file"
        )
    held = min(max(1, round(count * fraction)), count - 1)
    held_N = np.random.default_rng(0).permutation(count)[number_N] < held
    return examples.take(~held_N), examples.take(held_N)


def shared_prompts(training: Examples, validation: Examples) -> int:
    """Count the validation examples whose prompt is also learnt."""
    learnt = {example.prompt for example in training}
    return sum(example.prompt in learnt for example in validation)


def _json_lines(path: Path, settings: ReadSettings) -> str | None:
    """Return the decoded text of a `.jsonl` file, None if the path is no such file."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in PACKED[:2]:
        suffixes.pop()
    if not suffixes or suffixes[-1] not in (".jsonl", ".zip"):
        return None
    try:
        if not path.is_file():
            return None
        data, name = path.read_bytes(), path.name
    except OSError:
        return None  # the reader of texts tells what is wrong
    if path.suffix.lower() == ".zip":
        member = _only_member(name, data)
        if member is None:
            return None
        name, data = member
    # Named as plain text, the file comes back decoded and whole.
    inner = "plain.txt" + name.lower().rpartition(".jsonl")[2]
    documents = [document for found in unpack(name, data, settings, inner) for document in found.documents]
    return documents[0].text.lstrip("\ufeff") if documents else ""


def _only_member(name: str, data: bytes) -> tuple[str, bytes] | None:
    """Return name and bytes of the one file of an archive if that is a `.jsonl` file."""
    from io import BytesIO

    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except (OSError, zipfile.BadZipFile):
        return None
    with archive:
        # macOS puts a file of its own beside every other.
        members = [m for m in archive.infolist() if not m.filename.endswith("/") and "__MACOSX/" not in m.filename]
        if len(members) != 1 or not members[0].filename.lower().endswith(".jsonl"):
            return None
        member = members[0]
        return member.filename, expand(f"{name}/{member.filename}", member.compress_size, lambda: archive.open(member))


def _is_example(line: str) -> bool:
    try:
        row = parse_json(line)
    except ValueError:
        return False
    return isinstance(row, dict) and all(field in row for field in _FIELDS) and "text" not in row


def _read(where: str, line: str) -> Example:
    try:
        row = parse_json(line)
    except ValueError as error:
        raise CorpusError(
            f'{where} is not JSON ({reason_of(error)}): write {{"prompt": "...", "answer": "..."}}'
        ) from error
    if not isinstance(row, dict):
        raise CorpusError(f'{where} is no object: write {{"prompt": "...", "answer": "..."}}')
    for field in _FIELDS:
        value = row.get(field)
        if field not in row:
            raise CorpusError(f'{where} has no field "{field}": every line needs "prompt" and "answer"')
        if not isinstance(value, str):
            raise CorpusError(f'{where}: "{field}" is {json.dumps(value)[:40]}, not a string: put it between ""')
        if not value:
            raise CorpusError(f'{where}: "{field}" is empty: give it a character at least, or take the line out')
        if END in value:
            raise CorpusError(f'{where}: "{field}" holds U+0003, which closes every answer here: take it out')
        try:
            value.encode()
        except UnicodeEncodeError:
            raise CorpusError(f'{where}: "{field}" holds half of a surrogate pair: write the whole character') from None
    return Example(row["prompt"], row["answer"])
