"""Guess the encoding of a text from its bytes.

`charset-normalizer` ranks the encodings that fit the bytes. On short texts several rank alike; then the best one is
that whose letters beyond ASCII belong to one language: French read as cp1250 has č, ŕ and ę together, which no language
has, and Polish read as cp1252 has digits inside its words. If two texts are about as good, the guess names both.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

import regex
from charset_normalizer import from_bytes

ENCODINGS = {
    "cp1252": "Latin-1 (cp1252)",
    "cp1251": "windows-1251",
    "koi8_r": "KOI8-R",
    "cp932": "Shift-JIS",
    "euc_jp": "EUC-JP",
    "cp949": "EUC-KR (cp949)",
    "gb18030": "GB18030",
    "big5": "Big5",
    "iso8859_2": "ISO-8859-2",
    "cp1250": "windows-1250",
    "iso8859_7": "ISO-8859-7",
    "cp1253": "windows-1253",
    "cp1256": "windows-1256",
    "cp1255": "windows-1255",
    "iso8859_9": "ISO-8859-9",
    "cp1254": "windows-1254",
    "iso8859_5": "ISO-8859-5",
    "cp866": "cp866",
}
"""The candidates by their name in Python; among those that give the same text, the first wins."""
_SAMPLE = 1 << 16
_WORST = 0.3
_MARGIN = 0.03
_FEWEST = 10  # bytes beyond ASCII; fewer are no evidence
_ALPHABETS = (
    "àâæçéèêëîïôœùûüÿ",  # French
    "äöüß",  # German
    "áéíñóúü¿¡ªº",  # Spanish
    "àçèéíïòóúü·",  # Catalan
    "àáâãçéêíóôõúüªº",  # Portuguese
    "àèéìîòù",  # Italian
    "áéèëêíïóöúü",  # Dutch
    "åäöæøé",  # Danish, Finnish, Norwegian, Swedish
    "áæéðíóöþúý",  # Icelandic
    "ąćęłńóśźż",  # Polish
    "áčďéěíňóřšťúůýž",  # Czech
    "áäčďéíĺľňóôŕšťúýž",  # Slovak
    "áéíóöőúüű",  # Hungarian
    "ăâîşţșț",  # Romanian
    "čćđšž",  # Croatian, Slovene
    "äõöüšž",  # Estonian
    "çğıöşüâîû",  # Turkish
    "абвгдежзийклмнопрстуфхцчшщъыьэюяё",  # Bulgarian, Russian
    "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",  # Ukrainian
    "абвгдђежзијклљмнњопрстћуфхцчџш",  # Serbian
    "αάβγδεέζηήθιίϊΐκλμνξοόπρσςτυύϋΰφχψωώ",  # Greek
)
_PUNCTUATION = frozenset("“”„‚‘’«»‹›–—…°§€£©®·•†№\xa0")
_ASCII = bytes(range(128))
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_MIDDLE_EAST = regex.compile(r"[\p{Arabic}\p{Hebrew}\p{M}،؛؟ـ\u200c\u200d\u200e\u200f]")
_EAST_ASIA = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\u3000-\u303f\uff00-\uffef]")
_HANGUL = regex.compile(r"[\p{Hangul}\u3000-\u303f\uff00-\uffef]")
_MIXED_WORD = regex.compile(
    r"(?<=\p{Latin})[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}](?=\p{Latin})"
    r"|(?<=\p{Latin})[\p{Cyrillic}\p{Greek}\p{Arabic}\p{Hebrew}]|[\p{Cyrillic}\p{Greek}\p{Arabic}\p{Hebrew}](?=\p{Latin})"
)


@dataclass(frozen=True, slots=True)
class EncodingGuess:
    """The most likely encoding, by its name in Python, and the alternatives."""

    codec: str
    others: tuple[str, ...] = ()


@dataclass
class EncodingSample:
    """Collect the lines with bytes beyond ASCII, up to a limit, of a text that comes in parts."""

    _lines: list[bytes] = field(default_factory=list)
    _size: int = 0
    _line: bytes = b""

    def add(self, data: bytes) -> None:
        """Add the next part of the text."""
        for line in BytesIO(data):
            if self._size >= _SAMPLE:
                return
            # Keep only the start of a long line.
            self._line += line[: _SAMPLE - len(self._line)]
            if line.endswith(b"\n"):
                if not self._line.isascii():
                    self._lines.append(self._line)
                    self._size += len(self._line)
                self._line = b""

    def guess(self) -> EncodingGuess | None:
        """Guess from the added bytes, or from half of them if the other half is damaged; None if no encoding fits."""
        lines = [*self._lines, b"" if self._line.isascii() else self._line]
        half = len(lines) // 2
        whole = b"".join(lines)
        # The last line may end within a character.
        parts = [*(whole[: len(whole) - cut] for cut in range(4)), b"".join(lines[:half]), b"".join(lines[half:])]
        return next((guess for guess in map(guess_encoding, parts) if guess), None)


def guess_encoding(data: bytes) -> EncodingGuess | None:
    """Guess the encoding of bytes that are not UTF-8; None if no encoding fits."""
    few = len(data.translate(None, _ASCII)) < _FEWEST
    ranks = {}
    texts = {}
    for codec, mess, coherence in _possible(data):
        text = data.decode(codec, "replace")
        strange = mess + 1 - _of_one_language(text, codec)
        if strange < _WORST:
            texts[codec] = text
            ranks[codec] = (
                round(strange, 1 if few else 2),
                0 if few else -round(coherence, 2),
                list(ENCODINGS).index(codec),
            )
    if not ranks:
        return None
    best, *others = sorted(ranks, key=ranks.__getitem__)
    near = [
        codec
        for codec in others
        if texts[codec] != texts[best]
        and (few or (ranks[codec][0] < ranks[best][0] + _MARGIN and ranks[codec][1] < ranks[best][1] + _MARGIN))
    ]
    return EncodingGuess(best, tuple(near[:2]))


def _possible(data: bytes) -> Iterator[tuple[str, float, float]]:
    """Yield the possible encodings according to `charset-normalizer`, with its mess and coherence ratios."""
    seen = set()
    for match in from_bytes(data, cp_isolation=list(ENCODINGS), threshold=_WORST):
        for codec in (match.encoding, *match.could_be_from_charset):
            if codec in ENCODINGS and codec not in seen:
                seen.add(codec)
                yield codec, match.chaos, match.coherence


def _of_one_language(text: str, codec: str) -> float:
    """Return the fraction of the characters beyond ASCII that the best-fitting language has."""
    letters = Counter(_BEYOND_ASCII.findall(text.lower()))
    if codec == "cp949":
        fitting = sum(count for letter, count in letters.items() if _HANGUL.match(letter) and _is_usual(letter))
    elif codec in ("cp932", "euc_jp", "gb18030", "big5"):
        fitting = sum(count for letter, count in letters.items() if _EAST_ASIA.match(letter))
    else:
        fitting = max(sum(letters[letter] for letter in alphabet) for alphabet in _ALPHABETS)
        fitting = max(fitting, sum(count for letter, count in letters.items() if _MIDDLE_EAST.match(letter)))
    fitting += sum(letters[mark] for mark in _PUNCTUATION) - len(_MIXED_WORD.findall(text))
    return min(1.0, fitting / max(1, letters.total()))


def _is_usual(letter: str) -> bool:
    """Return whether a letter of cp949 is also in the smaller EUC-KR, as nearly all of Korean are."""
    try:
        return len(letter.encode("euc_kr")) == 2  # other letters are composed from eight bytes
    except UnicodeEncodeError:
        return False
