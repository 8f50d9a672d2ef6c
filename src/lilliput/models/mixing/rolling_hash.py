"""The constants of a rolling hash: a polynomial in an odd factor, modulo 2^64.

The factor has an inverse, so the hash of any run of values is a difference of two running sums, times a power (Karp &
Rabin, "Efficient Randomized Pattern-Matching Algorithms", IBM Journal of Research and Development 31, 1987).
"""

import numpy as np
from numpy.typing import NDArray

FACTOR = 0x9E3779B97F4A7C15  # any odd number works
INVERSE = pow(FACTOR, -1, 1 << 64)


def powers(factor: int, count: int) -> NDArray[np.uint64]:
    """Return the powers 0, 1, ... of a factor modulo 2^64, shape (count,)."""
    factors = np.full(count, factor, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)
