"""Settings of the objective: the `[objective]` section of a recipe."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lilliput.settings import Settings

FEWEST_BLOCKS = 3
"""Minimum blocks of a network with the auxiliary loss of `line_endings`."""


class ObjectiveSettings(Settings):
    """The loss to minimise. All keys but the first two are for objectives that tune a trained model towards verse."""

    kind: Literal["next_token", "vargrad", "reinforce_kl", "grpo", "raft"] = "next_token"
    line_endings: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Weight of an auxiliary loss for verse: at each token, the network also names the ends of the lines around it."""
    language: Literal["en", "fr"] | None = None
    """Language of the verse, for the rules of rhyme and metre."""
    rhyme_distance: Literal[1, 2, 3, "any"] = 1
    """The line to rhyme with: 1 is the line before (couplets), 2 the one before that; "any" is as in the text."""
    beta: Annotated[float, Field(gt=0, le=100)] = 6.0
    """Weight of the reward, in nats."""
    rhyme: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Reward of a rhyme of two common sounds or more; a poor rhyme gets 0.7 of it."""
    metre: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Reward of a line with as many syllables as the line that it rhymes with."""
    samples: Annotated[int, Field(ge=4, le=1024)] = 24
    """Samples of each prompt in a step."""
    prompts: Annotated[int, Field(ge=1)] = 1024
    """Number of prompts, drawn once from the training text."""
    most_tokens: Annotated[int, Field(ge=4)] = 48
    """Maximum tokens of a line."""

    @model_validator(mode="after")
    def _has_language(self) -> "ObjectiveSettings":
        if self.kind == "next_token":
            for name, field in type(self).model_fields.items():
                if name not in ("kind", "line_endings") and getattr(self, name) != field.default:
                    raise ValueError(f"{name} needs an objective such as kind = 'vargrad'")
        elif self.line_endings:
            raise ValueError("line_endings works with kind = 'next_token' only: set it in the recipe of the base")
        elif self.language is None:
            raise ValueError("language is missing: give 'fr' or 'en'")
        return self
