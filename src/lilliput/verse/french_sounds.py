"""The sounds of a French word, by the rules of its spelling.

Sounds are letters of the International Phonetic Alphabet, one character for each phoneme, as rhyme needs them: open and
closed o are the same, and so are the two sounds of eu, of a, and of in and un; é and è differ. The mute e is left out;
a word that ends in one has a feminine ending.
"""

import re
from functools import lru_cache

from lilliput.verse.french_words import (
    MUTE_MENT,
    SILENT_LAST,
    SOUNDED_ENT,
    SOUNDED_ER,
    SOUNDED_LAST,
    SOUNDED_MENT,
    SOUNDED_S,
    SOUNDS,
    VERBS_ENT,
)
from lilliput.verse.language import Sound
from lilliput.verse.spelling import SpellingRules

VOWELS = "aeiouyøɛãẽõə"
"""The vowels among the sounds."""

_LETTERS = "aàâäeéèêëiîïoôöuùûüyÿ"  # the vowels among the letters

# ~: n or m makes the vowel before it nasal; >: before e, i or y; V, C: a vowel, a consonant.
_RULES = SpellingRules(
    """
    ais$ ɛ
    a[iî]n~ ẽ
    aim~ ẽ
    aen~ ã
    [aâ][nm]~ ã
    a[uû] o
    aill aj
    ail$ aj
    a[yÿ](?=V) ɛj
    aï(?=e$) ai
    aï(?=V) aj
    aï ai
    aî?e$ ɛ
    a[iîy] ɛ
    [aàâä] a
    eau o
    e[iî]n~ ẽ
    eim~ ẽ
    eun~ ẽ
    euill øj
    euil$ øj
    e[uû] ø
    eill ɛj
    eil$ ɛj
    e[iîy] ɛ
    é e
    [èêë] ɛ
    emm(?=ent$) am
    ^em(?=m) ã
    ^ennu ãnɥ
    em$ ɛm
    (?<=[iyé])en(?=s?$) ẽ
    (?<=[^a][tv]i)en(?=s?$|dr|t$) ẽ
    (?<=^[tv]i)en(?=s?$|dr|t$) ẽ
    en$ ẽ
    e[nm]~ ã
    er$ e
    e$
    e(?=ch|ph|th|gn|[bcdfgpt][rl]|qu) ə
    e(?=CC|C$|x) ɛ
    (?<=g)e(?=[aouâôû])
    (?<=[éiuy])e(?=C)
    e ə
    (?<=v)ille$ il
    (?<=C)ill(?=e$|[aeéèêoiu]) ij
    ^ill il
    ill ij
    ïn~ ẽ
    [iî][nm]~ ẽ
    (?<=[bcdfgptv][lr])i(?=V.) ij
    [ïi](?=[aàâoôuéèê]|e[^s]) j
    [iîï] i
    oeil$ øj
    oeill øj
    oe[uû] ø
    oin~ wẽ
    o[yÿ](?=V) waj
    oï(?=[sd]) oi
    o[iî] wa
    oê wa
    oy wa
    ouill uj
    ouil$ uj
    o[uùû](?=[aàâéèêiîoô]|e[^s]) w
    o[uùû] u
    oë oɛ
    oé oe
    oè oɛ
    oe e
    o[nm]~ õ
    [oôö] o
    ueill øj
    ueil$ øj
    um$ om
    u[nm]~ ẽ
    uy(?=V) ɥij
    u(?=[aàâéèêiîoôïy]|e[^s]) ɥ
    [uùûü] y
    y[nm]~ ẽ
    (?<=V)y(?=V) j
    y(?=V.) j
    [yÿ] i
    cch k
    cc> ks
    cqu k
    cc k
    ch(?=[rlnm]) k
    ch ʃ
    ck k
    c> s
    c k
    ç s
    gn ɲ
    g(?=eill|eil$) ʒ
    gu(?=eil) g
    g> ʒ
    gu(?=[eéèêëiîïy]) g
    g(?=t)
    gg g
    g g
    ph f
    pp p
    p p
    qu k
    q k
    rrh ʁ
    rh ʁ
    rr ʁ
    r ʁ
    sch ʃ
    sc> s
    sh ʃ
    ss s
    (?<=V)s(?=V) z
    s s
    (?<=[^sx])ti(?=on|enc|eux|el|al|aire) sj
    th t
    tt t
    t t
    ^ex(?=V) ɛgz
    x ks
    bb b
    b b
    dd d
    d d
    ff f
    f f
    h
    j ʒ
    k k
    ll l
    l l
    mm m
    m m
    nn n
    n n
    v v
    w v
    z z
    """,
    {"~": f"(?![{_LETTERS}nmh])", ">": "(?=[eéèêëiîïyÿ])", "V": f"[{_LETTERS}]", "C": f"[^{_LETTERS}]"},
)

_ENDINGS = (
    ("iend", "ien"),
    ("ien", "ien"),
    ("éen", "éen"),
    ("yen", "yen"),
    ("end", "an"),
    ("eng", "an"),
    ("iert", "ièr"),
    ("ert", "èr"),
    ("erd", "èr"),
    ("erc", "èr"),
    ("erf", "èrf"),
    ("et", "è"),
    ("ied", "ié"),
    ("ez", "é"),
    ("ct", "ct"),
    ("gt", ""),
    ("pt", ""),
    ("st", "st"),
    ("nc", "n"),
    ("ng", "n"),
    ("rg", "r"),
    ("mp", "m"),
    ("mb", "m"),
    ("ld", ""),
    ("lt", ""),
    ("t", ""),
    ("d", ""),
    ("p", ""),
    ("z", ""),
)
"""Written endings of masculine words, and spellings of their sound; the first that fits counts."""


@lru_cache(maxsize=1 << 16)
def sounds_of(word: str) -> tuple[Sound, ...]:
    """Return the sounds of a word in lower case, without apostrophes and hyphens; several if it has several."""
    word = word.replace("œ", "oe").replace("æ", "ae")
    exception = SOUNDS.get(word) or SOUNDS.get(word.removesuffix("s"))
    if exception is not None:
        return tuple(Sound(sound.rstrip("="), sound.endswith("=")) for sound in exception.split("/"))
    if word.endswith("aient"):
        return (Sound(_RULES.sounds(word[:-3] + "s"), False),)
    if word.endswith(("ent", "ents")):
        return _of_ent(word)
    if word.endswith("e") and len(word) > 2:
        return (Sound(_RULES.sounds(word), True),)
    if word.endswith("es") and len(word) > 3:
        return (Sound(_RULES.sounds(word[:-1]), True),)
    spellings = [_without_silent(word)]
    singular = word.removesuffix("s")
    if singular in SILENT_LAST:
        spellings.append(singular[:-1])
    if word in SOUNDED_S:
        spellings.append(singular + "ss")
    if word.endswith("ai"):
        spellings.append(word[:-2] + "é")
    return tuple(Sound(_RULES.sounds(spelling), False) for spelling in spellings)


def _of_ent(word: str) -> tuple[Sound, ...]:
    singular = word.removesuffix("s")
    mute = Sound(_RULES.sounds(singular[:-2]), True)
    if singular.endswith("ment"):
        is_verb = MUTE_MENT.search(singular) is not None and singular not in SOUNDED_MENT
    elif singular.endswith("ient") and re.search(r"(?:^|[^a])[tv]ient$", singular):
        return (Sound(_RULES.sounds(singular[:-1]), False),)
    else:
        is_verb = singular not in SOUNDED_ENT and not singular.endswith("scent")
    if is_verb and word == singular:
        return (mute,)
    sounded = Sound(_RULES.sounds(singular[:-3] + "an"), False)
    return (sounded, mute) if singular in VERBS_ENT and word == singular else (sounded,)


def _without_silent(word: str) -> str:
    """Return a word without the last consonants that are silent; vowels keep the sound they have before these."""
    if word in SOUNDED_LAST:
        return word
    if word.endswith("emps"):
        return word[:-4] + "an"
    plural = word
    if len(word) > 2 and word[-1] in "sx":
        word = word[:-1]
    if word in SOUNDED_LAST:
        return word
    if word.endswith("er") and (word in SOUNDED_ER or plural in SOUNDED_ER):
        return word[:-2] + "èr"
    if plural != word and word.endswith("en") and word[-3:-2] not in ("i", "é", "y"):
        return word[:-2] + "an"
    for ending, sound in _ENDINGS:
        if word.endswith(ending):
            return word[: -len(ending)] + sound
    return word
