"""Small networks that tests of writing share."""

from typing import Any

import numpy as np
import torch

from lilliput.models import build
from lilliput.models.protocol import TrainingText

LETTERS = "abcdefghijklmnopqrstuvwxyz"
KINDS: dict[str, Any] = {
    "char": ("char", None),
    "few characters": ("char", 20),
    "byte": ("byte", None),
    "bpe": ("bpe", 50),
    "bpe of few letters": ("bpe", 26),
}
"""Tokenizers by kind and size of the vocabulary, with escapes that are seldom and often needed."""


def lively(model_settings, vocabulary, context):
    """Return a network in evaluation mode none of whose weights is zero or one; a mixture has learnt some counts."""
    torch.manual_seed(0)
    model = build(model_settings, vocabulary, context)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    ids = np.random.default_rng(1).integers(0, vocabulary, 300)
    model.learn(lambda: TrainingText(ids, [chr(97 + id_) for id_ in range(vocabulary)]))
    return model.eval()


def assert_alike(backends, lengths, vocabulary, tokens, generator):
    """Two backends give the same logits for rows of these lengths, and for so many tokens behind them."""
    for row, length in enumerate(lengths):
        ids = generator.integers(0, vocabulary, length).tolist()
        np.testing.assert_allclose(*(backend.prefill(row, ids) for backend in backends), atol=1e-4)
    go_on_alike(backends, vocabulary, tokens, generator)


def go_on_alike(backends, vocabulary, tokens, generator):
    """Two backends give the same logits for so many tokens more."""
    for _ in range(tokens):
        new = generator.integers(0, vocabulary, len(backends[0].texts)).tolist()
        np.testing.assert_allclose(*(backend.decode(new) for backend in backends), atol=1e-4)
        assert backends[0].lengths == backends[1].lengths
        assert backends[0].texts == backends[1].texts
