import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from lilliput.models import GPTSettings, ModelSettings, RecurrentSettings


@pytest.mark.parametrize("shape", ["gpt2", "llama", "modern"])
def test_settings_survive_json_and_are_complete(shape):
    settings = GPTSettings(shape=shape, layers=3, width=96, heads=6)
    assert GPTSettings.model_validate_json(settings.model_dump_json()) == settings
    assert None not in settings.model_dump().values()


def test_defaults_are_the_modern_shape():
    assert GPTSettings() == GPTSettings(shape="modern")


def test_a_given_field_overrides_its_shape():
    settings = GPTSettings(shape="gpt2", positions="rotary", tied=False)
    assert (settings.positions, settings.tied, settings.norm, settings.biases) == ("rotary", False, "layer", True)


@pytest.mark.parametrize(
    ("given", "feed_forward"),
    [
        ({"shape": "gpt2", "width": 96}, 384),
        ({"shape": "llama", "width": 96}, 256),
        ({"shape": "llama", "width": 128}, 352),
        ({"shape": "llama", "width": 128, "activation": "relu"}, 512),
        ({"shape": "modern", "width": "96", "activation": "swiglu"}, 256),
        ({"shape": "gpt2", "feed_forward": 7}, 7),
    ],
)
def test_feed_forward_follows_from_width_and_activation(given, feed_forward):
    assert GPTSettings(**given).feed_forward == feed_forward


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"shape": "gpt2", "dropout": 0.2}, 0.2),
        ({"shape": "gpt2", "dropout": 0.2, "attention_dropout": 0.1}, 0.1),
        ({"shape": "gpt2"}, 0.0),
        ({"shape": "llama", "dropout": 0.2}, 0.0),
        ({"dropout": 0.2}, 0.0),
        ({"dropout": 0.2, "attention_dropout": 0.3}, 0.3),
    ],
)
def test_dropout_extends_to_the_attention_in_the_gpt2_shape_only(given, expected):
    assert GPTSettings(**given).attention_dropout == expected


def test_key_value_heads_follow_from_heads():
    assert GPTSettings(heads=8).key_value_heads == 8
    assert GPTSettings(heads=8, key_value_heads=2).key_value_heads == 2


def test_width_of_heads_follows_from_width_and_heads():
    assert GPTSettings(width=96, heads=6).head_width == 16
    given = GPTSettings(width=6, heads=4, head_width=8)
    assert given.head_width == 8
    assert GPTSettings.model_validate_json(given.model_dump_json()) == given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"heads": 3}, "heads = 3 does not divide width = 128"),
        ({"heads": 4, "key_value_heads": 3}, "key_value_heads = 3 does not divide heads = 4"),
        ({"width": 12, "heads": 4}, "head_width = 3, by default width / heads, is odd"),
        ({"width": 12, "heads": 5}, "heads = 5 does not divide width = 12: .*, or set head_width"),
        ({"head_width": 3}, "head_width = 3, .*, is odd"),
        ({"layers": 0}, "greater than or equal to 1"),
        ({"width": -4}, "greater than or equal to 1"),
        ({"dropout": 1.0}, "less than 1"),
        ({"shape": "gpt3"}, "'gpt2', 'llama' or 'modern'"),
        ({"n_head": 4}, "Extra inputs"),
    ],
)
def test_impossible_settings_are_refused_once(given, message):
    with pytest.raises(ValidationError, match=message) as caught:
        GPTSettings(**given)
    assert caught.value.error_count() == 1
    assert "\n" not in caught.value.errors()[0]["msg"]


def test_odd_head_width_is_allowed_with_learned_positions():
    assert GPTSettings(shape="gpt2", width=12, heads=4).head_width == 3


def test_embedding_of_a_recurrent_network_follows_from_width():
    assert RecurrentSettings(width=48).embedding == 48
    assert RecurrentSettings(width=48, embedding=16).embedding == 16


def test_tied_recurrent_network_needs_equal_widths():
    with pytest.raises(ValidationError, match="tied = true needs embedding = width, but they are 64 and 128"):
        RecurrentSettings(embedding=64, width=128, tied=True)


def test_kind_chooses_the_settings():
    adapter = TypeAdapter(ModelSettings)
    assert isinstance(adapter.validate_python({"kind": "gpt", "shape": "llama"}), GPTSettings)
    assert adapter.validate_python({"kind": "gru", "width": 5}) == RecurrentSettings(kind="gru", width=5)
    with pytest.raises(ValidationError):
        adapter.validate_python({"kind": "transformer"})


def test_settings_do_not_import_torch():
    program = (
        "import sys, lilliput.models, lilliput.generation, lilliput.generation.sampling; print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
