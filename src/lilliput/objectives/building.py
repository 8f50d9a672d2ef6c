"""Objectives by the name that a recipe gives."""

from lilliput.objectives.next_token import NextToken
from lilliput.objectives.protocol import Objective
from lilliput.objectives.settings import ObjectiveSettings

OBJECTIVES: dict[str, type[Objective]] = {"next_token": NextToken}


def build_objective(settings: ObjectiveSettings) -> Objective:
    """Return the objective that the settings name, at its beginning."""
    return OBJECTIVES[settings.kind]()
