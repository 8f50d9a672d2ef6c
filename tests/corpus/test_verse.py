import pytest

from lilliput.corpus.document import Document
from lilliput.corpus.named.poems import poems_of, typeset

BOOK = """LE LIVRE DU QUAI

par

UN PASSANT


PRÉFACE


Ce livre est né d'un hiver passé au bord de l'eau, et ceux qui l'ont
vu naître savent qu'il n'avait pas d'autre but que de durer un soir.

Il le dit assez.

U. P.




LIVRE PREMIER

LES BARQUES




I

LA LAMPE


    La lampe veille au bord du quai désert,
        Sous la pluie;
    La barque attend le retour de la mer
        Et s'ennuie[1].

    Le vent du nord a fermé les maisons;
        Rien ne bouge.
    Au loin s'en va, derrière les buissons,
        Un feu rouge.

  [1] On disait alors _languit_, et le vers y perdait une
    syllabe, que l'auteur a rendue.

    (_Note de l'éditeur._)

        Paris, mars 1850.




II


    Un chien passe, un enfant le suit,
    Un homme ferme sa fenêtre,
    Et l'on entend venir la nuit
    Comme une dame chez son maître.




LE RETOUR

_A mon ami C._

I

Je suis revenu par la plaine,
    Un matin,
Portant ma besace trop pleine
    De butin.

II

Le blé dormait sous la rosée,
    Et, là-bas,
Une cloche à peine posée
    Parlait bas.

1851.


FIN




TABLE

LES BARQUES

    I LA LAMPE                                    1
   II Un chien passe                              3

LE RETOUR.

Le retour en prose
Et ce qui suit
Et la fin du livre
Et rien de plus
"""


def poems(*texts: str) -> list[str]:
    return [poem.text for poem in poems_of(Document(str(number), text) for number, text in enumerate(texts))]


def test_a_book_becomes_its_poems() -> None:
    assert poems(BOOK) == [
        "LA LAMPE\n\nLa lampe veille au bord du quai désert,\nSous la pluie;\nLa barque attend le retour de la mer\n"
        "Et s'ennuie.\n\nLe vent du nord a fermé les maisons;\nRien ne bouge.\n"
        "Au loin s'en va, derrière les buissons,\nUn feu rouge.\n",
        "Un chien passe, un enfant le suit,\nUn homme ferme sa fenêtre,\nEt l'on entend venir la nuit\n"
        "Comme une dame chez son maître.\n",
        "LE RETOUR\n\nJe suis revenu par la plaine,\nUn matin,\nPortant ma besace trop pleine\nDe butin.\n\n"
        "Le blé dormait sous la rosée,\nEt, là-bas,\nUne cloche à peine posée\nParlait bas.\n",
    ]


STANZA = "Le vent se lève,\nLa mer s'endort,\nL'homme qui rêve\nRentre à bon port."
OTHER = "La rue est blanche,\nLe four est chaud,\nC'est un dimanche\nQui vient bientôt."


@pytest.mark.parametrize(
    ("empty_lines", "expected"), [(4, [STANZA + "\n", OTHER + "\n"]), (1, [STANZA + "\n\n" + OTHER + "\n"])]
)
def test_a_bare_number_opens_a_poem_only_behind_a_wide_gap(empty_lines: int, expected: list[str]) -> None:
    assert poems(f"I\n\n{STANZA}" + "\n" * (empty_lines + 1) + f"II\n\n{OTHER}\n") == expected


def test_the_parts_of_a_titled_poem_stay_together() -> None:
    assert poems(f"LE PORT\n\n\nI\n\n{STANZA}\n\n\nII\n\n{OTHER}\n") == [f"LE PORT\n\n{STANZA}\n\n{OTHER}\n"]


@pytest.mark.parametrize(
    ("heading", "title"),
    [
        ("XIV LE PORT", "LE PORT"),
        ("LE PORT\n\nA UN AMI", "LE PORT A UN AMI"),
        ("RÉPONSE\nÀ UN ACTE", "RÉPONSE À UN ACTE"),
        ("LIVRE DEUX\n\n\n\n\nIII\n\nLE PORT", "LE PORT"),
        ("LE PORT\n    _A Monsieur C._", "LE PORT"),
        ("CIVIL", "CIVIL"),
        ("ŒUVRE", "OEUVRE"),
    ],
)
def test_titles(heading: str, title: str) -> None:
    assert poems(f"{heading}\n\n{STANZA}\n") == [f"{title}\n\n{STANZA}\n"]


def test_a_motto_is_no_verse() -> None:
    motto = "\n".join(" " * 24 + line for line in ("Il faut partir", "Avant le jour", "(UN AUTRE)"))
    assert poems(f"LE PORT\n\n{motto}\n\n{STANZA}\n") == [f"LE PORT\n\n{STANZA}\n"]


def test_verse_that_prose_quotes_is_left_out_with_the_prose() -> None:
    prose = (
        "The poet says of the harbour, in words that\nmany have quoted and few have understood as\nhe meant them, this:"
    )
    assert poems(f"INTRODUCTION\n\n{prose}\n\n  {STANZA}\n\n{prose}\n\n{prose}\n") == []


def test_fewer_than_four_verses_are_no_poem() -> None:
    assert poems("LE PORT\n\nLe vent se lève,\nLa mer s'endort,\nL'homme rêve.\n") == []


def test_a_poem_in_two_books_is_taken_once_whatever_its_accents() -> None:
    again = STANZA.replace("rêve", "rève").replace("La mer", "la MER")
    assert poems(f"LE PORT\n\n{STANZA}\n", f"AU PORT\n\n{again}\n") == [f"LE PORT\n\n{STANZA}\n"]


def test_a_poem_may_share_two_verses_in_five() -> None:
    first, second, *_ = STANZA.split("\n")
    shared = "\n".join([first, second, "Et puis le jour", "Se fait attendre", "Dans chaque cour."])
    assert len(poems(f"UN\n\n{STANZA}\n", f"DEUX\n\n{shared}\n")) == 2
    shared = shared.replace("Et puis le jour", STANZA.split("\n")[2])
    assert len(poems(f"UN\n\n{STANZA}\n", f"DEUX\n\n{shared}\n")) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("  Ô  mer !", "Ô mer!"),
        ("« Viens ! dit-il ; viens »", "«Viens! dit-il; viens»"),
        ("L’ami — le seul…", "L'ami -- le seul..."),
        ("Le cœur, Œil, ŒUVRE, nævus", "Le coeur, Oeil, OEUVRE, naevus"),
        ("Il attend ......", "Il attend..."),
        ("e\u0301té\u00a0?", "été?"),
    ],
)
def test_one_typography(given: str, expected: str) -> None:
    assert typeset(given) == expected
    assert typeset(expected) == expected
