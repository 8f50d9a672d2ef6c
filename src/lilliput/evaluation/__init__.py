"""How good is it? Loss over whole texts in two stated definitions, and the floors that a network has to beat."""

from lilliput.evaluation.floors import Floors, NgramFloor, XzFloor, measure_floors, ngram_floor, verdict, xz_floor
from lilliput.evaluation.loss import Definition, Score, evaluate, score_tokens
from lilliput.evaluation.ngram import NgramModel

__all__ = [
    "Definition",
    "Floors",
    "NgramFloor",
    "NgramModel",
    "Score",
    "XzFloor",
    "evaluate",
    "measure_floors",
    "ngram_floor",
    "score_tokens",
    "verdict",
    "xz_floor",
]
