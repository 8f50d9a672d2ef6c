"""A worker process: it computes the gradients of its rows.

Its standard input has the model's settings, then one task per line (see `pool`); it answers each with one line. It ends
with its input, so it never outlives the process that started it.
"""

import json
import os
import sys
from typing import Any, TextIO

import torch
from pydantic import TypeAdapter

from lilliput.models import ModelSettings, build
from lilliput.objectives.building import build_objective
from lilliput.objectives.settings import ObjectiveSettings
from lilliput.optimization.optimizers import tables_of
from lilliput.runtime import Runtime, kept_memory, limited_memory
from lilliput.training.compiling import compile_or_not
from lilliput.training.gradient import Scaler, accumulate, out_of_memory, trained
from lilliput.training.workers.shared_memory import SharedBatch, share_memory, values_in, values_size


def main() -> None:
    """Work until the input ends; the arguments are the files of weights and gradients, and the number of threads."""
    weights_file, gradients_file, threads = map(int, sys.argv[1:])
    # Keep the output of libraries out of the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    torch.set_num_threads(threads)
    about = sys.stdin.readline()
    if about:
        with kept_memory(), limited_memory(json.loads(about)["processes"]):
            _run(json.loads(about), weights_file, gradients_file, answers)


def _run(about: dict[str, Any], weights_file: int, gradients_file: int, answers: TextIO) -> None:
    settings: ModelSettings = TypeAdapter(ModelSettings).validate_python(about["model"])
    model = build(settings, about["vocab_size"], about["context"]).train()
    objective = build_objective(ObjectiveSettings.model_validate(about["objective"]))
    objective.take_facts(about["objective_facts"])
    parameters = trained(model)
    size = values_size(parameters)
    for parameter, value in zip(parameters, values_in(share_memory(weights_file, size), parameters), strict=True):
        parameter.data = value
    memory = share_memory(gradients_file, size + SharedBatch.size(about["positions"]))
    gradients, rows = values_in(memory, parameters), SharedBatch(memory, size, about["positions"])
    runtime = Runtime(torch.device("cpu"), about["precision"], "as in the main process")
    scaler = Scaler(runtime, {})
    tables = set(tables_of(model))
    _answer(answers, {"ready": True})
    for line in sys.stdin:
        task = json.loads(line)
        batch = rows.get(task["rows"], task["time"])
        if task.get("compile"):
            compile_or_not(model, objective, batch.split(min(task["parts"], task["rows"]))[0], runtime)
            _answer(answers, {"ready": True})
            continue
        torch.manual_seed(task["seed"])
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if parameter in tables:
                parameter.grad = gradient.zero_()
        try:
            loss = accumulate(model, objective, batch, task["parts"], task["weight"], runtime, scaler)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if parameter.grad is None:
                    gradient.zero_()
                elif parameter not in tables:
                    gradient.copy_(parameter.grad)
            answer: dict[str, Any] = {"loss": float(loss)}
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            answer = {"memory": False}
        model.zero_grad(set_to_none=True)
        _answer(answers, answer)


def _answer(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
