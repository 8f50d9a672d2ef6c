import torch
from torch import nn

from lilliput.data.batch import Batch
from lilliput.objectives import next_token


def model_and_batch() -> tuple[nn.Module, Batch]:
    torch.manual_seed(0)
    model = nn.Embedding(11, 11)  # logits of the next token by the present one
    ids_BT = torch.randint(11, (3, 6))
    return model, Batch(ids_BT[:, :-1], ids_BT[:, 1:], torch.rand(3, 5))


def test_the_loss_is_the_weighted_sum_over_targets() -> None:
    model, batch = model_and_batch()
    log_probabilities_BTV = model(batch.inputs_BT).log_softmax(-1)
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
    touched = model.weight.grad.abs().sum(1).nonzero().flatten().tolist()
    assert touched == [int(batch.inputs_BT[1, 2])]
