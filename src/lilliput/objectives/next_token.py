"""Next-token prediction: the weighted negative log-likelihood of every target.

Shapes: B rows, T time, N positions, D width.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from lilliput.data.batch import Batch
from lilliput.models.gpt import GPT
from lilliput.objectives.line_endings import LineEndings
from lilliput.objectives.protocol import Network, Objective
from lilliput.objectives.settings import ObjectiveSettings
from lilliput.tokenizers import Tokenizer, token_texts


def next_token(model: Network, batch: Batch) -> Tensor:
    """Return the sum of weight x negative log-likelihood (nats) over all targets of the batch."""
    features_BTD = model.features(batch.inputs_BT)
    return model.loss(features_BTD.flatten(0, 1), batch.targets_BT.flatten(), batch.weights_BT.flatten())


class Text(Protocol):
    """What this objective needs to know of the training data."""

    tokenizer: Tokenizer


class NextToken(Objective):
    """Next-token prediction, and the auxiliary loss of `line_endings` if the settings ask for it."""

    def __init__(self, settings: ObjectiveSettings | None = None) -> None:
        super().__init__(settings)
        self._facts: dict[str, Any] = {}
        self._line_endings: LineEndings | None = None

    def attach(self, training_data: Text) -> None:
        """Get to know the vocabulary. Raises LilliputError if the auxiliary loss needs another one."""
        if self.settings.line_endings:
            tokenizer = training_data.tokenizer
            self.take_facts({"texts": token_texts(tokenizer), "reversed_lines": tokenizer.reverse_lines})

    def facts(self) -> dict[str, Any]:
        """Return the text of each token and whether lines are reversed, if needed."""
        return self._facts

    def take_facts(self, facts: Mapping[str, Any]) -> None:
        """Get to know the vocabulary."""
        if facts:
            self._facts = dict(facts)
            self._line_endings = LineEndings(**facts)

    def __call__(self, model: Network, batch: Batch) -> Tensor:
        """Return the loss of `batch`, as `next_token` does. The auxiliary loss adds to its gradient only."""
        if self._line_endings is None:
            return next_token(model, batch)
        assert isinstance(model, GPT)
        hidden_states: list[Tensor] = []
        features_BTD = model.features(batch.inputs_BT, hidden_states=hidden_states)
        loss = model.loss(features_BTD.flatten(0, 1), batch.targets_BT.flatten(), batch.weights_BT.flatten())
        auxiliary = self.settings.line_endings * self._line_endings.loss(hidden_states[1:], batch.inputs_BT)
        return loss + (auxiliary - auxiliary.detach())
