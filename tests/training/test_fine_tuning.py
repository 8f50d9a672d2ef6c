"""Tuning a trained network so that lines rhyme: on verse that is made up here, in rhymed couplets."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from lilliput.corpus import Corpus, Document
from lilliput.errors import LilliputError, RecipeError, RunError, VerseError
from lilliput.evaluation.fine_tuning import estimate_target
from lilliput.recipe import Recipe
from lilliput.runs.checkpoint import newest_checkpoint
from lilliput.runs.folder import RunFolder
from lilliput.training.data.prepare import open_training_data
from lilliput.training.data.verse_data import VerseData, is_rhymed
from lilliput.training.events import Evaluated
from lilliput.verse.french import French
from tests.conftest import made_up_verse
from tests.training.building import finished, recipe, run, stop_after, sums

UNRHYMED = Corpus("prose", (Document("prose", "un mot et puis un autre sans rien\n" * 60),), ())


def verse(couplets: int = 300) -> Corpus:
    return Corpus("couplets", (Document("couplets", made_up_verse(couplets)),), ())


def base_recipe(**settings: Any) -> Recipe:
    small = {"data.window": 48, "model.width": 32, "model.dropout": 0.0, "data.split.by": "position"}
    length = {"training.steps": 150, "training.batch": 12, "training.evaluate_every": 150}
    return recipe(**small | length | settings)


def tuning_recipe(**settings: Any) -> Recipe:
    tuning = {
        "objective.kind": "vargrad",
        "objective.language": "fr",
        "objective.samples": 8,
        "objective.most_tokens": 12,
        "objective.beta": 4.0,
        "training.steps": 6,
        "training.batch": 4,
        "training.evaluate_every": 3,
    }
    return base_recipe(**tuning | settings)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "base"
    run(folder, base_recipe(), text=verse())
    return folder


@pytest.mark.slow
def test_tuning_makes_lines_rhyme(base: Path, tmp_path: Path) -> None:
    steps = {"training.steps": 60, "training.evaluate_every": 20, "objective.samples": 16}
    events = run(tmp_path / "tuned", tuning_recipe(**steps), text=verse(), base=base)
    lines = finished(events).evaluation["lines"]  # type: ignore[index]
    assert lines["tuned"]["rhyme"] > lines["before"]["rhyme"] + 0.15
    assert lines["before"]["divergence"] == 0
    assert lines["tuned"]["lines"] == lines["before"]["lines"] > 0
    evaluations = [event for event in events if isinstance(event, Evaluated)]
    assert all(event.rhyme is not None for event in evaluations)
    rows = [json.loads(line) for line in (tmp_path / "tuned" / "metrics.jsonl").read_text().splitlines()]
    scores = [row["objective"] for row in rows if "objective" in row]
    best = [event for event in evaluations if event.best][-1]
    assert scores[[event.step for event in evaluations].index(best.step)] == max(scores)


@pytest.mark.slow
def test_lines_from_their_ends_are_tuned_by_their_first_tokens(tmp_path: Path) -> None:
    reversed_lines = {"tokenizer.reverse_lines": True}
    run(tmp_path / "base", base_recipe(**reversed_lines), text=verse())
    steps = {"training.steps": 40, "training.evaluate_every": 20, "objective.prompts": 4096}
    tuned = tuning_recipe(**reversed_lines | steps)
    lines = finished(run(tmp_path / "whole", tuned, text=verse(), base=tmp_path / "base")).evaluation["lines"]  # type: ignore[index]
    assert lines["tuned"]["rhyme"] > lines["before"]["rhyme"] + 0.15
    assert lines["tuned"]["divergence"] < 4
    run(tmp_path / "halves", tuned, text=verse(), base=tmp_path / "base", stop=stop_after(7))
    run(tmp_path / "halves", tuned, text=verse())
    weights = [RunFolder(tmp_path / name).read_weights() for name in ("whole", "halves")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_prompts_may_have_partners_at_any_distance(base: Path, tmp_path: Path) -> None:
    settings = {"objective.rhyme_distance": "any", "training.steps": 1, "data.window": 128}
    run(tmp_path / "base", base_recipe(**{"data.window": 128, "training.steps": 1}), text=verse())
    run(tmp_path / "tuned", tuning_recipe(**settings), text=verse(), base=tmp_path / "base")
    data = open_training_data(RunFolder(tmp_path / "tuned"), 128)
    assert isinstance(data, VerseData)
    distances = set(data._training.distances_N.tolist())
    assert 1 in distances
    assert len(distances) > 1
    rows = zip(*(part.tolist() for part in (data._training.prompts_NL, data._training.lines_NT)), strict=True)
    for prompt, line in list(rows)[:50]:
        length = next(number for number, id_ in enumerate(line) if id_ in data.ends) + 1
        assert data.reward(prompt, line[:length]) > 0


@pytest.mark.parametrize("kind", ["vargrad", "reinforce_kl", "grpo", "raft"])
def test_a_stopped_tuning_continues_exactly(kind: str, base: Path, tmp_path: Path) -> None:
    tuning = tuning_recipe(**{"objective.kind": kind})
    run(tmp_path / "whole", tuning, text=verse(), base=base)
    run(tmp_path / "halves", tuning, text=verse(), base=base, stop=stop_after(4))
    kept = newest_checkpoint(RunFolder(tmp_path / "halves").checkpoints, lambda line: None)
    assert kept is not None
    assert bool(kept.objective) == (kind == "vargrad")
    run(tmp_path / "halves", tuning, text=verse())
    weights = [RunFolder(tmp_path / name).read_weights() for name in ("whole", "halves")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_prompts_end_with_a_line_and_the_next_one_rhymes(base: Path, tmp_path: Path) -> None:
    run(tmp_path / "tuned", tuning_recipe(**{"training.steps": 1}), text=verse(), base=base)
    data = open_training_data(RunFolder(tmp_path / "tuned"), 48)
    assert isinstance(data, VerseData)
    batch = data.batches(8, seed=1)(3)
    assert torch.equal(batch.inputs_BT, data.batches(8, seed=1)(3).inputs_BT)
    assert batch.weights_BT.sum() == len(batch.inputs_BT) == 8
    french = French()
    for prompt, target in zip(batch.inputs_BT.tolist(), batch.targets_BT.tolist(), strict=True):
        text, line = data.tokenizer.decode(prompt), data.tokenizer.decode(target).split("\n")[0]
        before, ending = french.ending(text), french.ending(line)
        assert text.endswith("\n")
        assert before and ending and french.rhyme(before, ending)
        length = next(number for number, id_ in enumerate(target) if id_ in data.ends) + 1
        assert data.reward(prompt, target[:length]) > 0
        assert data.reward(prompt, target[: length - 1]) == 0  # the line does not end
        same = data.tokenizer.encode(f"ba {before.word}\n").tolist()
        assert data.reward(prompt, same) == 0
        unreal = data.tokenizer.encode(f"ba f{before.word[1:]}\n").tolist()
        assert data.reward(prompt, unreal) == 0


def test_the_metre_has_its_own_reward(base: Path, tmp_path: Path) -> None:
    weights = {"objective.metre": 0.5, "objective.rhyme": 0.25, "training.steps": 1}
    run(tmp_path / "tuned", tuning_recipe(**weights), text=verse(), base=base)
    data = open_training_data(RunFolder(tmp_path / "tuned"), 48)
    assert isinstance(data, VerseData)
    prompt = data.tokenizer.encode("de mira\nba lana\n").tolist()
    equal, longer = (data.tokenizer.encode(f"{line}\n").tolist() for line in ("fa bodi", "fa de bodi"))
    assert data.reward(prompt, equal) == 0.5
    assert data.reward(prompt, longer) == 0
    assert data.reward(prompt, data.tokenizer.encode("fa mira\n").tolist()) == pytest.approx(0.5 + 0.7 * 0.25)


def test_the_first_rhyme_of_a_couplet_is_wanted() -> None:
    french = French()
    endings = [french.ending(word) for word in ("lana", "mira", "tela", "bodi", "tari")]
    assert [is_rhymed(endings, index, 1, french) for index in range(2, 5)] == [False, False, True]
    assert not is_rhymed([french.ending("lana"), french.ending("bodi"), None, french.ending("tari")], 3, 2, french)


def test_the_target_is_estimated_before_the_first_step(base: Path, tmp_path: Path) -> None:
    run(tmp_path / "tuned", tuning_recipe(**{"training.steps": 1}), text=verse(), base=base)
    data = open_training_data(RunFolder(tmp_path / "tuned"), 48)
    assert isinstance(data, VerseData)
    prompts = torch.from_numpy(data._training.prompts_NL[:16])
    estimate, flat = (
        estimate_target(data.prior, prompts, data.reward, beta, most_tokens=12, ends=data.ends, per_prompt=16)
        for beta in (4.0, 1e-9)
    )
    assert 0 < flat.base == pytest.approx(flat.target)
    assert estimate.base == flat.base < estimate.target < 1
    odds = estimate.target / (1 - estimate.target)
    most = estimate.base / (1 - estimate.base) * math.exp(4)
    assert most * math.exp(-0.3 * 4) * 0.999 <= odds <= most * 1.001  # poor rhymes have 0.7 of the reward
    assert "% have a reward; of the target, about" in data.notes()[-1]


@pytest.mark.parametrize("kind", ["reinforce_kl", "grpo", "raft"])
def test_a_base_that_never_rhymes_cannot_be_tuned_by_its_own_lines(kind: str, base: Path, tmp_path: Path) -> None:
    never = {"objective.kind": kind, "objective.rhyme": 0.0}
    with pytest.raises(VerseError, match=f"none of 1,024 lines of the base has a reward, and {kind}"):
        run(tmp_path / "tuned", tuning_recipe(**never), text=verse(), base=base)


@pytest.mark.parametrize(
    ("settings", "text", "has_base", "words"),
    [
        ({}, verse(), False, "--base RUN"),
        ({}, UNRHYMED, True, "give more verse"),
        ({"model.counts": True, "model.ngrams": 2}, verse(), True, "model.counts=false"),
    ],
)
def test_what_cannot_be_tuned(
    settings: dict[str, Any], text: Corpus, has_base: bool, words: str, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(LilliputError, match=words):
        run(tmp_path / "tuned", tuning_recipe(**settings), text=text, base=base if has_base else None)


def test_a_base_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run at .*nothing"):
        run(tmp_path / "tuned", tuning_recipe(), text=verse(), base=tmp_path / "nothing")


def test_prompts_with_answers_cannot_be_tuned(base: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="needs a text of verse"):
        run(tmp_path / "tuned", tuning_recipe(), text=sums(), base=base)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"objective.beta": 2.0}, "beta needs an objective such as"),
        ({"objective.kind": "vargrad"}, "language is missing"),
    ],
)
def test_settings_of_the_objective_fit_together(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        recipe(**settings)
