"""Token ids: the type of an encoded text, and the check of a single id.

NumPy is not imported here, since `TextStream` needs only the check.
"""

from typing import TYPE_CHECKING, TypeAlias

from lilliput.errors import TokenizerError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Ids: TypeAlias = "NDArray[np.unsignedinteger]"


def check_id(token: int, vocab_size: int) -> int:
    """Return the id as a plain integer.

    TokenizerError: the id is out of range, or negative, which would index from the end.
    """
    number = int(token)
    if not 0 <= number < vocab_size:
        raise TokenizerError(f"token {number} does not exist: this vocabulary has 0 to {vocab_size - 1}")
    return number
