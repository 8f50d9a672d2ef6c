"""The auxiliary loss that names the ends of lines."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.conftest import made_up_verse
from tests.training.building import example_recipe, recipe, run, stop_after, sums

from lilliput import load
from lilliput.corpus import Corpus, Document
from lilliput.data.batch import Batch
from lilliput.errors import RecipeError, TokenizerError, VerseError
from lilliput.models import build
from lilliput.models.gpt import GPT
from lilliput.models.settings import GPTSettings
from lilliput.objectives.line_endings import LINES, TOKENS, UNKNOWN, LineEndings, line_endings
from lilliput.objectives.next_token import NextToken, next_token
from lilliput.objectives.settings import ObjectiveSettings
from lilliput.recipe import Recipe
from lilliput.runs.folder import RunFolder
from lilliput.tokenizers import token_texts

TEXTS = ["\n", "\n\n", "a", "b", "ce", ".", " "]


def expected(text: list[int], position: int) -> list[int]:
    """Return the targets of a position, found by splitting the tokens into lines."""
    lines: list[list[int]] = [[]]
    for place, id_ in enumerate(text):
        if TEXTS[id_].startswith("\n"):
            lines.append([])
        elif id_ < 5:
            lines[-1].append(place)
        if place == position:
            present = len(lines) - 1
    closed = [line for line in lines[:present] if line]
    before = [list(reversed(line)) for line in reversed(closed)]
    # The tokens of a line continue into the one before, as a window does not know where a poem begins.
    flat = [place for line in before for place in line]
    targets: list[int] = []
    for number in range(LINES):
        start = sum(map(len, before[:number]))
        places = flat[start : start + TOKENS] if number < len(before) else []
        targets += [text[place] for place in places] + [UNKNOWN] * (TOKENS - len(places))
    following = [] if present == len(lines) - 1 else list(reversed(lines[present]))
    ahead = [place for place in following if place > position][:TOKENS]
    return targets + [text[place] for place in ahead] + [UNKNOWN] * (TOKENS - len(ahead))


def expected_reversed(text: list[int], position: int) -> list[int]:
    """Return the targets of a position if each line begins with its last characters."""
    lines: list[list[int]] = [[]]
    for id_ in text[: position + 1]:
        if TEXTS[id_].startswith("\n"):
            lines.append([])
        elif id_ < 5:
            lines[-1].append(id_)
    # The window begins within a line, whose first characters are unknown.
    before = [line[:TOKENS] for line in reversed(lines[1:-1]) if line][:LINES]
    before += [[]] * (LINES - len(before))
    return [target for line in before for target in line + [UNKNOWN] * (TOKENS - len(line))]


@pytest.mark.parametrize("reversed_lines", [False, True])
def test_the_targets_are_the_ends_of_the_lines_around_a_token(reversed_lines: bool) -> None:
    generator = random.Random(1)
    ends_V = torch.tensor([text.startswith("\n") for text in TEXTS])
    letters_V = torch.tensor([text.isalpha() for text in TEXTS])
    for _ in range(40):
        text = [generator.choice([0, 1, 2, 2, 3, 3, 4, 5, 6]) for _ in range(30)]
        targets_TH = line_endings(torch.tensor([text]), ends_V, letters_V, reversed_lines)[0].tolist()
        by_hand = expected_reversed if reversed_lines else expected
        assert targets_TH == [by_hand(text, position) for position in range(30)]


def test_the_value_is_that_of_next_token_prediction_and_the_gradient_has_more() -> None:
    torch.manual_seed(0)
    settings = GPTSettings(layers=3, width=16, heads=2)
    model = build(settings, len(TEXTS), 20)
    ids_BT = torch.randint(len(TEXTS), (4, 21))
    batch = Batch(ids_BT[:, :-1], ids_BT[:, 1:], torch.ones(4, 20))
    objective = NextToken(ObjectiveSettings(line_endings=0.3))
    objective.take_facts({"texts": TEXTS})
    gradients = []
    for loss in (objective(model, batch), next_token(model, batch)):
        model.zero_grad()
        loss.backward()
        gradients.append({name: parameter.grad.clone() for name, parameter in model.named_parameters()})
    assert objective(model, batch).item() == pytest.approx(next_token(model, batch).item())
    more = {name: not torch.equal(gradients[0][name], gradients[1][name]) for name in gradients[0]}
    assert more["embedding.weight"]
    assert not any(changed for name, changed in more.items() if name.startswith(("blocks.2.", "output.")))


def verse() -> Corpus:
    return Corpus("couplets", (Document("couplets", made_up_verse(200)),), ())


def verse_recipe(**settings: Any) -> Recipe:
    small = {"data.window": 48, "data.split.by": "position", "model.layers": 3, "model.dropout": 0.0}
    return recipe(**small | {"training.batch": 8, "training.evaluate_every": 60} | settings)


def test_a_network_learns_where_lines_end(tmp_path: Path) -> None:
    losses = []
    for weight in (0.0, 1.0):
        settings = verse_recipe(**{"objective.line_endings": weight, "training.steps": 60})
        run(tmp_path / str(weight), settings, text=verse())
        writer = load(tmp_path / str(weight))
        model, tokenizer = writer.model.network_alone(), writer.tokenizer
        assert isinstance(model, GPT)
        auxiliary = LineEndings(token_texts(tokenizer))
        ids_BT = torch.tensor(tokenizer.encode(made_up_verse(8, seed=2))[:48].tolist())[None]
        hidden_states: list[torch.Tensor] = []
        with torch.no_grad():
            model.features(ids_BT, hidden_states=hidden_states)
            losses.append(float(auxiliary.loss(hidden_states[1:], ids_BT)))
    assert losses[1] < 0.8 * losses[0]


def test_a_stopped_run_with_processes_continues_exactly(tmp_path: Path) -> None:
    settings = verse_recipe(**{"objective.line_endings": 0.3, "training.steps": 6, "training.processes": 2})
    run(tmp_path / "whole", settings, text=verse())
    run(tmp_path / "halves", settings, text=verse(), stop=stop_after(3))
    run(tmp_path / "halves", settings, text=verse())
    weights = [RunFolder(tmp_path / name).read_weights() for name in ("whole", "halves")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize(
    "settings",
    [{"model.layers": 2}, {"model.layers": 3, "model.counts": True}, {"model.layers": 3, "model.ensemble": 2}],
)
def test_a_network_that_cannot_be_read_in_the_middle_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match=r"at least 3 layers.*set model\.counts=false"):
        recipe(**settings | {"objective.line_endings": 0.3})


def test_prompts_with_answers_have_no_line_endings(tmp_path: Path) -> None:
    settings = example_recipe(**{"model.layers": 3, "objective.line_endings": 0.3})
    with pytest.raises(RecipeError, match="works on texts of verse only"):
        run(tmp_path / "sums", settings, text=sums())


def test_a_vocabulary_without_line_ends_is_refused() -> None:
    with pytest.raises(TokenizerError, match="tokens of their own for line ends"):
        LineEndings(["a", "b\n"])
    with pytest.raises(VerseError, match="at most 8,192 tokens, not 9,000"):
        LineEndings(["\n"] * 9000)
