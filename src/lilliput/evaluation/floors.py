"""What a network has to beat: counting n-grams, and a general compressor.

Both see the training text and are measured on the validation text, as the network is; neither learns more than
counts or copies. A network that does not beat them has not earned its training time. Both work on characters, so give
them the text as the tokenizer sees it: a model of lower-cased text has to beat counts of lower-cased text.

The cost is bounded: of a long training text only the end is used, which lies nearest to the validation text, and the
result says how much that was.
"""

import lzma
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lilliput.errors import CorpusError
from lilliput.evaluation.ngram import losses_by_order

NGRAM_TRAINING_CHARACTERS = 8_000_000
XZ_TRAINING_CHARACTERS = 4_000_000
XZ_VALIDATION_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class NgramFloor:
    """The count model of the best order. Every validation character but the first is scored, as with a network.

    The validation text starts fresh: its first characters do not have the training text as their context.
    """

    losses: tuple[float, ...]
    """Nats per character of the orders 1, 2, ..."""
    training_characters_used: int

    @property
    def order(self) -> int:
        """Return the order that does best on the validation text."""
        return self.losses.index(min(self.losses)) + 1

    @property
    def loss(self) -> float:
        """Return the nats per character of the best order."""
        return min(self.losses)

    @property
    def bits_per_character(self) -> float:
        """Return the bits per character of the best order."""
        return self.loss / math.log(2)


@dataclass(frozen=True)
class XzFloor:
    """What the validation text adds to the size of the compressed training text."""

    bits_per_character: float
    training_characters_used: int
    validation_characters_used: int


@dataclass(frozen=True)
class Floors:
    """Both floors of one pair of texts."""

    ngram: NgramFloor
    xz: XzFloor

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON, rounded."""
        return {
            "ngram": {
                "order": self.ngram.order,
                "bits_per_character": round(self.ngram.bits_per_character, 5),
                "loss": round(self.ngram.loss, 5),
                "losses_by_order": [round(loss, 5) for loss in self.ngram.losses],
                "training_characters_used": self.ngram.training_characters_used,
            },
            "xz": {
                "bits_per_character": round(self.xz.bits_per_character, 5),
                "training_characters_used": self.xz.training_characters_used,
                "validation_characters_used": self.xz.validation_characters_used,
            },
        }


def measure_floors(
    training: str, validation: str, max_order: int = 8, *, progress: Callable[[float], None] = lambda share: None
) -> Floors:
    """Measure both floors; `progress` is told the share that is done, now and then, and what it raises is passed on.

    Raises CorpusError for an empty training text or fewer than two validation characters.
    """
    parts = max_order + 1  # the orders, and what xz may still take
    with ThreadPoolExecutor() as executor:
        xz = executor.submit(xz_floor, training, validation)
        ngram = ngram_floor(training, validation, max_order, progress=lambda order: progress(order / parts))
        return Floors(ngram, xz.result())


def ngram_floor(
    training: str, validation: str, max_order: int = 8, *, progress: Callable[[int], None] = lambda order: None
) -> NgramFloor:
    """Fit interpolated n-gram counts and score the validation text with every order up to `max_order`.

    Raises CorpusError for an empty training text or fewer than two validation characters.
    """
    _require_text(validation)
    training = training[-NGRAM_TRAINING_CHARACTERS:]
    losses = losses_by_order(training, validation, max_order, progress)
    return NgramFloor(tuple(losses.tolist()), len(training))


def xz_floor(training: str, validation: str) -> XzFloor:
    """Measure how many bits a validation character adds to the training text in xz at its strongest setting.

    Of a long validation text the beginning is used. Raises CorpusError for fewer than two validation characters.
    """
    _require_text(validation)
    training = training[-XZ_TRAINING_CHARACTERS:]
    validation = validation[:XZ_VALIDATION_CHARACTERS]
    before = training.encode("utf-8", "surrogatepass")
    both = before + validation.encode("utf-8", "surrogatepass")
    # The preset's dictionary covers both texts whole but takes half a gigabyte; one of just their size packs as well.
    dictionary = max(4096, len(both))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": dictionary}]
    with ThreadPoolExecutor() as executor:
        alone, together = executor.map(lambda text: len(lzma.compress(text, filters=filters)), (before, both))
    return XzFloor((together - alone) * 8 / len(validation), len(training), len(validation))


def verdict(bits_per_character: float | None, floors: Mapping[str, Any]) -> str:
    """Say in one sentence whether the network is better than counting, and by how many bits per character.

    Both arguments are as in the JSON of an evaluation: None stands for a loss that is not finite, and `floors` is what
    `Floors.as_dict` gives.
    """
    counting = floors["ngram"]["bits_per_character"]
    opponent = f"{counting:.2f} of the best count model (order {floors['ngram']['order']})"
    if bits_per_character is None or not math.isfinite(bits_per_character):
        return f"NOT better than counting: the network's loss is not finite, against {opponent}"
    gap = abs(bits_per_character - counting)
    # Where the held-out text repeats the training text, copying beats predicting, and that is worth a look.
    copying = floors["xz"]["bits_per_character"]
    note = f"; but xz, which copies, needs only {copying:.2f}" if copying < bits_per_character else ""
    if bits_per_character < counting:
        better = f"better than counting by {gap:.2f} bits per character"
        return f"{better}: {bits_per_character:.2f} against {opponent}{note}"
    worse = f"NOT better than counting yet: {bits_per_character:.2f} bits per character"
    return f"{worse}, {gap:.2f} more than {opponent}{note}"


def _require_text(validation: str) -> None:
    if len(validation) < 2:
        raise CorpusError(f"a validation text of {len(validation)} characters has nothing to predict: give at least 2")
