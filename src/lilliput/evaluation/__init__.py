"""How good is it? Loss over whole texts in two stated definitions, and the floors that a network has to beat."""

from lilliput.evaluation.floors import (
    Floors,
    NgramFloor,
    PpmdFloor,
    XzFloor,
    measure_floors,
    ngram_floor,
    ppmd_floor,
    strongest_floor,
    verdict,
    xz_floor,
)
from lilliput.evaluation.loss import Definition, Score, evaluate, score_tokens
from lilliput.evaluation.ngram import NgramModel

__all__ = [
    "Definition",
    "Floors",
    "NgramFloor",
    "NgramModel",
    "PpmdFloor",
    "Score",
    "XzFloor",
    "evaluate",
    "measure_floors",
    "ngram_floor",
    "ppmd_floor",
    "score_tokens",
    "strongest_floor",
    "verdict",
    "xz_floor",
]
