"""A trained model opened for use, at the level of text."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from lilliput.data.tokens import read_tokens
from lilliput.errors import CheckpointError, GenerationError, RecipeError, RunError
from lilliput.generation import Token, generate
from lilliput.models import Mixture, Model, ModelSettings, build
from lilliput.recipe import SampleSettings, explain, read_recipe
from lilliput.runs import RunFolder, newest_checkpoint
from lilliput.runtime import choose_device
from lilliput.tokenizers import TextStream, Tokenizer
from lilliput.tokenizers import load as load_tokenizer


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text as it is written; `tokens` were generated up to here."""

    text: str
    tokens: int


class Writer:
    """A model with its tokenizer: text in, text out.

    `settings` are the sampling options used where a call gives none.
    """

    def __init__(
        self, model: Model, tokenizer: Tokenizer, settings: SampleSettings, folder: Path | None = None
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings
        self.folder = folder

    def write(self, prompt: str | None = None, *, seed: int = 1, **sampling: Any) -> str:
        """Return `prompt` continued by the model, as one string.

        `sampling` takes the keys of a recipe's `[sample]` section: temperature, top_k, top_p, length,
        stop. The same seed gives the same text. Raises GenerationError for options that are impossible.
        """
        start = self.start(prompt)
        return start + "".join(piece.text for piece in self.stream(start, seed=seed, **sampling))

    def stream(self, prompt: str | None = None, *, seed: int = 1, **sampling: Any) -> Iterator[Piece]:
        """Yield the continuation of `prompt` piece by piece; characters come whole, stop strings are left out.

        The options and the errors are those of `write`.
        """
        settings = self._sampling(sampling)
        if seed < 0:
            raise GenerationError(f"sampling: seed: should be 0 or more, not {seed}")
        ids = [int(id) for id in self.tokenizer.encode(self.start(prompt))]
        tokens = generate(self.model, ids, settings, seed)
        return _until_stop(_pieces(tokens, TextStream(self.tokenizer)), settings.stop)

    def start(self, prompt: str | None) -> str:
        """Return the text that a model continues: `prompt`, or the start of the recipe's samples if there is none."""
        return prompt or self.settings.prompts[0]

    def _sampling(self, options: dict[str, Any]) -> SampleSettings:
        try:
            return SampleSettings.model_validate(self.settings.model_dump() | options)
        except ValidationError as error:
            raise GenerationError(f"sampling: {explain(error, SampleSettings)}") from None


def load(run: str | Path, note: Callable[[str], None] = print) -> Writer:
    """Open a run folder for use. It needs nothing but the folder and runs no code from it.

    `note` is told if the weights are damaged and a checkpoint's are used instead. Raises RunError or CheckpointError
    if the folder is no run or nothing in it can be used.
    """
    folder = RunFolder(Path(run))
    facts = folder.read_json(folder.model)
    try:
        settings = TypeAdapter[ModelSettings](ModelSettings).validate_python(facts["settings"])
        model = build(settings, int(facts["vocab_size"]), int(facts["context"]))
    except (KeyError, TypeError, ValueError, OverflowError, RecipeError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{folder.model}: does not describe a model this version knows ({reason})") from None
    put_weights(model, _best_weights(folder, note))
    tokenizer = load_tokenizer(folder.tokenizer)
    learn_counts(model, folder, tokenizer)
    sampling = read_recipe(folder.recipe).sample if folder.recipe.exists() else SampleSettings()
    model.to(choose_device()).eval()
    return Writer(model, tokenizer, sampling, folder.path)


def learn_counts(model: Model, run: RunFolder, tokenizer: Tokenizer) -> None:
    """Let a model that has counts beside it count the training text of its run."""
    if isinstance(model, Mixture):
        ids = read_tokens(run.training_tokens, model.vocab_size)
        model.learn(ids, [tokenizer.decode([id]) for id in range(tokenizer.vocab_size)])


def put_weights(model: Model, weights: Mapping[str, torch.Tensor]) -> None:
    """Copy `weights` into the model. Raises CheckpointError unless names and shapes are exactly the model's."""
    parameters = dict(model.named_parameters())
    if parameters.keys() != weights.keys():
        odd = sorted(parameters.keys() ^ weights.keys())
        raise CheckpointError(
            f"the weights do not belong to this model: {odd[0]} is on one side only; "
            "if another version of Lilliput made them, train anew with --fresh"
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            if parameter.shape != weights[name].shape:
                raise CheckpointError(
                    f"the weights do not belong to this model: {name} is {tuple(weights[name].shape)}, "
                    f"the model has {tuple(parameter.shape)}"
                )
            parameter.copy_(weights[name])


def _best_weights(folder: RunFolder, note: Callable[[str], None]) -> Mapping[str, torch.Tensor]:
    try:
        return folder.read_weights()
    except CheckpointError as error:
        checkpoint = newest_checkpoint(folder.checkpoints, note)
        if checkpoint is None:
            raise CheckpointError(f"{error}, and there is no checkpoint to use instead; train again") from None
        note(f"{error}; using the checkpoint of step {checkpoint.progress.step}")
        return checkpoint.weights


def _pieces(tokens: Iterator[Token], text: TextStream) -> Iterator[Piece]:
    count = 0
    for token in tokens:
        count += 1
        yield Piece(text.push(token.id), count)
    yield Piece(text.finish(), count)


def _until_stop(pieces: Iterator[Piece], stops: tuple[str, ...]) -> Iterator[Piece]:
    """Yield the text up to the first stop string, holding back what may become one."""
    held, count = "", 0
    for piece in pieces:
        held += piece.text
        count = piece.tokens
        found = _first(held, stops)
        # What may become a stop string counts from where it begins: it may begin before one that is already whole.
        open_from = len(held) - max((_overlap(held, stop) for stop in stops), default=0)
        if found <= open_from and found < len(held):
            yield Piece(held[:found], count)
            return
        if open_from:
            yield Piece(held[:open_from], count)
            held = held[open_from:]
    if held:
        yield Piece(held[: _first(held, stops)], count)


def _first(text: str, stops: tuple[str, ...]) -> int:
    """Return where the first stop string begins, or the text's length."""
    return min((place for stop in stops if (place := text.find(stop)) >= 0), default=len(text))


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of `text` with which `stop` begins."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
