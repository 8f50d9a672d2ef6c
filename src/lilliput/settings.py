"""What every part's configuration has in common: frozen, typed, and without unknown keys.

A configuration lives beside the part that it configures; `recipe` puts them together.
"""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of all configurations: immutable, refuses unknown keys, checks defaults, accepts no infinity or NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
