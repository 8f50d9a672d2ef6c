"""The text of each token alone, and the tokens that end lines."""

from collections.abc import Sequence

from lilliput.errors import TokenizerError
from lilliput.tokenizers.tokenizer import Tokenizer


def token_texts(tokenizer: Tokenizer) -> list[str]:
    """Return the text of each token, by id, in the order in which a model reads the characters."""
    texts = [tokenizer.decode([id_]) for id_ in range(tokenizer.vocab_size)]
    return [text[::-1] for text in texts] if tokenizer.reverse_lines else texts


def line_ends(texts: Sequence[str]) -> list[int]:
    """Return the tokens of line ends, a single one first, from the text of each token.

    Raises TokenizerError unless they are tokens of their own.
    """
    ends = [id_ for id_, text in enumerate(texts) if text and not text.strip("\n")]
    if not ends or any("\n" in text and text.strip("\n") for text in texts):
        raise TokenizerError(
            "the tokenizer has no tokens of their own for line ends: train on lines of verse, with tokenizer.kind "
            "'char' or 'bpe'"
        )
    return sorted(ends, key=lambda id_: len(texts[id_]))
