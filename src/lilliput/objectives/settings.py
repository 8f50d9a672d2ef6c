"""The settings of the objective: the [objective] section of a recipe."""

from typing import Literal

from lilliput.settings import Settings


class ObjectiveSettings(Settings):
    """What is minimised."""

    kind: Literal["next_token"] = "next_token"
