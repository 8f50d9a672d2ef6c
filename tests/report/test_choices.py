"""What is told of a planned run before it starts, and after a few steps."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import torch
from tests.training.building import corpus

from lilliput.planning.expected_loss import expected_bits
from lilliput.planning.plan import make_plan
from lilliput.report.choices import ends, memory, outlook
from lilliput.training.events import Started, Stepped


def begun(**changed: Any) -> Started:
    values: dict[str, Any] = {
        "folder": Path("runs/any"),
        "step": 0,
        "steps": None,
        "minutes": 2.0,
        "parameters": 12_345,
        "vocab_size": 40,
        "context": 64,
        "training_tokens": 2700,
        "validation_tokens": 300,
        "baselines": {
            "ngram": {"order": 5, "bits_per_character": 2.5, "training_characters_used": 2700},
            "ppmd": {"order": 6, "bits_per_character": 2.3},
            "xz": {"bits_per_character": 2.8},
        },
        "characters_per_token": 1.0,
    }
    return Started(**values | changed)


def stepped(seconds_left: float | None = 100.0, steps: int = 2760) -> Stepped:
    return Stepped(10, 0.1, torch.tensor(2.0), 1e-3, 10_000.0, seconds_left, steps)


def test_speed_end_and_expectation_are_told() -> None:
    recipe = make_plan("any", corpus(3000), {"training.batch": 5}).recipe()
    here, expected = outlook(recipe, begun(), stepped(), 0.032)
    assert here[1].startswith("12,345 parameters, 10,000 tokens/s, about 2,760 steps, until ")
    assert expected == (
        "expected",
        f"about {expected_bits(2.5, 2.8, 2700, 2760 * 320):.2f} bits per character; to beat: PPMd (order 6) 2.30",
    )


def test_a_length_in_steps_is_told_as_it_is() -> None:
    recipe = make_plan("any", corpus(3000), {"model.layers": 1, "training.batch": 5}).recipe()
    (here,) = outlook(recipe, begun(steps=77), stepped(steps=77), 0.032)
    assert "about 77 steps" in here[1]
    assert outlook(recipe, begun(), stepped(None), 0.032) == []


def test_another_day_is_named() -> None:
    now = datetime.now().astimezone()
    assert ends(0.0) in (f"{now:%H:%M}", f"{now + timedelta(seconds=5):%H:%M}")
    later = now + timedelta(days=2)
    assert ends(2 * 86400.0).startswith(f"{later:%Y-%m-%d}")


def test_memory_is_told_where_it_is_known() -> None:
    assert (memory(1_540_000_000), memory(None)) == (", 1.5 GB of memory", "")
