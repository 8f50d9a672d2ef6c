"""The sound of an English word, by the rules of its spelling, as far as rhyme needs it.

Each sound is one character. Short vowels are a (bat), e (bet), i (bit), o (pot), u (cut) and U (put). Long vowels and
diphthongs are A (day), E (see), I (my), O (go), W (too), Y (boy), H (now), C (law) and R (her), with r where it is
spelled after a vowel. At the end of a word, an unstressed y is ĭ and an unstressed ow is ŏ; any other weak vowel is ə.
Consonants are letters; S, T, D, Z, N and J stand for the sounds of sh, th (thin), th (then), s (measure), ng and j.
"""

import re
from functools import lru_cache

from lilliput.verse.english_dictionary import dictionary_sounds
from lilliput.verse.english_words import SOUNDS
from lilliput.verse.spelling import SpellingRules

VOWELS = "aeiouUAEIOWYHCRəĭŏ"
"""The vowels among the sounds."""

_LETTERS = "aeiouy"

# V, C: a vowel, a consonant. ^ is the start of a word, $ its end; > is an ending before which a mute e was dropped.
_RULES = SpellingRules(
    """
    augh(?=t) C
    augh af
    aigh A
    air Ar
    ai A
    ayer Ar
    ay A
    au C
    aw C
    alk Ck
    all(?=$|s$|C) Cl
    al(?=m|v|f) a
    al(?=d|t) Cl
    ange(?=r?s?$|d$) Anj
    are$ Ar
    ar(?=e[sd]?$) Ar
    ar(?=V) ar
    (?<=w)ar(?!V) Cr
    ar ar
    aste Ast
    (?<=[wq])a(?=s|t|n|d|l|ll|sh|tch)(?!.e) o
    (?<=qu)a(?=C$|C[^e]) o
    a(?=sts?$) a
    a(?=th$) a
    ase(?=s?$|d$) As
    a(?=C(?:e|es|ed|est|eth|ing|er|y)$) A
    a(?=tion|cious|cian|zier) A
    a(?=[bcdfgkptv][lr]e) A
    a a
    ě e
    (?<=VC)e(?=(?:ly|ful|less|ness|ment|time|self|fore|thing|where|of|on|to)$)
    (?<=VCC)e(?=(?:ly|ful|less|ness|ment)$)
    ^be(?=C+V) bi
    e(?=ing$) E
    eign An
    el$ əl
    eigh A
    eir Er
    ei(?=[nl]) A
    ei E
    eye I
    ey$ ĭ
    ey A
    ear(?=[nlthd]) R
    ear Er
    eau O
    ease(?=$|d$|s$) Es
    ea(?=d$|th$|lth|dth|ds$|sure|vy|ven|ther|nt$|pon) e
    ea E
    eer Er
    ee E
    ew W
    eu W
    ere$ Er
    er(?=V) er
    er R
    (?<=[td])ed$ əd
    er(?=$|s$|ed$|ing$) ər
    ed$ d
    (?<=[sxzcg])es$ əz
    (?<=[cs]h)es$ əz
    es$ s
    est$ əst
    eth$ əT
    er(?=C) R
    e$
    e(?=(?:ss|st|nt|ll|tt|ck|nd|ct|lt|lf|pt|nce|nse)) e
    e(?=C(?:e|es)$) E
    e e
    igh I
    ify$ ifI
    ign$ In
    ign(?=s$|ed$) In
    ild(?=$|s$) Ild
    ind(?=$|s$|ed$) Ind
    ies$ ĭz
    ied$ Id
    ie$ I
    ier$ IR
    ie(?=C) E
    ire Ir
    ir(?!V) R
    ious$ Ius
    ious ius
    i(?=C(?:e|es|ed|est|eth|ing|er)$) I
    i(?=[bcdfgkptv][lr]e) I
    i(?=V) I
    io ə
    i$ I
    i i
    oar Cr
    oa O
    oor Cr
    ook Uk
    ood(?=$|s$) Ud
    oo W
    ough(?=t) C
    ough O
    our(?=$|s$|ed$) HR
    oe(?=s?$) O
    o(?=ing$|eth$|est$) O
    ol$ Ol
    ould Ud
    ous$ us
    ou H
    ow(?=ns?$|er|ds?$|el|ls?$) H
    (?<=[rldn][rldn])ow(?=s?$) ŏ
    ow O
    oy Y
    oi Y
    old Old
    oll Ol
    olk Ok
    ost$ Ost
    ome$ um
    ove$ uv
    ove(?=s$|d$|r$) uv
    one$ On
    ore Cr
    or(?!V) Cr
    or Cr
    (?<=w)or(?=[dktlms]) R
    o(?=C(?:e|es|ed|est|eth|ing|er)$) O
    o(?=[bcdfgkptv][lr]e) O
    o$ O
    o o
    (?<=q)u w
    (?<=g)u(?=[eiy])
    ure Wr
    ur(?!V) R
    ul[l]?$ Ul
    ui W
    ue W
    u(?=C(?:e|es|ed|est|eth|ing|er)$) W
    u u
    y(?=C(?:e|es|ed)$) I
    ŷ I
    ^y(?=V) y
    y$ ĭ
    y i
    bb b
    (?<=m)b(?=$|s$|ed$)
    b(?=t)
    b b
    cc(?=[eiy]) ks
    ch c
    ck k
    c(?=ious|ion|ial|ian) S
    c(?=[eiy]) s
    c k
    dge J
    dd d
    d d
    ff f
    f f
    gg g
    gh
    ^gn n
    gn(?=$|s$|ed$|e) n
    ge$ J
    g(?=e$|es$|ed$|e[rs]) J
    g(?=[iy]) J
    g g
    h h
    j J
    ^kn n
    k k
    ll l
    (?<=C)le$ əl
    (?<=C)les$ əlz
    l l
    mm m
    mn$ m
    m m
    ng$ N
    ngs$ Nz
    nk Nk
    nn n
    n n
    ph f
    pp p
    ^ps s
    p p
    q k
    rr r
    r r
    sch sk
    ssion Sən
    shion Sən
    sion Zən
    sure Zər
    ss s
    (?<=V)s(?=e$|es$|ed$|ing$) z
    sh S
    (?<=V)s$ z
    (?<=[bdglmnrvwy])s$ z
    s(?=le|t[lh]e?n?) s
    s s
    tch c
    tion Sən
    tious Sus
    ture cər
    ther$ Dər
    the$ D
    thes$ Dz
    th T
    tt t
    t t
    v v
    ^wh w
    ^wr r
    wh w
    w w
    x ks
    zz z
    z z
    """,
    {"V": f"[{_LETTERS}]", "C": f"[^{_LETTERS}]"},
)


_ONE_E = re.compile(f"[^{_LETTERS}]+e(?!w)[^{_LETTERS}]*")
_ONE_Y = re.compile(f"[^{_LETTERS}]*ye?[^{_LETTERS}]*")


_ONE_IE = re.compile(f"[^{_LETTERS}]+ie[sd]")


@lru_cache(maxsize=1 << 16)
def sounds_of(word: str) -> tuple[str, ...]:
    """Return the sounds of a word in lower case, without apostrophes; several if it has several."""
    by_dictionary = dictionary_sounds(word)
    if by_dictionary:
        return by_dictionary
    exception = SOUNDS.get(word)
    if exception is not None:
        return tuple(exception.split("/"))
    if word.endswith("s") and word[:-1] in SOUNDS and not word.endswith("ss"):
        return tuple(sound + _plural(sound) for sound in sounds_of(word[:-1]))
    if _ONE_E.fullmatch(word):
        # The only vowel is no mute e.
        word = word + "e" if word.endswith("e") else word.replace("e", "ě")
    elif _ONE_Y.fullmatch(word):
        word = word.replace("y", "ŷ")
    elif _ONE_IE.fullmatch(word):
        word = word.replace("ie", "ŷ")
    sound = _RULES.sounds(word)
    if sound[-1:] == "d" and sound[-2:-1] in ("p", "k", "f", "s", "S", "c", "T"):
        sound = sound[:-1] + "t"
    return (sound,)


def _plural(sound: str) -> str:
    return "əz" if sound[-1] in "szSZJc" else "s" if sound[-1] in "ptkfT" else "z"
