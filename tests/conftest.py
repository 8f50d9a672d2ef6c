"""What many tests need: a text that was made up, one thread, and no data of the machine's user."""

import os
import tempfile
from pathlib import Path

# Two test processes with two spinning threads each would wait for one another most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What is compiled is kept from test to test, while every test has a cache of its own.
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(tempfile.gettempdir()) / "lilliput-tests-compiled"))

import random
from collections.abc import Sequence

import pytest

WORDS = [
    *("the", "a", "old", "small", "bright", "river", "house", "boat", "lamp", "stone", "wind", "night", "morning"),
    *("keeper", "sailor", "child", "dog", "door", "hill", "road", "walks", "sleeps", "waits", "sings", "finds"),
    *("opens", "follows", "remembers", "carries", "leaves", "under", "over", "near", "behind", "with", "without"),
]


VERSE_ENDINGS = ("lana", "mira", "bodi", "tari", "selo", "karo", "munu", "tolu")


def made_up_verse(couplets: int, seed: int = 1, openings: Sequence[str] = ("ba", "de", "fa")) -> str:
    """Stanzas of eight lines of two words, in couplets that rhyme by French rules: nobody's text."""
    draw = random.Random(seed)
    lines = []
    for number in range(couplets):
        first = draw.randrange(len(VERSE_ENDINGS) // 2)
        words = draw.sample(VERSE_ENDINGS[2 * first : 2 * first + 2], 2)
        lines += [f"{draw.choice(openings)} {word}" for word in words]
        if number % 4 == 3:
            lines.append("")
    return "\n".join(lines) + "\n"


def made_up_french(couplets: int, seed: int = 1) -> str:
    """Stanzas of eight French lines in couplets that rhyme, from common words: nobody's text."""
    draw = random.Random(seed)
    pairs = (("la maison", "la saison"), ("le jour", "l'amour"), ("la nuit", "le bruit"), ("le matin", "le chemin"))
    lines = []
    for number in range(couplets):
        lines += [f"{draw.choice(('je vois dans', 'nous avons', 'il y a'))} {words}" for words in draw.choice(pairs)]
        if number % 4 == 3:
            lines.append("")
    return "\n".join(lines) + "\n"


def made_up_text(characters: int, seed: int = 1) -> str:
    """Sentences of random words: enough structure to learn from, nobody's text."""
    draw = random.Random(seed)
    lines = []
    length = 0
    while length < characters:
        words = draw.choices(WORDS, k=draw.randint(4, 9))
        line = " ".join(words).capitalize() + draw.choice(".!?,") + "\n" * draw.choice((1, 1, 2))
        lines.append(line)
        length += len(line)
    return "".join(lines)[:characters]


@pytest.fixture(autouse=True)
def _no_user_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LILLIPUT_DATA", raising=False)
    monkeypatch.setenv("LILLIPUT_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test pulls the plug, and waiting for a disk would take longer than all that is tested."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "story.txt"
    path.write_text(made_up_text(6000), encoding="utf-8")
    return path
