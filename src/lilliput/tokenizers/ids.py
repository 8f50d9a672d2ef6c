"""The ids of tokens: the array that a text becomes, and the check of a single one.

NumPy is not loaded here, since `TextStream` needs only the check.
"""

from typing import TYPE_CHECKING, TypeAlias

from lilliput.errors import TokenizerError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Ids: TypeAlias = "NDArray[np.unsignedinteger]"


def check_id(token: int, vocab_size: int) -> int:
    """Give the id back as a plain integer.

    TokenizerError: it is out of range; a negative one would count from the end.
    """
    number = int(token)
    if not 0 <= number < vocab_size:
        raise TokenizerError(f"token {number} does not exist: this vocabulary has 0 to {vocab_size - 1}")
    return number
