"""Runs on prompts with answers: the properties that they share with texts, and those that they do not."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lilliput.corpus import END, Example, Examples
from lilliput.corpus.examples import gather
from lilliput.data.arithmetic import make_problems
from lilliput.data.encoded_examples import ExampleBatches, read_examples
from lilliput.errors import CorpusError, RecipeError, RunError
from lilliput.models import build, count_parameters
from lilliput.objectives.next_token import NextToken
from lilliput.optimization.optimizers import build_optimizers
from lilliput.planning.resolve import resolve
from lilliput.recipe import Recipe, make_recipe, named_recipe, read_recipe
from lilliput.runs.folder import RunFolder
from lilliput.runtime import Runtime
from lilliput.training.evaluator import evaluate_run
from lilliput.training.events import Evaluated, Note, Sampled, Started
from lilliput.training.fit import fit
from lilliput.training.gradient import Scaler
from lilliput.training.train import train
from lilliput.training.workers.alone import Alone
from lilliput.writer import load
from tests.training.building import corpus, example_recipe, finished, run, stop_after, sums
from tests.training.test_resume import assert_equal_runs

MODELS: dict[str, dict[str, Any]] = {
    "gpt": {},
    "lstm": {"model": {"kind": "lstm", "width": 16, "dropout": 0.2}},
    "accumulation": {"training.accumulation": 2, "training.batch": 4, "training.optimizer": "muon"},
}


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS.keys())
def test_stopped_and_continued_equals_unbroken(tmp_path: Path, options: dict[str, Any]) -> None:
    recipe = example_recipe(**options)
    run(tmp_path / "whole", recipe, text=sums())
    assert finished(run(tmp_path / "halves", recipe, text=sums(), stop=stop_after(7))).interrupted
    last = finished(run(tmp_path / "halves", recipe, text=sums()))
    assert (last.step, last.interrupted) == (12, False)
    assert_equal_runs(tmp_path / "whole", tmp_path / "halves")
    assert (tmp_path / "whole" / "recipe.toml").read_bytes() == (tmp_path / "halves" / "recipe.toml").read_bytes()


def test_four_micro_batches_are_one_batch(tmp_path: Path) -> None:
    run(tmp_path / "run", example_recipe(**{"training.steps": 1}), text=sums())
    examples = read_examples(RunFolder(tmp_path / "run").training_tokens)
    cpu = Runtime(torch.device("cpu"), "float32", "a test")

    def weights(accumulation: int) -> torch.Tensor:
        settings = example_recipe(**{"training.optimizer": "sgd", "training.accumulation": accumulation}).training
        torch.manual_seed(0)
        model = build(example_recipe(**{"model.dropout": 0.0}).model, 40, examples.positions)
        steps = fit(
            model,
            NextToken(),
            ExampleBatches(examples, 32, seed=1).batch,
            build_optimizers(model, settings),
            lambda step: 1.0 if step < 3 else None,
            runtime=cpu,
            scaler=Scaler(cpu, {}),
            workers=Alone(),
            seed=1,
            accumulation=accumulation,
            clip=settings.clip,
        )
        assert len(list(steps)) == 3
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    assert (weights(1) - weights(4)).abs().max() < 1e-6


def test_a_run_reports_the_share_of_right_answers(tmp_path: Path) -> None:
    events = run(tmp_path / "run", example_recipe(), text=sums())
    started = next(event for event in events if isinstance(event, Started))
    assert (started.training_problems, started.validation_problems) == (130, 14)
    assert started.context == len("11+11=22")  # the end is a target only
    assert started.characters_per_token is None
    evaluations = [event for event in events if isinstance(event, Evaluated)]
    assert [evaluation.step for evaluation in evaluations] == [4, 8, 12]
    assert all(
        evaluation.exact_match is not None and evaluation.bits_per_character is None for evaluation in evaluations
    )
    files = RunFolder(tmp_path / "run")
    rows = [row for row in files.read_lines(files.metrics) if "validation_loss" in row]
    assert [row["exact_match"] for row in rows] == [evaluation.exact_match for evaluation in evaluations]
    evaluation = finished(events).evaluation
    assert evaluation is not None
    assert evaluation.keys() >= {
        "exact_match",
        "right",
        "problems",
        "loss",
        "perplexity",
        "tokens",
        "baselines",
        "wrong",
    }
    assert evaluation["problems"] == 14
    assert evaluation["baselines"]["most_frequent_answer"].keys() == {"answer", "exact_match"}
    assert len(evaluation["wrong"]) == min(5, 14 - evaluation["right"])
    assert json.loads(files.evaluation.read_text())["exact_match"] == evaluation["exact_match"]


def test_samples_are_held_out_problems(tmp_path: Path) -> None:
    events = run(tmp_path / "run", example_recipe(), text=sums())
    files = RunFolder(tmp_path / "run")
    rows = files.read_lines(files.samples)
    assert [row["step"] for row in rows] == [4] * 5 + [8] * 5 + [12] * 5
    held_out = dict.fromkeys(event.text for event in events if isinstance(event, Sampled))
    assert len(held_out) == 3
    for row in rows:
        a, b = row["prompt"].rstrip("=").split("+")
        assert row["answer"] == str(int(a) + int(b))
        assert row["text"].startswith(row["prompt"])
        assert END not in row["text"]
        right = row["text"] == row["prompt"] + row["answer"]
        line = ("right  " if right else "WRONG  ") + row["text"]
        assert any(line in text for text in held_out)


def test_a_trained_run_answers_and_stops_at_the_end_token(tmp_path: Path) -> None:
    few = gather("few", [Example("one? ", "1"), Example("two? ", "22"), Example("three? ", "333\n3")] * 4)
    options = {"training.steps": 150, "training.evaluate_every": 150, "model.dropout": 0.0}
    last = finished(list(train(example_recipe(**options), few, few, tmp_path / "run")))
    assert last.evaluation is not None
    assert last.evaluation["exact_match"] == 1.0
    assert last.evaluation["wrong"] == []
    writer = load(tmp_path / "run")
    assert [writer.write(prompt) for prompt in ("one? ", "two? ", "three? ")] == ["one? 1", "two? 22", "three? 333\n3"]
    assert writer.write() == "one? 1"
    saved = read_recipe(tmp_path / "run" / "recipe.toml").sample
    assert (saved.stop, saved.temperature, saved.prompts) == ((END,), 0.0, ("one? ",))


def test_the_sampling_of_a_recipe_is_kept(tmp_path: Path) -> None:
    options = {"sample.temperature": 0.5, "sample.prompts": ["3+4="], "sample.stop": ["!"], "training.steps": 1}
    run(tmp_path / "run", example_recipe(**options), text=sums())
    saved = read_recipe(tmp_path / "run" / "recipe.toml").sample
    assert (saved.stop, saved.temperature, saved.prompts) == (("!", END), 0.5, ("3+4=",))


def test_changes_are_refused_as_for_texts(tmp_path: Path) -> None:
    run(tmp_path / "run", example_recipe(), text=sums(), stop=stop_after(3))
    with pytest.raises(RunError, match="a different text"):
        run(tmp_path / "run", example_recipe(), text=sums(11))
    with pytest.raises(RunError, match="a different text"):
        run(tmp_path / "run", example_recipe(), text=corpus())


def test_an_example_too_long_leaves_an_earlier_run_alone(tmp_path: Path) -> None:
    run(tmp_path / "run", example_recipe(), text=sums())
    before = (tmp_path / "run" / "weights.safetensors").read_bytes()
    with pytest.raises(CorpusError, match=r"problem \d+ has 9 tokens with its end, but at most 5 fit"):
        run(tmp_path / "run", example_recipe(**{"data.window": 4}), text=sums(), fresh=True)
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == before


def test_a_text_is_not_measured_on_examples_nor_the_reverse(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="must be of the same kind"):
        list(train(example_recipe(), sums(), corpus(), tmp_path / "run"))
    with pytest.raises(CorpusError, match="must be of the same kind"):
        list(train(example_recipe(), corpus(), sums(), tmp_path / "run"))


def test_counts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"model\.counts"):
        run(tmp_path / "run", example_recipe(**{"model.counts": True}), text=sums())


def test_validation_prompts_in_the_training_data_are_reported(tmp_path: Path) -> None:
    events = list(train(example_recipe(), sums(), sums(3), tmp_path / "run"))
    notes = [event.text for event in events if isinstance(event, Note)]
    assert "9 of the 9 validation prompts are also in the training data" in notes


@pytest.mark.parametrize("kind", ["byte", "bpe", "word"])
def test_other_tokenizers_work_from_training_to_sampling(tmp_path: Path, kind: str) -> None:
    settings = {"tokenizer.kind": kind, "data.window": 40} | ({} if kind == "byte" else {"tokenizer.vocabulary": 40})
    assert finished(run(tmp_path / "run", example_recipe(**settings), text=sums())).evaluation is not None
    assert load(tmp_path / "run").write("3+4=").startswith("3+4=")


# The arguments of `lilliput train`.


def file_of(folder: Path, name: str, examples: Examples) -> Path:
    path = folder / name
    rows = [{"prompt": example.prompt, "answer": example.answer} for example in examples]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_file_alone_gets_a_plan(tmp_path: Path) -> None:
    task = resolve([str(file_of(tmp_path, "questions.jsonl", sums(40)))])
    assert task.name == "questions"
    assert isinstance(task.corpus, Examples)
    assert task.validation is None
    assert task.recipe.data.window >= task.corpus.longest
    assert task.recipe.training.batch > 12
    long = gather("long", [Example("x" * 3000, str(number)) for number in range(30)])
    assert resolve([str(file_of(tmp_path, "long.jsonl", long))]).recipe.training.batch == 1


def test_separate_files_for_training_and_validation(tmp_path: Path) -> None:
    path, other = file_of(tmp_path, "q.jsonl", sums()), file_of(tmp_path, "held.jsonl", sums(3))
    task = resolve([str(path)], validation=str(other), settings={"training.steps": 3})
    assert isinstance(task.validation, Examples)
    run_events = list(train(task.recipe, task.corpus, task.validation, tmp_path / "run"))
    assert next(event.validation_problems for event in run_events if isinstance(event, Started)) == 9
    (tmp_path / "text.txt").write_text("a text of no use here")
    with pytest.raises(CorpusError, match=r"text\.txt holds no prompts and answers, .*give \.jsonl"):
        resolve([str(path)], validation=str(tmp_path / "text.txt"))


def test_another_file_is_measured_with_the_baseline_of_the_run(tmp_path: Path) -> None:
    run(tmp_path / "run", example_recipe(), text=sums())
    writer = load(tmp_path / "run")
    report = evaluate_run(writer, tmp_path / "run")
    assert report == {
        k: v
        for k, v in RunFolder(tmp_path / "run").read_json(tmp_path / "run" / "evaluation.json").items()
        if k != "step"
    }
    report = evaluate_run(writer, tmp_path / "run", str(file_of(tmp_path, "other.jsonl", sums(5))))
    assert report["problems"] == 25
    commonest = report["baselines"]["most_frequent_answer"]["answer"]
    expected = sum(example.answer == commonest for example in sums(5)) / 25
    assert report["baselines"]["most_frequent_answer"] == {"answer": commonest, "exact_match": expected}
    long = file_of(tmp_path, "long.jsonl", gather("long", [Example("1+1=", "2"), Example("1" * 30, "1")]))
    with pytest.raises(CorpusError, match=r"long\.jsonl, line 2 has 32 tokens with its end, but at most 9 fit"):
        evaluate_run(writer, tmp_path / "run", str(long))
    (tmp_path / "text.txt").write_text("a text")
    with pytest.raises(CorpusError, match=r"text\.txt holds no prompts and answers"):
        evaluate_run(writer, tmp_path / "run", str(tmp_path / "text.txt"))


# Sums from a recipe.


def arithmetic(**settings: Any) -> Recipe:
    values = {"digits": 2, "training": 300, "validation": 40}
    return make_recipe(
        {"name": "sums", "data": {"window": 32, "arithmetic": values}, "training": {"steps": 3, "batch": 8}}, settings
    )


def test_a_recipe_with_arithmetic_makes_its_problems(tmp_path: Path) -> None:
    arithmetic().write(tmp_path / "mine.toml")
    task = resolve([str(tmp_path / "mine.toml")], settings={"model.width": 16, "model.layers": 1})
    again = resolve([str(tmp_path / "mine.toml")], settings={"seed": 2})
    assert task.name == "sums"
    assert (len(task.corpus), len(task.validation)) == (300, 40)  # type: ignore[arg-type]
    assert task.corpus.sha256 != again.corpus.sha256
    assert finished(list(train(task.recipe, task.corpus, task.validation, tmp_path / "run"))).step == 3
    facts = RunFolder(tmp_path / "run").read_json(tmp_path / "run" / "facts.json")
    assert facts["training"]["problems"] == 300
    assert "2 digits" in facts["text"]["name"]


def test_arithmetic_beside_a_text_is_refused(tmp_path: Path) -> None:
    arithmetic().write(tmp_path / "mine.toml")
    (tmp_path / "story.txt").write_text("a text")
    for options in ({"corpus": str(tmp_path / "story.txt")}, {"validation": str(tmp_path / "story.txt")}):
        with pytest.raises(RecipeError, match=r"data\.arithmetic generates its own problems\. Remove data\.corpus"):
            resolve([str(tmp_path / "mine.toml")], **options)  # type: ignore[arg-type]


def test_problems_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    arithmetic().write(tmp_path / "mine.toml")
    with pytest.raises(RecipeError, match=r"data\.arithmetic\.training = 20,000 is too many"):
        resolve([str(tmp_path / "mine.toml")], settings={"data.arithmetic.training": 20_000})
    with pytest.raises(RecipeError, match=r"data\.arithmetic\.digit: unknown key .*'digits'"):
        resolve([str(tmp_path / "mine.toml")], settings={"data.arithmetic.digit": 3})
    with pytest.raises(RecipeError, match=r"data\.arithmetic\.digits: .*greater than or equal to 1, not 0"):
        resolve([str(tmp_path / "mine.toml")], settings={"data.arithmetic.digits": 0})


def test_the_built_in_recipes_match_their_descriptions() -> None:
    ten, three = named_recipe("addition-ten"), named_recipe("addition")
    for recipe, problems in ((ten, 10_010), (three, 10_000)):
        assert recipe.data.arithmetic is not None
        small = recipe.data.arithmetic.model_copy(update={"training": 1000})
        _, held_out = make_problems(small, recipe.seed)
        assert len(held_out) == problems
        assert held_out.longest <= recipe.data.window
        prompt = recipe.sample.prompts[0]
        assert len(prompt) == 22 or not small.padding
    vocabulary, context = 10 + len("+=") + len(END) + 16, 33
    parameters = count_parameters(build(ten.model, vocabulary, context))
    assert f"with {parameters:,} parameters" in ten.description
