"""Loads a run's weights into a model, and counts its training text."""

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from safetensors import SafetensorError, safe_open

from lilliput.errors import CheckpointError
from lilliput.models import Model
from lilliput.models.protocol import TrainingText
from lilliput.runs.checkpoint import newest_checkpoint
from lilliput.runs.folder import WEIGHTS, RunFolder
from lilliput.tokenizers import Tokenizer, token_texts


def learn_counts(model: Model, run: RunFolder, tokenizer: Tokenizer) -> None:
    """Let a model with counts count the training text of its run."""
    model.learn(partial(_training_text, run, tokenizer))


def _training_text(run: RunFolder, tokenizer: Tokenizer) -> TrainingText:
    ids = run.read_tokens(run.training_tokens, tokenizer.vocab_size)
    texts = token_texts(tokenizer)
    starts = run.read_starts(run.training_tokens, len(ids))
    return TrainingText(ids, texts, starts, capitals=run.model_format() > 1)


def put_weights(model: Model, weights: Mapping[str, torch.Tensor]) -> None:
    """Copy `weights` into the model. Raises CheckpointError unless names and shapes are exactly the model's."""
    parameters = dict(model.named_parameters())
    if parameters.keys() != weights.keys():
        odd = sorted(parameters.keys() ^ weights.keys())
        raise CheckpointError(
            f"the weights do not fit this model: only one of them has {odd[0]}; "
            "if another version of Lilliput made them, train again with --fresh"
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            if parameter.shape != weights[name].shape:
                raise CheckpointError(
                    f"the weights do not fit this model: {name} is {tuple(weights[name].shape)}, "
                    f"the model has {tuple(parameter.shape)}"
                )
            parameter.copy_(weights[name])


def best_weights(folder: RunFolder, note: Callable[[str], None]) -> Mapping[str, torch.Tensor]:
    """Return a run's best weights; if they are missing or damaged, those of a checkpoint, with a line to `note`.

    Raises CheckpointError if there are neither.
    """
    try:
        return folder.read_weights()
    except CheckpointError as error:
        checkpoint = newest_checkpoint(folder.checkpoints, note)
        if checkpoint is None:
            raise CheckpointError(f"{error}, and there is no checkpoint to use instead; train again") from None
        note(f"{error}; using the checkpoint of step {checkpoint.progress.step}")
        return checkpoint.weights


def stored_parameters(folder: RunFolder) -> int | None:
    """Return the number of parameters of a run without reading them; None if there are no weights yet."""
    path = folder.path / WEIGHTS
    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as file:
            return sum(math.prod(map(int, file.get_slice(name).get_shape())) for name in list(file.keys()))
    except (OSError, SafetensorError):
        return None
