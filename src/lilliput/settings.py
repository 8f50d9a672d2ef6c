"""The base class of all settings: frozen, typed, without unknown keys.

Settings live beside the part that they configure; `recipe` combines them.
"""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of all settings: immutable; refuses unknown keys, infinity and NaN; validates defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
