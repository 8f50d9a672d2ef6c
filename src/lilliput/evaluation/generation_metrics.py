"""Metrics of generated text, compared with the held-out text and with the held-out text shuffled.

The held-out text gives the upper reference and its words in random order the lower one; a figure has a meaning only
between the two. Both come from the run's folder, as the tokenizer sees them. Only the end of a very long training text
is used, and the report says how much.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lilliput.corpus import known_corpora, unmark
from lilliput.corpus.items import SEPARATORS, ItemKind
from lilliput.errors import CorpusError, GenerationError, RunError
from lilliput.evaluation.agreement import learn_grammar
from lilliput.evaluation.words import BREAK, shuffled, words_of
from lilliput.evaluation.writing import Learnt, distinct_pairs
from lilliput.runs.folder import RunFolder
from lilliput.verse.forms import read_stanzas, rhyme_pairs
from lilliput.verse.languages import LANGUAGES, open_language
from lilliput.verse.measures import measure_verse, rhymed_share, shuffled_lines
from lilliput.writer import Writer

FEWEST_WORDS = 20
MOST_TOKENS = 8_000_000
"""Maximum number of tokens from the end of the training text: bounds memory and time."""
LENGTHS = (200, 1000)
"""Minimum and maximum number of tokens of a generated text; between them it is as long as the context."""
_DECODED_AT_ONCE = 1 << 20
_MOST_EMPTY = 10
_FEWEST_RHYMES = 0.3  # share of the held-out lines from which on a text is verse
_CODES = {"French": "fr", "English": "en"}


@dataclass(frozen=True, slots=True)
class RunTexts:
    """The texts of a run as its tokenizer sees them, and the code of their language if known."""

    training: str
    held_out: str
    training_share: float
    """Share of the training text's tokens that `training` holds."""
    language: str | None
    lines_before: int = 0
    """Line ends of the training text before `training`."""
    items: ItemKind | None = None
    """The kind of items, if the text is a list or a collection."""


def read_texts(run: Path, most_tokens: int | None = None) -> RunTexts:
    """Return the training text of a run, by default at most its last `MOST_TOKENS`, and the held-out text.

    Raises RunError for damaged files, CorpusError for a run on prompts and answers.
    """
    folder = RunFolder(run)
    facts = folder.read_facts()
    if "problems" in facts["training"]:
        raise CorpusError(
            f"{run}: trained on prompts and answers, so there is no text to compare with; use lilliput eval {run}"
        )
    training = folder.read_tokens(folder.training_tokens)
    if len(training) != facts["training"]["tokens"]:
        raise RunError(f"{folder.training_tokens}: does not match facts.json; start over with --fresh")
    tokenizer = folder.load_tokenizer()
    most_tokens = most_tokens or MOST_TOKENS
    used, before = training[-most_tokens:], training[:-most_tokens]
    starts = range(0, len(before), _DECODED_AT_ONCE)
    lines = sum(tokenizer.decode(before[at : at + _DECODED_AT_ONCE].tolist()).count("\n") for at in starts)
    name = facts["text"]["name"]
    language = next((_CODES.get(info.language) for info in known_corpora() if info.name == name), None)
    learnt, held_out = (tokenizer.decode(ids.tolist()) for ids in (used, folder.read_tokens(folder.validation_tokens)))
    if "labels" in facts:
        learnt, held_out = unmark(learnt), unmark(held_out)
    kind = facts.get("items", {}).get("kind")
    if kind not in (None, *SEPARATORS):
        raise RunError(f"{folder.facts}: damaged (unknown kind of items {kind!r}); train again with --fresh")
    return RunTexts(learnt, held_out, len(used) / len(training), language, lines, kind)


def write_lines(
    writer: Writer, lines: int, *, temperature: float, seed: int = 1, progress: Callable[[int], None] | None = None
) -> str:
    """Generate `lines` lines that are not empty, in texts that start with the run's first prompt.

    Empty lines separate the texts, which use the seeds `seed`, `seed + 1`, ...; unfinished last lines are dropped.
    `progress` gets the number of finished lines. Raises GenerationError for impossible options and for a run that
    writes only empty lines.
    """
    length = min(max(writer.model.context, LENGTHS[0]), LENGTHS[1])
    texts: list[str] = []
    done = empty = 0
    while done < lines:
        pieces = writer.stream(seed=seed, max_tokens=length, temperature=temperature)
        text, count = _first_lines(_finished(writer.start(None), "".join(piece.text for piece in pieces)), lines - done)
        seed += 1
        done += count
        empty = 0 if count else empty + 1
        if empty == _MOST_EMPTY:
            raise GenerationError(f"the run wrote {empty} texts without a word: train it for longer, then judge it")
        if count:
            texts.append(text)
        if progress is not None:
            progress(done)
    return "\n\n".join(texts) + "\n"


def _finished(prompt: str, written: str) -> str:
    """Drop the line that the prompt began and the unfinished last line; a text of one line stays whole."""
    if not prompt.endswith("\n"):
        written = written.partition("\n")[2] or written
    return written.rpartition("\n")[0] or written


def _first_lines(text: str, most: int) -> tuple[str, int]:
    """Return the text up to its `most`-th line that is not empty, and the number of such lines."""
    kept: list[str] = []
    count = 0
    for line in text.strip("\n").split("\n"):
        if count == most:
            break
        count += bool(line.strip())
        kept.append(line)
    return "\n".join(kept).rstrip(), count


def judge(texts: RunTexts, written: str, language: str | None) -> dict[str, Any]:
    """Return the object that `judge --json` prints: the metrics of three texts, and the settings.

    Raises CorpusError for a text with too few words.
    """
    compared = {"written": written, "held_out": texts.held_out, "shuffled": shuffled(texts.held_out, language)}
    words = {name: words_of(text, language) for name, text in compared.items()}
    counts = {name: sum(word != BREAK for word in of_text) for name, of_text in words.items()}
    for name, count in counts.items():
        if count < FEWEST_WORDS:
            label = name.replace("_", "-")
            raise CorpusError(f"the {label} text has {count} words: judging needs at least {FEWEST_WORDS}")
    learnt, grammar = Learnt(texts.training, language), learn_grammar(texts.training, language)
    least = min(counts.values())
    report: dict[str, Any] = {}
    for name, text in compared.items():
        measured = learnt.measure(text)
        agreement = grammar.measure(text) if grammar else None
        report[name] = {
            "words": measured.words,
            "real_words": _rounded(measured.real_words),
            "gender": _rounded(agreement.gender) if agreement else None,
            "gender_pairs": agreement.gender_pairs if agreement else None,
            "number": _rounded(agreement.number) if agreement else None,
            "number_pairs": agreement.number_pairs if agreement else None,
            "copied": _rounded(measured.copied),
            "longest_copied": measured.longest.words if measured.longest else 0,
            "longest_text": measured.longest.text if measured.longest else "",
            "longest_line": _line(text, measured.longest.start) if measured.longest else None,
            "longest_source_line": (
                texts.lines_before + _line(texts.training, measured.longest.source) if measured.longest else None
            ),
            "distinct_pairs": _rounded(distinct_pairs(words[name], least)),
        }
    for name, measures in _verse(texts, written, language).items():
        report[name]["verse"] = measures
    return report | {"language": language, "distinct_words": least, "training_share": _rounded(texts.training_share)}


def is_verse(text: str, language: str | None) -> bool:
    """Return whether a text in this language rhymes, clearly more often than its lines in random order."""
    if language not in LANGUAGES:
        return False
    rules = open_language(language)
    floor = rhymed_share(read_stanzas(shuffled_lines(text), rules))
    return rhymed_share(read_stanzas(text, rules)) >= max(_FEWEST_RHYMES, 2 * floor)


def _verse(texts: RunTexts, written: str, language: str | None) -> dict[str, dict[str, Any]]:
    """Return the measures of verse of the three texts; none if the held-out text is no verse.

    Of the shuffled text not the words but the lines are in random order.
    """
    if not is_verse(texts.held_out, language):
        return {}
    assert language is not None, "verse has a language"
    rules = open_language(language)
    compared = {"written": written, "held_out": texts.held_out, "shuffled": shuffled_lines(texts.held_out)}
    stanzas = {name: read_stanzas(text, rules) for name, text in compared.items()}
    pairs = set(rhyme_pairs(read_stanzas(texts.training, rules)))
    least = min(sum(len(stanza.lines) for stanza in of_text) for of_text in stanzas.values())
    return {
        name: measure_verse(of_text, training_pairs=pairs, compared=least).as_dict()
        for name, of_text in stanzas.items()
    }


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
