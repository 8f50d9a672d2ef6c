"""Training data of prompts with answers: only the answers are learnt, and each is right or wrong."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from lilliput.corpus import END, Examples, require_examples, shortened
from lilliput.corpus.settings import ReadSettings
from lilliput.data.batch import Batch
from lilliput.data.encoded_examples import EncodedExamples, ExampleBatches, encode_examples, read_examples
from lilliput.errors import RunError
from lilliput.evaluation.answers import answer_baselines, score_answers
from lilliput.generation.settings import SampleSettings
from lilliput.models import Model
from lilliput.models.protocol import CalibrationBatch
from lilliput.recipe import Recipe
from lilliput.runs.folder import RunFolder
from lilliput.tokenizers import Tokenizer
from lilliput.training.data.training_data import LEARNT, MEASURED, Sample, ValidationResult
from lilliput.writer import Writer

SHOWN = 5
"""Number of problems in a sample during training, and of wrong answers in a report."""


def for_answers(recipe: Recipe, examples: Examples) -> Recipe:
    """Return the recipe with sampling for answers: stop at the end, decode greedily, start with the first prompt."""
    given = recipe.sample.model_fields_set
    values = recipe.sample.model_dump() | {"stop": tuple(dict.fromkeys([*recipe.sample.stop, END]))}
    if "temperature" not in given:
        values["temperature"] = 0.0
    if "prompts" not in given:
        values["prompts"] = (examples[0].prompt,)
    return recipe.model_copy(update={"sample": SampleSettings.model_validate(values)})


class ExampleData:
    """Many prompts with their answers."""

    def __init__(
        self, tokenizer: Tokenizer, training: EncodedExamples, validation: EncodedExamples, facts: dict[str, Any]
    ) -> None:
        self.tokenizer = tokenizer
        self.facts = facts
        self.window = max(training.positions, validation.positions)
        self.targets = int(validation.answer_lengths_N.sum())
        self.fitted = 0
        self._training = training
        self._validation = validation

    @classmethod
    def open(cls, run: RunFolder, tokenizer: Tokenizer, facts: dict[str, Any]) -> "ExampleData":
        """Open the files that `prepare` wrote. Raises RunError if a file is missing or broken."""
        training = read_examples(run.training_tokens, run.read_tokens)
        if len(training) != facts["training"]["problems"]:
            raise RunError(f"{run.training_tokens}: does not match facts.json; start over with --fresh")
        return cls(tokenizer, training, read_examples(run.validation_tokens, run.read_tokens), facts)

    def notes(self) -> list[str]:
        """Return no notes: the context is always as long as the longest example."""
        return []

    def batches(self, rows: int, seed: int) -> Callable[[int], Batch]:
        """Return the function that returns the examples of a step."""
        return ExampleBatches(self._training, rows, seed).batch

    def aside(self, rows: int, memory: int) -> list[CalibrationBatch]:
        """Return an empty list: a model of answers has no gate."""
        return []

    def validate(self, model: Model, limit: int | None) -> ValidationResult:
        """Measure the model on held-out problems."""
        score = score_answers(model, self._validation, limit=limit)
        learnt = score_answers(model, self._training, limit=min(score.tokens, LEARNT)).loss_nats_per_token
        loss = score.loss_nats_per_token
        return ValidationResult(loss, score.tokens, network=loss, learnt=learnt, exact_match=score.exact_match)

    def report_cost(self, model: Model) -> float:
        """Time `validate`: the report does the same for all problems."""
        started = time.monotonic()
        scored = self.validate(model, MEASURED).scored
        return (time.monotonic() - started) / scored

    def sample(self, writer: Writer, step: int, deadline: float) -> Sample:
        """Let the model solve some of the held-out problems."""
        count = min(SHOWN, len(self._validation))
        rows: list[dict[str, Any]] = []
        lines: list[str] = []
        for index in np.random.default_rng(step).choice(len(self._validation), count, replace=False).tolist():
            if rows and time.monotonic() > deadline:
                break
            row = self._answered(writer, self._validation, index)
            right = row["given"] == row["expected"]
            lines.append(("right  " if right else "WRONG  ") + shortened(row["prompt"]) + shortened(row["given"]))
            if not right:
                lines[-1] += f"   ({shortened(row['expected'])} is right)"
            text = row["prompt"] + row["given"]
            rows.append({"step": step, "prompt": row["prompt"], "text": text, "answer": row["expected"]})
        return Sample(rows, "", "\n".join(lines))

    def report(self, writer: Writer, limit: int | None) -> dict[str, Any]:
        """Measure the held-out problems, and show some with wrong answers."""
        return self._measured(writer, self._validation, self.facts["baselines"], limit)

    def report_on(
        self, writer: Writer, target: str, settings: ReadSettings, note: Callable[[str], None]
    ) -> dict[str, Any]:
        """Measure another file of prompts and answers."""
        other = require_examples(target, settings)
        for line in other.notes:
            note(line)
        encoded = encode_examples(other, self.tokenizer, writer.model.context)
        most_frequent = self.facts["baselines"]["most_frequent_answer"]["answer"]
        return self._measured(writer, encoded, answer_baselines(most_frequent, other), None)

    def _measured(
        self, writer: Writer, examples: EncodedExamples, baselines: dict[str, Any], limit: int | None
    ) -> dict[str, Any]:
        score = score_answers(writer.model, examples, limit=limit)
        wrong = [self._answered(writer, examples, index) for index in score.wrong_indices[:SHOWN]]
        return score.as_dict() | {"baselines": baselines, "wrong": wrong}

    def _answered(self, writer: Writer, examples: EncodedExamples, index: int) -> dict[str, str]:
        prompt = self.tokenizer.decode(examples.prompt(index))
        longest = int(examples.answer_lengths_N.max())
        pieces = writer.stream(prompt, temperature=0.0, max_tokens=longest, stop=(END,))
        expected = self.tokenizer.decode(examples.answer(index)).removesuffix(END)
        return {"prompt": prompt, "expected": expected, "given": "".join(piece.text for piece in pieces)}
