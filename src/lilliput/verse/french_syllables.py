"""The syllables of a French verse, as an interval: the fewest and the most that the rules of verse allow.

Of two neighbouring vowels the first of which is i, u or ou, verse makes one syllable (synérèse) or two (diérèse): two
in "li-on" and "glori-eux", one in "pied" and "lumière", and either in some words. A mute e counts before a consonant or
an aspirated h. It does not count before another vowel, at the end of a line, or after a vowel ("joie", "prierai").
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from lilliput.verse.french_sounds import sounds_of

_VOWELS = "aàâäeéèêëiîïoôöuùûüyÿ"

# Spellings with vowels that are not spoken, or not as two, and what takes their place in counting.
_SPELLINGS = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        ("œ", "oe"),
        ("æ", "é"),
        ("qu", "q"),
        ("(?<=dis[ts]in)gu|(?<=[aol])gu(?=[ao])|gu(?=[eéèêiîy])(?!ë)", "g"),
        ("ge(?=[aoâôu])(?!u[srx])", "j"),
        (f"^y(?=[{_VOWELS}])|(?<=[aeou])y(?=[{_VOWELS}])|(?<=[ao])ï(?=eu|en)", "j"),
        ("(?<=[fpl])aon", "an"),
        ("eoi", "oi"),
        ("eau|aô", "o"),
        ("aoû|saoul", "ou"),
        ("oeu|oei|ueil", "eu"),
        ("oe(?=ll)|oê", "oi"),
        ("oe|ae", "é"),
        ("(?<=[ae]u|o[iu])ill?(?=$|[aeéèêoiu])|(?<=[aeâ])ill|(?<=[ae])il$", "j"),
    )
)
_UNIT = re.compile(f"au|a[iîy]|e[uûiîy]|o[iîuùûy]|[{_VOWELS}]")
_GLIDES = frozenset(("i", "î", "ï", "y", "u", "ou"))

# Words whose h lets no e before it be elided, and a few with a vowel that does the same.
_ASPIRATED = re.compile(
    r"h(?:a(?:b(?:l[ae]|leur)|ch|gard|i(?!k)|l(?!l?uc|ei)|m(?:eau|ac|pe)|n(?:ap|ch|gar|neton|t)|pp|r(?!mon|pie)|s(?:ard|e)|t|u|v|ï)"
    r"|â|e(?:aume|in|nn|r(?:n|se)|urt)|ê|é(?:r(?:aut|iss|on|os$)|lant)|i(?:bou|d(?:eu|al)|ss|t)"
    r"|o(?:ch|ll|mard|n(?:gr|ni|t)|quet|r(?:de|s)|tt|u(?!ri)|bereau)|u(?:blot|che|e|é|guenot|it|l(?:ott|ul)|n|pp|r|ss|tte)"
    r"|ère)|onz|oui$|uhlan|yacht|yatag"
)

# Verbs in -ier, whose i counts, among many nouns whose i does not.
_VERBS = (
    r"(?:^|al|ral|rel|dél|humil|concil|réconcil|spol)l?i|(?:def|dé|con|mé|d|puri|justi|sacri|édi|glori|modi|certi|signi|forti"
    r"|véri|béati|terri|clari|quali|viviv|crucif|éf)fi|(?:^|commun|den|rén|ren)ni|(?:v|pa|ma|char|app?rop|contra|inven|histo)ri"
    r"|(?:remer|appré|asso|balbu|ini|différen|négo|licen|gra|pronon|sou)[ct]i|(?:étu|men|expé|dé|irra|congé|réper|incen|remé)di"
    r"|(?:en|con|dé)vi|(?:é|ex|co)pi|(?:rassa|exta)si|(?:châ)ti"
)

# The syllables of a glide and the next vowel, fewest and most; the first pattern that fits at the glide counts.
_JUNCTIONS = tuple(
    (re.compile(pattern), fewest, most)
    for pattern, fewest, most in (
        ("(?<=[bcdfgptv][rl])[iy]", 2, 2),
        ("(?<=^f)ient", 1, 2),
        ("(?<=^b)ien|(?<=comb)ien|(?<=^r)ien|(?<=^ch)ien|(?<=^[mts])ien|(?<=[rn]ét)ien|ien(?=dr)", 1, 1),
        ("(?<=[tv])ien(?=s$|ts?$|n(?:e|es|ent)$)(?<!pat)(?<!or)|(?<=rét)ien", 1, 2),
        ("ien[ct]", 2, 2),
        ("ien|ions?$|io(?=ch|l[es]|sq)|io(?=s?$)", 1, 2),
        ("io", 2, 2),
        (
            "(?<=^d)ieu|(?<=[apr]d)ieu(?=[sx]?$)|(?<=[^o]l)ieu(?!s?e)|(?<=^l)ieu|(?<=^[mcvp])ieu|(?<=ép)ieu|(?<=s)ieur|(?<=th)ieu",
            1,
            2,
        ),
        ("ieu", 2, 2),
        ("iei|iej|ieil", 1, 1),
        ("(?<=p)i[ée](?=d|ge|ti)|(?<=[mo]it)ié|(?<=pit)ié", 1, 1),
        ("iét[éa]|iér(?:a|i(?!é))|ié(?:es?|s)?$", 2, 2),
        ("(?<=q)iè|iète", 2, 2),
        ("i[èê]", 1, 1),
        (r"(?<=^[fh])iers?$", 1, 2),
        ("iez?$|iers?$", 1, 2),
        ("ie(?=r(?:a|o|i|ez))", 2, 2),
        ("(?<=^[cmf])iel", 1, 1),
        ("iel", 2, 2),
        ("ie(?=rr|r[cgtv]|sc|d)", 1, 1),
        ("ia(?=bl|cr|ff|str|r[dt])|(?<=v)iand|iam", 1, 2),
        ("i[aâ]", 2, 2),
        ("u(?=in$|in[eé]|id|ic|if|it)", 1, 2),
        ("(?<=br)u(?=i)", 1, 2),
        ("u[iî]", 1, 1),
        ("u(?=a[dn]|i)|ué(?=l)", 1, 2),
        ("u", 2, 2),
        ("ouin|ouest", 1, 1),
        ("ou(?=et|i|an|a[dr])", 1, 2),
        ("ou", 2, 2),
        ("", 1, 2),
    )
)

_FIXED = {
    "aujourd'hui": (3, 3),
    "pays": (2, 2),
    "paysan": (3, 3),
    "paysans": (3, 3),
    "paysage": (3, 3),
    "paysages": (3, 3),
    "paysanne": (3, 3),
    "abbaye": (3, 3),
    "jean": (1, 1),
    "jeanne": (1, 1),
    "deum": (2, 2),
    "oui": (1, 1),
    "août": (1, 2),
    "aaron": (2, 3),
    "fluide": (2, 2),
    "fluides": (2, 2),
}
_MUTE_INSIDE = re.compile(f"e(?:[^{_VOWELS}][{_VOWELS}]|ment)")


@dataclass(frozen=True, slots=True)
class WordSyllables:
    """The syllables of a word up to its last mute e, and how the word meets its neighbours."""

    fewest: int
    most: int
    mute: bool
    """Whether a mute e follows, which counts before a consonant."""
    elided: bool
    """Whether that e does not count before a vowel; in a plural or a verb in -ent it does."""
    open: bool
    """Whether the word begins with a vowel or a mute h."""


@lru_cache(maxsize=1 << 16)
def syllables_of(word: str) -> WordSyllables:
    """Return the syllables of a word in lower case; an apostrophe at its end takes the place of a vowel."""
    is_open = (word[0] in _VOWELS or word[0] in "œæh") and not _ASPIRATED.match(word)
    fixed = _FIXED.get(word)
    if fixed is not None:
        return WordSyllables(*fixed, word.endswith("e"), True, is_open)
    plain = word.rstrip("'")
    for pattern, spelling in _SPELLINGS:
        plain = pattern.sub(spelling, plain)
    ending = "" if word.endswith("'") else _mute_ending(word, plain)
    stem = plain.removesuffix(ending)
    if not any(letter in _VOWELS for letter in stem):
        # In "le" and "les" the e is no ending.
        is_whole = ending == "es"
        return WordSyllables(int(is_whole), int(is_whole), ending == "e", True, is_open)
    mute = bool(ending) and stem[-1] not in _VOWELS
    return WordSyllables(*_count(plain, len(stem)), mute, ending == "e", is_open)


def _mute_ending(word: str, plain: str) -> str:
    if plain.endswith("ent"):
        return "ent" if word.endswith("aient") or sounds_of(word)[0].feminine else ""
    return next((ending for ending in ("es", "e") if plain.endswith(ending) and len(plain) > 1), "")


def _count(plain: str, end: int) -> tuple[int, int]:
    """Return the fewest and the most syllables of the vowels that begin before `end`."""
    fewest = most = 0
    units = [unit for unit in _UNIT.finditer(plain) if unit.start() < end]
    for unit, following in zip(units, [*units[1:], None], strict=True):
        joined = following is not None and following.start() == unit.end()
        if joined and following is not None and following[0] == "e" and _MUTE_INSIDE.match(plain, unit.end()):
            # A mute e after a vowel: it is taken off here, and counted when its turn comes.
            fewest, most = fewest - 1, most - 1
        elif joined and unit[0] in _GLIDES:
            low, high = next((low, high) for pattern, low, high in _JUNCTIONS if pattern.match(plain, unit.start()))
            fewest, most = fewest + low - 2, most + high - 2
        fewest, most = fewest + 1, most + 1
    return fewest, most
