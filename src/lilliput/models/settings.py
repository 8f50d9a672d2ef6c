"""The architecture of a network as plain data, without torch.

A GPT is described field by field. A named shape gives defaults for the fields that are not set, so any field can be
changed alone. Settings always hold every value: written as JSON and read back, they are equal.

- `gpt2`: Radford et al. 2019, section 2.3, as published with the weights.
- `llama`: Touvron et al. 2023 (arXiv 2302.13971), section 2.2; grouped heads from Ainslie et al. 2023
  (arXiv 2305.13245).
- `modern`: learns fastest at small sizes in our measurements: norms without gain, a normalised embedding, squared
  ReLU (So et al. 2021, arXiv 2109.08668), normalised queries and keys (Henry et al. 2020, arXiv 2010.04245), and output
  matrices that start at zero, so that every block starts as the identity.

Not included: the vocabulary size (owned by the tokenizer) and the context (owned by the data). `build` takes both.
"""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from lilliput.settings import Settings

Size = Annotated[int, Field(ge=1)]
_SIZE: TypeAdapter[int] = TypeAdapter(Size)
Probability = Annotated[float, Field(ge=0, lt=1)]

_SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {
        "positions": "learned",
        "rotary_base": 10000.0,
        "norm": "layer",
        "norm_epsilon": 1e-5,
        "activation": "gelu",
        "query_key_norm": False,
        "biases": True,
        "tied": True,
        "embedding_norm": False,
        "initial": "gpt2",
    },
    "llama": {
        "positions": "rotary",
        "rotary_base": 10000.0,
        "norm": "rms",
        "norm_epsilon": 1e-5,
        "activation": "swiglu",
        "query_key_norm": False,
        "biases": False,
        "tied": False,
        "embedding_norm": False,
        "initial": "llama",
    },
    "modern": {
        "positions": "rotary",
        "rotary_base": 1024.0,
        "norm": "plain_rms",
        "norm_epsilon": 1e-6,
        "activation": "relu2",
        "query_key_norm": True,
        "biases": False,
        "tied": False,
        "embedding_norm": True,
        "initial": "modern",
    },
}
# A gated layer has three matrices instead of two: 8/3 of the width keeps the number of weights.
_GATED_MULTIPLE = 32


class ArchitectureSettings(Settings):
    """Base of the settings of every architecture, with the facts about a network before it is built.

    To add an architecture, extend `ModelSettings` below and the table of networks in `models.building`.
    """

    half_precision: ClassVar[bool] = False
    """Whether training gains speed from half precision, as large matrix products do."""

    @abstractmethod
    def weights(self, vocabulary: int, window: int) -> int:
        """Return the number of weights of one network, without norms and biases."""

    @abstractmethod
    def row_values(self, window: int) -> int:
        """Return the minimum number of values that one network keeps per row for the backward pass."""

    @abstractmethod
    def describe(self) -> str:
        """Return the size of one network in a few words."""

    def describe_additions(self) -> list[str]:
        """Return the network's additions to its layers, each in a few words."""
        return []


class GPTSettings(ArchitectureSettings):
    """A decoder-only transformer; `shape` sets every field that is not given.

    `key_value_heads` is `heads` unless given, and `head_width` is width / heads; `feed_forward` is 4 x width, and for
    `swiglu` 8/3 x width rounded up to a multiple of 32. `dropout` acts on the embedding and on the output of every
    sublayer. `attention_dropout` acts on the attention weights; by default it equals `dropout` in the shape `gpt2` and
    is 0 in the others, since it cost a third of the speed without a gain. Raises pydantic's ValidationError for
    incompatible sizes.
    """

    half_precision = True

    kind: Literal["gpt"] = "gpt"
    shape: Literal["gpt2", "llama", "modern"] = "modern"
    layers: Size = 4
    width: Size = 128
    heads: Size = 4
    key_value_heads: Size = 4
    head_width: Size = 32
    feed_forward: Size = 512
    positions: Literal["learned", "rotary"] = "rotary"
    rotary_base: float = Field(default=1024.0, gt=1)
    norm: Literal["layer", "rms", "plain_rms"] = "plain_rms"
    norm_epsilon: float = Field(default=1e-6, gt=0)
    activation: Literal["gelu", "relu", "relu2", "swiglu"] = "relu2"
    query_key_norm: bool = True
    biases: bool = False
    tied: bool = False
    dropout: Probability = 0.0
    attention_dropout: Probability = 0.0
    embedding_norm: bool = True
    ngrams: Annotated[int, Field(ge=1, le=8)] = 1
    ngram_rows: Size = 8192
    ngram_dropout: Probability = 0.2
    ensemble: Size = 1
    counts: bool = False
    initial: Literal["gpt2", "llama", "modern"] = "modern"

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        shape = given.get("shape", cls.model_fields["shape"].default)
        # The field itself reports an unknown or unhashable shape.
        chosen = _SHAPES.get(shape, {}) if isinstance(shape, str) else {}
        filled = {**chosen, **given}
        width, heads = (_size(filled.get(name, cls.model_fields[name].default)) for name in ("width", "heads"))
        gated = filled.get("activation") == "swiglu"
        # The field itself reports an invalid size; sizes derived from it are not reported again.
        if heads is not None:
            filled.setdefault("key_value_heads", heads)
        if heads is not None and width is not None and width % heads == 0:
            filled.setdefault("head_width", width // heads)
        if width is not None:
            filled.setdefault("feed_forward", _gated_width(width) if gated else 4 * width)
        if shape == "gpt2" and "dropout" in filled:
            filled.setdefault("attention_dropout", filled["dropout"])
        return filled

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if "head_width" not in self.model_fields_set and self.width % self.heads:
            raise ValueError(
                f"heads = {self.heads} does not divide width = {self.width}: choose a width that is a multiple of "
                "heads, or set head_width"
            )
        if self.heads % self.key_value_heads:
            raise ValueError(
                f"key_value_heads = {self.key_value_heads} does not divide heads = {self.heads}: "
                "choose a divisor, or remove the key"
            )
        if self.positions == "rotary" and self.head_width % 2:
            raise ValueError(
                f"head_width = {self.head_width}, by default width / heads, is odd: rotary positions need an even "
                'number. Change width or heads, set head_width, or use positions = "learned"'
            )
        return self

    def weights(self, vocabulary: int, window: int) -> int:
        """Return the number of weights of one network, without norms and biases."""
        attention = 2 * self.width * self.head_width * (self.heads + self.key_value_heads)
        feed_forward = (3 if self.activation == "swiglu" else 2) * self.width * self.feed_forward
        rows = vocabulary * (1 if self.tied else 2) + (self.ngrams - 1) * self.ngram_rows
        rows += window if self.positions == "learned" else 0
        return self.layers * (attention + feed_forward) + rows * self.width

    def row_values(self, window: int) -> int:
        """Return the minimum number of values that one network keeps per row for the backward pass."""
        return window * self.layers * (self.width + self.feed_forward)

    def describe(self) -> str:
        """Return shape, blocks, width and heads."""
        blocks = f"{self.layers} block{'s' if self.layers > 1 else ''}"
        return f"shape {self.shape}, {blocks} of width {self.width}, {self.heads} heads"

    def describe_additions(self) -> list[str]:
        """Return the embeddings of n-grams, if there are any."""
        if self.ngrams == 1:
            return []
        return [f"embeddings of up to {self.ngrams} tokens together, {self.ngram_dropout:.0%} of them dropped"]


class RecurrentSettings(ArchitectureSettings):
    """A recurrent network: embedding, LSTM or GRU layers, output matrix.

    `embedding` defaults to `width`. `dropout` acts on the embedding, between the layers and before the output.
    Raises pydantic's ValidationError if `tied` and the two widths differ.
    """

    kind: Literal["lstm", "gru"] = "lstm"
    layers: Size = 1
    width: Size = 128
    embedding: Size = 128
    dropout: Probability = 0.0
    tied: bool = False
    ensemble: Size = 1
    counts: bool = False

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("embedding") is not None:
            return given
        return {**given, "embedding": given.get("width", cls.model_fields["width"].default)}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.tied and self.embedding != self.width:
            raise ValueError(
                f"tied = true needs embedding = width, but they are {self.embedding} and {self.width}: "
                "make them equal, or set tied = false"
            )
        return self

    def weights(self, vocabulary: int, window: int) -> int:
        """Return the number of weights of one network, without biases."""
        gates = {"lstm": 4, "gru": 3}[self.kind]
        layers = gates * self.width * (self.embedding + self.width + (self.layers - 1) * 2 * self.width)
        return layers + vocabulary * (self.width if self.tied else self.embedding + self.width)

    def row_values(self, window: int) -> int:
        """Return the minimum number of values that one network keeps per row for the backward pass."""
        return window * (self.embedding + self.layers * self.width)

    def describe(self) -> str:
        """Return layers and width."""
        return f"{self.layers} layer{'s' if self.layers > 1 else ''} of width {self.width}"


ModelSettings = Annotated[GPTSettings | RecurrentSettings, Field(discriminator="kind")]
ARCHITECTURES: tuple[type[ArchitectureSettings], ...] = get_args(get_args(ModelSettings)[0])
"""The settings of all architectures."""
KINDS = frozenset(kind for settings in ARCHITECTURES for kind in get_args(settings.model_fields["kind"].annotation))
"""The values of `model.kind`."""


def _size(value: Any) -> int | None:
    """Return the size that pydantic reads from `value`, or None if it is invalid."""
    try:
        return _SIZE.validate_python(value)
    except ValidationError:
        return None


def _gated_width(width: int) -> int:
    return -(-8 * width // (3 * _GATED_MULTIPLE)) * _GATED_MULTIPLE
