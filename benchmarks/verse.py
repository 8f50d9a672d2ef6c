"""The rules of verse, measured on verse with known rhymes and metre.

    python benchmarks/verse.py GOLD [--sonnets SONNETS] [--save]

GOLD is the file of annotated verse by Hugo and Verlaine: JSON lines with `author` and `stanzas`, a stanza a list of
[verse, metre, rhyme letter, gender], packed with xz. Sure pairs of rhymes are those of quatrains in which each letter
stands exactly twice. They are compared with random pairs of lines from different poems. SONNETS is a text with
Shakespeare's sonnets, of fourteen lines between empty lines. `--save` writes results/verse.json.
"""

import argparse
import json
import lzma
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lilliput.verse.english import English
from lilliput.verse.french import French
from lilliput.verse.language import Ending, Language
from record import RESULTS, write_record

RANDOM_PAIRS = 100_000
SONNET = ((0, 2), (1, 3), (4, 6), (5, 7), (8, 10), (9, 11), (12, 13))

Pair = tuple[int, str, str]
"""The number of a poem, and two of its lines."""


def poems(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the annotated poems."""
    with lzma.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def sure_pairs(path: Path, author: str) -> list[Pair]:
    """Return the rhyming pairs of quatrains in which each letter stands exactly twice."""
    pairs: list[Pair] = []
    for number, poem in enumerate(poems(path)):
        if poem["author"] != author:
            continue
        for stanza in poem["stanzas"]:
            letters = Counter(letter for _, _, letter, _ in stanza)
            if len(stanza) == 4 and "" not in letters and sorted(letters.values()) == [2, 2]:
                for letter in letters:
                    first, second = (verse for verse, _, of_verse, _ in stanza if of_verse == letter)
                    pairs.append((number, first, second))
    return pairs


def sonnet_pairs(path: Path) -> list[Pair]:
    """Return the rhyming pairs of sonnets in the English form."""
    blocks = re.split(r"\n\s*\n", path.read_text(encoding="utf-8"))
    sonnets = [[line for line in block.split("\n") if line.strip()] for block in blocks]
    return [
        (number, lines[first], lines[second])
        for number, lines in enumerate(sonnets)
        if len(lines) == 14
        for first, second in SONNET
    ]


def measure_rhymes(pairs: list[Pair], language: Language) -> dict[str, Any]:
    """Return how many of the pairs are found, and how many random pairs are taken for rhymes."""
    found: list[tuple[int, Ending, Ending]] = []
    for number, one, other in pairs:
        first, second = language.ending(one), language.ending(other)
        if first and second:
            found.append((number, first, second))
    levels = Counter(language.rhyme(first, second) for _, first, second in found)
    same = sum(first.word == second.word for _, first, second in found)
    endings = [(number, ending) for number, first, second in found for ending in (first, second)]
    draw, taken, tried = random.Random(1), 0, 0
    while tried < RANDOM_PAIRS:
        (poem, first), (another, second) = draw.sample(endings, 2)
        if poem != another:
            tried += 1
            taken += language.rhyme(first, second) > 0
    count = len(found)
    return {
        "pairs": count,
        "with_one_word_twice": same,
        "found": round((count - levels[0]) / count, 4),
        "found_of_different_words": round((count - levels[0]) / (count - same), 4),
        "random_pairs_taken_for_rhymes": round(taken / tried, 4),
    }


def measure_metre(path: Path, language: Language) -> dict[str, Any]:
    """Return how often the known metre is in the interval, and the mean width of the interval."""
    lines = fits = width = 0
    for poem in poems(path):
        for verse, metre, _, _ in (line for stanza in poem["stanzas"] for line in stanza):
            parts = re.findall(r"\d+", metre)
            if not parts or re.search(r"[^\d+−]", metre):
                continue
            interval = language.syllables(verse)
            lines += 1
            fits += interval.fits(sum(map(int, parts)))
            width += interval.most - interval.fewest
    return {"lines": lines, "in_interval": round(fits / lines, 4), "mean_width": round(width / lines, 3)}


def measure_speed(lines: list[str], language: Language) -> int:
    """Return words per second of endings and syllables together, after a first pass that fills the caches."""
    words = sum(len(line.split()) for line in lines)

    def once() -> float:
        started = time.perf_counter()
        for line in lines:
            language.ending(line)
            language.syllables(line)
        return time.perf_counter() - started

    once()
    return round(words / min(once() for _ in range(3)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold", type=Path)
    parser.add_argument("--sonnets", type=Path)
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    french = French()
    record: dict[str, Any] = {
        author: measure_rhymes(sure_pairs(given.gold, author), french) for author in ("Victor Hugo", "Paul Verlaine")
    }
    record["metre"] = measure_metre(given.gold, french)
    lines = [line[0] for poem in poems(given.gold) for stanza in poem["stanzas"] for line in stanza]
    record["words_per_second"] = measure_speed(lines, french)
    if given.sonnets:
        record["Shakespeare's sonnets"] = measure_rhymes(sonnet_pairs(given.sonnets), English())
    for name, figures in record.items():
        print(f"{name}: {figures}")
    if given.save:
        write_record(RESULTS / "verse.json", record)


if __name__ == "__main__":
    main()
