"""Objectives by the name that a recipe gives."""

from lilliput.objectives.next_token import NextToken
from lilliput.objectives.posterior import Posterior
from lilliput.objectives.protocol import Objective
from lilliput.objectives.settings import ObjectiveSettings

OBJECTIVES: dict[str, type[Objective]] = {
    "next_token": NextToken,
    "vargrad": Posterior,
    "reinforce_kl": Posterior,
    "grpo": Posterior,
    "raft": Posterior,
}


def build_objective(settings: ObjectiveSettings) -> Objective:
    """Return the objective that the settings name, at its beginning."""
    return OBJECTIVES[settings.kind](settings)
