"""The transformer compared with a slow reference: loops, explicit softmax, rotation by complex numbers."""

import math

import pytest
import torch

from lilliput.models import GPTSettings, build

VOCABULARY, LENGTH = 13, 9


def slow_norm(x_TD, kind, epsilon, weights, name):
    if kind == "layer":
        centred_TD = x_TD - x_TD.mean(-1, keepdim=True)
        result_TD = centred_TD / (centred_TD.pow(2).mean(-1, keepdim=True) + epsilon).sqrt()
    else:
        result_TD = x_TD / (x_TD.pow(2).mean(-1, keepdim=True) + epsilon).sqrt()
    return result_TD * weights.get(f"{name}.weight", 1.0) + weights.get(f"{name}.bias", 0.0)


def slow_linear(x_TD, weights, name):
    return x_TD @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0.0)


def slow_rotation(head_TK, base):
    half = head_TK.shape[1] // 2
    pairs = torch.complex(head_TK[:, :half], head_TK[:, half:])
    for position in range(head_TK.shape[0]):
        for index in range(half):
            angle = position * base ** (-2 * index / head_TK.shape[1])
            pairs[position, index] *= complex(math.cos(angle), math.sin(angle))
    return torch.cat((pairs.real, pairs.imag), dim=1)


def slow_attention(x_TD, settings, weights, name):
    queries_TD, keys_TD, values_TD = (
        slow_linear(x_TD, weights, f"{name}.{part}") for part in ("query", "key", "value")
    )
    width, mixed = settings.head_width, []
    for head in range(settings.heads):
        group = head // (settings.heads // settings.key_value_heads)
        query_TK = queries_TD[:, head * width : (head + 1) * width]
        key_TK, value_TK = (part[:, group * width : (group + 1) * width] for part in (keys_TD, values_TD))
        if settings.query_key_norm:
            query_TK, key_TK = (slow_norm(part, "rms", settings.norm_epsilon, {}, "") for part in (query_TK, key_TK))
        if settings.positions == "rotary":
            query_TK, key_TK = (slow_rotation(part, settings.rotary_base) for part in (query_TK, key_TK))
        rows = []
        for position in range(x_TD.shape[0]):
            scores = torch.exp(key_TK[: position + 1] @ query_TK[position] / math.sqrt(width))
            rows.append((scores / scores.sum()) @ value_TK[: position + 1])
        mixed.append(torch.stack(rows))
    return slow_linear(torch.cat(mixed, dim=1), weights, f"{name}.output")


def slow_feed_forward(x_TD, settings, weights, name):
    hidden = slow_linear(x_TD, weights, f"{name}.up")
    if settings.activation == "gelu":
        hidden = 0.5 * hidden * (1 + torch.tanh(math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)))
    elif settings.activation == "swiglu":
        gate = slow_linear(x_TD, weights, f"{name}.gate")
        hidden = gate / (1 + torch.exp(-gate)) * hidden
    else:
        hidden = hidden.clamp(min=0) ** (2 if settings.activation == "relu2" else 1)
    return slow_linear(hidden, weights, f"{name}.down")


def slow_gpt(ids_T, settings, weights):
    x_TD = weights["embedding.weight"][ids_T]
    if settings.positions == "learned":
        x_TD = x_TD + weights["position.weight"][: len(ids_T)]
    if settings.embedding_norm:
        x_TD = slow_norm(x_TD, "rms", settings.norm_epsilon, {}, "")
    for layer in range(settings.layers):
        for name, part in (("attention", slow_attention), ("feed_forward", slow_feed_forward)):
            block = f"blocks.{layer}.{name}"
            normed_TD = slow_norm(x_TD, settings.norm, settings.norm_epsilon, weights, f"{block}_norm")
            x_TD = x_TD + part(normed_TD, settings, weights, block)
    x_TD = slow_norm(x_TD, settings.norm, settings.norm_epsilon, weights, "norm")
    return x_TD @ weights["embedding.weight" if settings.tied else "output.weight"].T


@pytest.mark.parametrize(
    "given",
    [
        {"shape": "gpt2"},
        {"shape": "llama"},
        {"shape": "llama", "key_value_heads": 2},
        {"shape": "modern"},
        {"shape": "modern", "head_width": 10, "key_value_heads": 2},
        {"shape": "modern", "tied": True, "activation": "relu", "key_value_heads": 1, "biases": True},
        {"shape": "gpt2", "positions": "rotary", "query_key_norm": True, "norm": "plain_rms", "rotary_base": 50.0},
    ],
)
def test_logits_equal_those_of_the_reference(given):
    torch.manual_seed(0)
    settings = GPTSettings(layers=2, width=24, heads=4, **given)
    model = build(settings, VOCABULARY, LENGTH).double().eval()
    # The model computes the tables in single precision; compare them with double precision.
    if model.cosines_TK is not None:
        half = settings.head_width // 2
        angles_TK = torch.outer(
            torch.arange(LENGTH).double(), settings.rotary_base ** -(torch.arange(half).double() / half)
        )
        assert torch.allclose(model.cosines_TK[:, :half], angles_TK.cos(), atol=1e-6)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        ids_T = torch.randint(VOCABULARY, (LENGTH,))
        slow_TV = slow_gpt(ids_T, settings, dict(model.named_parameters()))
        torch.testing.assert_close(model(ids_T[None])[0], slow_TV, atol=1e-5, rtol=1e-5)
