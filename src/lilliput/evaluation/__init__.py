"""Evaluation: the loss over whole texts in two definitions, baselines, right answers, and measures of written text."""

from lilliput.evaluation.baselines import (
    Baselines,
    NgramBaseline,
    PpmdBaseline,
    XzBaseline,
    measure_baselines,
    ngram_baseline,
    ppmd_baseline,
    strongest_baseline,
    verdict,
    xz_baseline,
)
from lilliput.evaluation.loss import Definition, Score, evaluate, score_tokens
from lilliput.evaluation.ngram import NgramModel

__all__ = [
    "Baselines",
    "Definition",
    "NgramBaseline",
    "NgramModel",
    "PpmdBaseline",
    "Score",
    "XzBaseline",
    "evaluate",
    "measure_baselines",
    "ngram_baseline",
    "ppmd_baseline",
    "score_tokens",
    "strongest_baseline",
    "verdict",
    "xz_baseline",
]
