"""Settings of the objective: the `[objective]` section of a recipe."""

from typing import Literal

from lilliput.settings import Settings


class ObjectiveSettings(Settings):
    """The loss to minimise."""

    kind: Literal["next_token"] = "next_token"
