import torch
from torch import Tensor, nn

from lilliput.data.batch import Batch
from lilliput.models import Cache, Model
from lilliput.objectives.next_token import next_token


class Network(Model):
    """An embedding and an output matrix: the next token by the present one."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 5)
        self.output = nn.Linear(5, 11)

    def features(self, ids_BT: Tensor, cache: Cache | None = None, before_BP: Tensor | None = None) -> Tensor:
        features_BTD: Tensor = self.embedding(ids_BT)
        return features_BTD

    def head(self, features_BTD: Tensor) -> Tensor:
        logits_BTV: Tensor = self.output(features_BTD)
        return logits_BTV

    def new_cache(self, batch: int) -> Cache:
        raise AssertionError("an objective needs no cache")


def model_and_batch() -> tuple[Network, Batch]:
    torch.manual_seed(0)
    model = Network()
    ids_BT = torch.randint(11, (3, 6))
    return model, Batch(ids_BT[:, :-1], ids_BT[:, 1:], torch.rand(3, 5))


def test_the_loss_is_the_weighted_sum_over_targets() -> None:
    model, batch = model_and_batch()
    log_probabilities_BTV = model.output(model.features(batch.inputs_BT)).log_softmax(-1)
    expected = 0.0
    for row in range(3):
        for place in range(5):
            target = int(batch.targets_BT[row, place])
            expected -= (batch.weights_BT[row, place] * log_probabilities_BTV[row, place, target]).item()
    assert abs(next_token(model, batch).item() - expected) < 1e-5


def test_a_target_of_weight_zero_gives_no_gradient() -> None:
    model, batch = model_and_batch()
    weights_BT = torch.zeros(3, 5)
    weights_BT[1, 2] = 1.0
    next_token(model, Batch(batch.inputs_BT, batch.targets_BT, weights_BT)).backward()
    touched = model.embedding.weight.grad.abs().sum(1).nonzero().flatten().tolist()
    assert touched == [int(batch.inputs_BT[1, 2])]
