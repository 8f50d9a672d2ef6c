"""Sums as prompts and answers: `12+34=` and `46`, generated from a seed.

The held-out problems are drawn first. Two problems count as the same if they add the same numbers in any order: no
order of a held-out problem is in the training data. The training problems all differ as strings, so they may contain
both 12+34 and 34+12.

Answers written units first, and numbers padded to one length, make sums easy for small networks: each digit of the
answer then depends on digits at fixed positions, and at fixed distances if the operands are written units first as well
(Lee et al. 2023, "Teaching Arithmetic to Small Transformers", arXiv 2307.03381). A uniform draw hardly ever has a carry
through ten digits, so a share of the problems can be constructed with long carries. Left out: other operations,
negative numbers, scratchpads.

Axes: N problems, K operands, D digits, C characters of a problem.
"""

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lilliput.corpus import Examples
from lilliput.data.settings import ArithmeticSettings
from lilliput.errors import RecipeError

Numbers = NDArray[np.int64]


def make_problems(settings: ArithmeticSettings, seed: int) -> tuple[Examples, Examples]:
    """Return training and held-out problems; the same settings and seed give the same problems.

    Raises RecipeError if there are not enough different problems.
    """
    random = np.random.default_rng([seed, settings.digits, settings.operands])
    held_NK = _held_out(settings, random)
    learnt_NK = _learnt(settings, held_NK, random)
    name = f"sums of {settings.operands} numbers of up to {settings.digits} digit{'s' * (settings.digits > 1)}"
    return write_problems(f"{name}, training", learnt_NK, settings), write_problems(name, held_NK, settings)


def write_problems(name: str, numbers_NK: Numbers, settings: ArithmeticSettings) -> Examples:
    """Write each row of operands as a prompt, and their sum as its answer."""
    width = len(str(settings.operands * (10**settings.digits - 1)))
    columns: list[NDArray[np.uint8]] = []
    kept: list[NDArray[np.bool_]] = []
    for operand in range(settings.operands):
        digits_ND, kept_ND = _digits(
            numbers_NK[:, operand], settings.digits, padding=settings.padding, reverse=settings.reverse_numbers
        )
        symbol_N1 = np.full((len(numbers_NK), 1), ord("=" if operand + 1 == settings.operands else "+"), np.uint8)
        columns += [digits_ND, symbol_N1]
        kept += [kept_ND, np.ones_like(symbol_N1, np.bool_)]
    digits_ND, kept_ND = _digits(numbers_NK.sum(1), width, padding=settings.padding, reverse=settings.reverse)
    columns.append(digits_ND)
    kept.append(kept_ND)
    characters_NC, kept_NC = np.concatenate(columns, 1), np.concatenate(kept, 1)
    lengths_N2 = np.stack([kept_NC[:, :-width].sum(1), kept_NC[:, -width:].sum(1)], 1)
    text = characters_NC[kept_NC].tobytes().decode("ascii")
    return Examples(name, text, np.cumsum(lengths_N2).reshape(-1, 2).astype(np.int64))


def edges(digits: int, operands: int) -> Numbers:
    """Return the hand-picked problems: the smallest, the largest, and carries through all digits and through none."""
    whole = 10**digits

    def repeated(pattern: str) -> int:
        return int((pattern * digits)[:digits])

    fives, nines = repeated("5"), whole - 1
    pairs = [
        (0, 0),
        (0, nines),
        (nines, 1),
        (nines, nines),
        (fives, whole - fives),
        (fives, nines - fives),
        (fives, fives),
        (9 * whole // 10, whole // 10),
        (repeated("90"), whole - repeated("90")),
        (repeated("1234567890"), whole - repeated("1234567890")),
    ]
    rows = [(*pair, *[nines if min(pair) == nines else 0] * (operands - 2)) for pair in pairs if max(pair) < whole]
    return _new(np.array(rows, np.int64), np.empty(0, np.uint64), digits, any_order=True)


def _held_out(settings: ArithmeticSettings, random: np.random.Generator) -> Numbers:
    digits, operands = settings.digits, settings.operands
    wanted_edges = settings.edges if settings.edges is not None else digits >= 4
    first_NK = edges(digits, operands) if wanted_edges else np.empty((0, operands), np.int64)
    count = settings.validation + len(first_NK)
    possible = math.comb(10**digits + operands - 1, operands)
    if count >= possible:
        raise RecipeError(
            f"data.arithmetic.validation = {settings.validation:,}, with {len(first_NK)} hand-picked problems, leaves "
            f"no training problems: there are {possible:,} sums of {operands} numbers of up to {digits} digits; "
            "lower it, or raise digits"
        )
    none = np.empty(0, np.uint64)
    return _fill(first_NK, count, settings, random, lambda rows: _new(rows, none, digits, any_order=True))


def _learnt(settings: ArithmeticSettings, held_NK: Numbers, random: np.random.Generator) -> Numbers:
    digits, operands = settings.digits, settings.operands
    left = 10 ** (digits * operands) - sum(map(_orders, held_NK.tolist()))
    if settings.training > left:
        raise RecipeError(
            f"data.arithmetic.training = {settings.training:,} is too many: {left:,} problems of {operands} numbers of "
            f"up to {digits} digits are left besides the {len(held_NK):,} held out; lower it, or raise digits"
        )
    held = _keys(np.sort(held_NK, 1), digits)
    first_NK = _shorter(round(settings.training * settings.shorter), settings, random)
    if settings.carries:
        built_NK = _with_carries(round(settings.training * settings.carries), digits, random)
        first_NK = np.concatenate([built_NK, first_NK])
    return _fill(first_NK, settings.training, settings, random, lambda rows: _new(rows, held, digits, any_order=False))


def _fill(
    rows_NK: Numbers,
    count: int,
    settings: ArithmeticSettings,
    random: np.random.Generator,
    new: Callable[[Numbers], Numbers],
) -> Numbers:
    """Add uniformly drawn problems until there are `count` different ones."""
    limit, shape = 10**settings.digits, (settings.operands,)
    rows_NK = new(rows_NK)
    if count > limit**settings.operands // 2:  # most draws would repeat, so shuffle all problems instead
        all_N = random.permutation(limit**settings.operands)
        powers_K = limit ** np.arange(settings.operands)
        rows_NK = new(np.concatenate([rows_NK, all_N[:, None] // powers_K % limit]))
    while len(rows_NK) < count:
        missing = count - len(rows_NK)
        drawn_NK = random.integers(0, limit, (missing + missing // 10 + 16, *shape))
        rows_NK = new(np.concatenate([rows_NK, drawn_NK]))
    return rows_NK[:count]


def _new(rows_NK: Numbers, refused: NDArray[np.uint64], digits: int, *, any_order: bool) -> Numbers:
    """Return the rows without repetitions and without those whose numbers, in any order, are in `refused`."""
    keys, sorted_keys = _keys(rows_NK, digits), _keys(np.sort(rows_NK, 1), digits)
    first = np.zeros(len(rows_NK), np.bool_)
    first[np.unique(sorted_keys if any_order else keys, return_index=True)[1]] = True
    return rows_NK[first & ~np.isin(sorted_keys, refused)]


def _orders(row: list[int]) -> int:
    """Return the number of different orders of these numbers."""
    return math.factorial(len(row)) // math.prod(map(math.factorial, Counter(row).values()))


def _keys(rows_NK: Numbers, digits: int) -> NDArray[np.uint64]:
    """Return a key for each row. Beyond 19 digits in total two rows may share one; one of them is then left out."""
    keys = np.zeros(len(rows_NK), np.uint64)
    for column in rows_NK.T:
        keys = keys * np.uint64(10**digits) + column.astype(np.uint64)
    return keys


def _shorter(count: int, settings: ArithmeticSettings, random: np.random.Generator) -> Numbers:
    lengths_NK = random.integers(1, settings.digits + 1, (count, settings.operands))
    return random.integers(0, 10**lengths_NK)


def _with_carries(count: int, digits: int, random: np.random.Generator) -> Numbers:
    """Draw pairs with a run of digits that add up to nine and pass on a carry, of random position and length."""
    a_ND, b_ND = random.integers(0, 10, (2, count, digits))  # units first
    start_N = random.integers(0, digits, count)
    end_N = random.integers(start_N, digits) + 1
    digit_D = np.arange(digits)
    passing_ND = (digit_D > start_N[:, None]) & (digit_D < end_N[:, None])
    b_ND = np.where(passing_ND, 9 - a_ND, b_ND)
    rows = np.arange(count)
    a_N = random.integers(1, 10, count)
    a_ND[rows, start_N], b_ND[rows, start_N] = a_N, random.integers(10 - a_N, 10)
    powers_D = 10**digit_D
    return np.stack([(a_ND * powers_D).sum(1), (b_ND * powers_D).sum(1)], 1)


def _digits(
    numbers_N: Numbers, width: int, *, padding: bool, reverse: bool
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the digits of numbers as characters, in the usual order or units first, and a mask of those to write.

    Without padding, leading zeros are not written.
    """
    digits_ND = (numbers_N[:, None] // 10 ** np.arange(width - 1, -1, -1) % 10).astype(np.uint8)
    kept_ND = np.ones_like(digits_ND, np.bool_)
    if not padding:
        kept_ND = np.logical_or.accumulate(digits_ND != 0, axis=1)
        kept_ND[:, -1] = True
    order = slice(None, None, -1 if reverse else 1)
    return digits_ND[:, order] + np.uint8(ord("0")), kept_ND[:, order]
