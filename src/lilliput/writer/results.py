"""The results of a `Writer` that are more than a text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Continuation:
    """A text that continues a prompt, and its log-probability."""

    text: str
    tokens: int
    log_probability: float


@dataclass(frozen=True, slots=True)
class NextWord:
    """A word that may follow a prompt, with the white space that ends it, and its probability."""

    text: str
    probability: float
