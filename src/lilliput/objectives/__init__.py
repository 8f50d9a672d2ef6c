"""What is minimised."""

from lilliput.objectives.next_token import Objective, next_token

__all__ = ["Objective", "next_token"]
