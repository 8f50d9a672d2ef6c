"""Baselines that a network has to beat: n-gram counts and two general compressors.

All get the training text and are measured on the validation text, like the network; they only count or copy. A
network that does not beat them has not earned its training time. PPMd and xz continue to learn from the validation text
while they read it; the counts do not. All work on characters or their bytes, so pass the text as the tokenizer sees it:
a model of lower-cased text has to beat counts of lower-cased text.

The cost is bounded: only the end of a long training text is used, which is nearest to the validation text. The result
says how much was used.
"""

import lzma
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

import pyppmd

from lilliput.beside import Beside
from lilliput.errors import CorpusError
from lilliput.evaluation.ngram import costs_by_order
from lilliput.segments import WHOLE, Starts, starts_behind

NGRAM_TRAINING_CHARACTERS = 8_000_000
XZ_TRAINING_CHARACTERS = 4_000_000
XZ_VALIDATION_CHARACTERS = 1_000_000
PPMD_TRAINING_CHARACTERS = 4_000_000
PPMD_VALIDATION_CHARACTERS = 1_000_000
LIKE_TRAINING_CHARACTERS, LIKE_CHARACTERS, LIKE_LEAST_CHARACTERS = 1_000_000, 100_000, 2_000
"""Characters for `measure_likeness`: at most, and at least. It takes seconds; the uncertainty is below a tenth."""
LEAST_BITS = 0.01
"""Bits per character below which a difference counts as none."""
PPMD_ORDER, PPMD_MEMORY = 6, 1 << 27
"""The memory, in bytes, is enough for the texts above; with too little, PPMd restarts in the middle."""


@dataclass(frozen=True)
class NgramBaseline:
    """The count model of the best order.

    As with a network, every character but the first of each segment is scored. The training text is no context for the
    first characters of the validation text.
    """

    losses: tuple[float, ...]
    """Nats per character of the orders 1, 2, ..."""
    training_characters_used: int
    piece_nats: tuple[float, ...]
    """Nats of each piece of the validation text, with the best order."""

    @property
    def order(self) -> int:
        """The order with the lowest loss on the validation text."""
        return self.losses.index(min(self.losses)) + 1

    @property
    def loss(self) -> float:
        """Nats per character of the best order."""
        return min(self.losses)

    @property
    def bits_per_character(self) -> float:
        """Bits per character of the best order."""
        return self.loss / math.log(2)


@dataclass(frozen=True)
class XzBaseline:
    """The size that the validation text adds to the training text, compressed by xz."""

    bits_per_character: float
    training_characters_used: int
    validation_characters_used: int


@dataclass(frozen=True)
class PpmdBaseline:
    """The size that the validation text adds to the training text, compressed by PPMd (`ppmd_baseline`)."""

    bits_per_character: float
    training_characters_used: int
    validation_characters_used: int
    piece_nats: tuple[float, ...]
    """Nats of each used piece of the validation text."""


@dataclass(frozen=True)
class Baselines:
    """The baselines of one pair of texts."""

    ngram: NgramBaseline
    ppmd: PpmdBaseline
    xz: XzBaseline

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
            "ppmd": {
                "order": PPMD_ORDER,
                "bits_per_character": round(self.ppmd.bits_per_character, 5),
                "training_characters_used": self.ppmd.training_characters_used,
                "validation_characters_used": self.ppmd.validation_characters_used,
            },
            "xz": {
                "bits_per_character": round(self.xz.bits_per_character, 5),
                "training_characters_used": self.xz.training_characters_used,
                "validation_characters_used": self.xz.validation_characters_used,
            },
        }

    def piece_costs(self) -> dict[str, list[float]]:
        """Return the nats of each piece of the validation text, for the baselines that have them."""
        costs = {"ngram": self.ngram.piece_nats, "ppmd": self.ppmd.piece_nats}
        return {name: [round(nats, 3) for nats in pieces] for name, pieces in costs.items()}


def measure_baselines(
    training: str,
    validation: str,
    max_order: int = 8,
    *,
    pieces: Sequence[str] = (),
    starts: tuple[Starts, Starts] = (WHOLE, WHOLE),
    progress: Callable[[float], None] = lambda share: None,
) -> Baselines:
    """Measure all baselines, and the cost of each of the `pieces` that form the validation text.

    `starts` gives the segment starts of the two texts. No n-gram crosses from one segment into another; the compressors
    read the segments in a row, at a small loss.

    `progress` gets the finished share from time to time; its exceptions are passed on.

    Raises CorpusError for an empty training text or fewer than two validation characters.
    """
    parts = max_order + 1  # the orders, and the rest of the compressors' work
    xz = Beside(partial(xz_baseline, training, validation))
    ppmd = Beside(partial(ppmd_baseline, training, validation, pieces))
    ngram = ngram_baseline(
        training,
        validation,
        max_order,
        pieces=pieces,
        starts=starts,
        progress=lambda order: progress(order / parts),
    )
    return Baselines(ngram, ppmd.result(), xz.result())


def ngram_baseline(
    training: str,
    validation: str,
    max_order: int = 8,
    *,
    pieces: Sequence[str] = (),
    starts: tuple[Starts, Starts] = (WHOLE, WHOLE),
    progress: Callable[[int], None] = lambda order: None,
) -> NgramBaseline:
    """Fit interpolated n-gram counts and score the validation text with every order up to `max_order`.

    With `pieces` of the validation text, the result has the cost of each. `starts` gives the segment starts of the two
    texts: each segment is counted, and scored, as a separate text.

    Raises CorpusError for an empty training text or fewer than two validation characters.
    """
    _require_text(validation)
    used = training[-NGRAM_TRAINING_CHARACTERS:]
    counted = starts_behind(starts[0], len(training) - len(used))
    costs = costs_by_order(used, pieces or [validation], max_order, progress, (counted, starts[1]))
    losses = costs.sum(axis=1) / (len(validation) - len(starts[1]))
    return NgramBaseline(tuple(losses.tolist()), len(used), tuple(costs[losses.argmin()].tolist()))


def xz_baseline(training: str, validation: str) -> XzBaseline:
    """Measure the bits that a validation character adds to the training text in xz at its strongest setting.

    Only the start of a long validation text is used. Raises CorpusError for fewer than two validation characters.
    """
    _require_text(validation)
    training = training[-XZ_TRAINING_CHARACTERS:]
    validation = validation[:XZ_VALIDATION_CHARACTERS]
    before = training.encode("utf-8", "surrogatepass")
    both = before + validation.encode("utf-8", "surrogatepass")
    # The preset's dictionary takes half a gigabyte; one of the size of both texts compresses as well.
    dictionary = max(4096, len(both))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": dictionary}]
    alone = Beside(partial(lzma.compress, before, filters=filters))
    together = len(lzma.compress(both, filters=filters))
    return XzBaseline((together - len(alone.result())) * 8 / len(validation), len(training), len(validation))


def ppmd_baseline(training: str, validation: str, pieces: Sequence[str] = ()) -> PpmdBaseline:
    """Measure the bits that a validation character adds to the training text in PPMd, variant H, of order 6.

    Prediction by partial matching (Cleary & Witten 1984, "Data Compression Using Adaptive Coding and Partial String
    Matching", IEEE Transactions on Communications 32; variant H: Shkarin 2002, "PPM: One Step to Practicality", DCC) is
    the strongest widely available compressor for text. Only the start of a long validation text is used. With
    `pieces` of the validation text, the result has the cost of each, to within a byte or two. Raises CorpusError for
    fewer than two validation characters.
    """
    _require_text(validation)
    training = training[-PPMD_TRAINING_CHARACTERS:]
    ends = accumulate(map(len, pieces))
    used = [piece for piece, end in zip(pieces, ends, strict=True) if end <= PPMD_VALIDATION_CHARACTERS]
    used = used or [validation[:PPMD_VALIDATION_CHARACTERS]]
    encoder = pyppmd.Ppmd7Encoder(PPMD_ORDER, PPMD_MEMORY)
    encoder.encode(training.encode("utf-8", "surrogatepass"))
    # The encoder holds back a few bytes, equally many after either text, so the added size is the difference.
    sizes = [len(encoder.encode(piece.encode("utf-8", "surrogatepass"))) for piece in used]
    characters = sum(map(len, used))
    nats = tuple(size * 8 * math.log(2) for size in sizes)
    return PpmdBaseline(sum(sizes) * 8 / characters, len(training), characters, nats)


@dataclass(frozen=True)
class Likeness:
    """PPMd's bits per character of the held-out text and of an equal part of the middle, after the rest of the text."""

    held_out: float
    middle: float

    def as_dict(self) -> dict[str, float]:
        """Return the figures for JSON, rounded."""
        return {"held_out": round(self.held_out, 5), "middle": round(self.middle, 5)}


def measure_likeness(training: str, validation: str) -> Likeness | None:
    """Measure whether the held-out end of a text resembles its middle; None for a text that is too short.

    The middle is taken out of the training text, and both parts are measured after the rest. Only the end of
    a long training text is used, and the start and the end of a long validation text.
    """
    training = training[-LIKE_TRAINING_CHARACTERS:]
    if len(validation) > LIKE_CHARACTERS:
        validation = validation[: LIKE_CHARACTERS // 2] + validation[-LIKE_CHARACTERS // 2 :]
    size = min(len(validation), len(training) // 4)
    if size < LIKE_LEAST_CHARACTERS:
        return None
    first = (len(training) - size) // 2
    rest, middle = training[:first] + training[first + size :], training[first : first + size]
    return Likeness(*(ppmd_baseline(rest, part).bits_per_character for part in (validation[-size:], middle)))


def baseline_name(key: str, order: int | None) -> str:
    """Return the display name of a baseline; `key` is its key in `Baselines.as_dict`."""
    name = {"ngram": "count model", "ppmd": "PPMd"}.get(key, key)
    return name if order is None else f"{name} (order {order})"


def named_baselines(baselines: Mapping[str, Any]) -> dict[str, float]:
    """Return the bits per character of each baseline by display name; the argument is `Baselines.as_dict()`.

    Baselines for answers have none, and runs of earlier versions lack some. If the others cover a part of the text, a
    baseline for the whole text says so in its name.
    """
    figures = {key: figure for key, figure in baselines.items() if "bits_per_character" in figure}
    return {
        baseline_name(key, figure.get("order")) + ", whole text" * (figure.get("sampled_share") == 1): float(
            figure["bits_per_character"]
        )
        for key, figure in figures.items()
    }


def strongest_baseline(baselines: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return name and bits per character of the strongest baseline; None without baselines."""
    return min(named_baselines(baselines).items(), key=lambda pair: pair[1], default=None)


def verdict(bits_per_character: float | None, baselines: Mapping[str, Any]) -> str:
    """Return a sentence on whether the model beats the strongest baseline, and by how many bits per character.

    Both arguments are those of the JSON of an evaluation: None stands for a loss that is not finite, and `baselines`
    is the result of `Baselines.as_dict`.
    """
    strongest = strongest_baseline(baselines)
    assert strongest is not None, "a text always has baselines"
    name, baseline = strongest
    note = "" if len(baselines) == 1 else ", the strongest baseline"
    if bits_per_character is None or not math.isfinite(bits_per_character):
        return f"NOT better than {name}{note}: the loss is not finite, against {bits(baseline)}"
    gap, both = abs(bits_per_character - baseline), f"{bits(bits_per_character)} against {bits(baseline)}"
    if gap < LEAST_BITS:
        return f"no better and no worse than {name}{note}: {both}"
    if bits_per_character < baseline:
        return f"better than {name}{note}, by {bits(gap)}: {both}"
    return f"NOT better than {name}{note}: {both}, which is {bits(gap)} more"


def bought(parts: Mapping[str, Any], bits_per_character: float | None) -> str | None:
    """Return a sentence on the gain from training: the bits per character without and with the network.

    `parts` are those of a score (`Score.as_dict`). None if the network is the only part.
    """
    counts = parts.get("counts", {}).get("bits_per_character")
    if counts is None or bits_per_character is None:
        return None
    alone = f"counts and guesses alone need {counts:.2f} bits per character"
    gain = counts - bits_per_character
    if gain < LEAST_BITS:
        return f"{alone}, and with the network {bits_per_character:.2f}: the network adds nothing"
    return f"{alone}, with the network {bits_per_character:.2f}: the training was worth {gain:.2f}"


def bits(value: float) -> str:
    """Return bits per character as text."""
    return f"{value:.2f} bits per character" if value >= LEAST_BITS else f"less than {LEAST_BITS:g} bits per character"


def _require_text(validation: str) -> None:
    if len(validation) < 2:
        raise CorpusError(f"a validation text of {len(validation)} characters has nothing to predict: give at least 2")
