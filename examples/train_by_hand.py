"""Train a small language model by hand: text, tokens, windows, model, loss, optimizer, and text again.

    python examples/train_by_hand.py
    python examples/train_by_hand.py poems.txt --steps 1000

`lilliput train` does the same and more: it plans the model for your text and time, saves checkpoints, and measures the
result. Read this file to see how the parts of the package fit together, or copy it to try an idea of yours.

Without a text, the model learns from Python's own documentation. That takes about ten seconds on two cores.

The names of tensors end in their axes: B rows of a batch, T tokens of a window, V tokens of the vocabulary.
"""

import argparse
import sys
from collections.abc import Sequence

import torch

from lilliput import LilliputError, corpus, tokenizers
from lilliput.data.windows import Windows
from lilliput.generation import SamplingSettings, TorchBackend, generate
from lilliput.models import GPTSettings, Model, build, count_parameters
from lilliput.objectives.next_token import next_token
from lilliput.optimization.optimizers import build_optimizers
from lilliput.optimization.schedules import rate_factor
from lilliput.optimization.settings import OptimizerSettings, ScheduleSettings

WINDOW = 64
"""Tokens that the model sees at once."""
ROWS = 16
"""Windows in a batch."""
SEED = 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Read a text, train a model on it, and let the model write."""
    parser = argparse.ArgumentParser(description="Train a small language model by hand.")
    parser.add_argument("text", nargs="*", help="files or folders to learn from (default: Python's documentation)")
    parser.add_argument("--steps", type=int, default=300, help="optimizer steps (default: %(default)s)")
    chosen = parser.parse_args(arguments)

    # Text. The last tenth is held out: the loss on it tells what the model has learned, and not what it remembers.
    text = corpus.read_files(chosen.text) if chosen.text else corpus.read_named("python-docs")
    halves = corpus.split(text, corpus.SplitSettings(fraction=0.1))
    print(f"text: {text.characters:,} characters, {len(halves.validation):,} of them held out")

    # Tokens. The tokenizer is trained on the training text only.
    tokenizer = tokenizers.train("bpe", halves.training)
    training_ids, validation_ids = tokenizer.encode(halves.training), tokenizer.encode(halves.validation)
    print(f"tokens: {len(training_ids):,} to learn from, {tokenizer.vocab_size} different ones")

    # Windows. Which windows a batch holds follows from the seed and the number of the step.
    training = Windows(training_ids, WINDOW, ROWS, SEED)
    validation = Windows(validation_ids, WINDOW, ROWS, SEED)

    # Model. Its first weights are drawn from PyTorch's global generator.
    torch.manual_seed(SEED)
    model = build(GPTSettings(layers=2, width=64, heads=2), tokenizer.vocab_size, context=WINDOW)
    print(f"model: {count_parameters(model):,} parameters")

    print(f"before training: {loss_on(model, validation):.3f} nats per token on the text that is held out")
    train(model, training, chosen.steps)
    print(f"after training: {loss_on(model, validation):.3f} nats per token on the text that is held out")
    print(f"\n{write(model, tokenizer, prompt='The ', length=120)}")


def train(model: Model, windows: Windows, steps: int) -> None:
    """Train `model` for so many steps, and print the loss ten times on the way."""
    optimizers = build_optimizers(model, OptimizerSettings(optimizer="adamw", learning_rate=5e-3))
    schedule = ScheduleSettings(schedule="cosine", warmup=0.05, final=0.1)
    model.train()
    for step in range(steps):
        # Loss. An objective returns a sum, because batches may be cut into parts; the mean is what we minimize.
        batch = windows.batch(step)
        loss = next_token(model, batch) / batch.weights_BT.sum()

        # Optimizer. The learning rate rises in the first steps, and then falls along a cosine.
        loss.backward()  # type: ignore[no-untyped-call]
        optimizers.set_rate(rate_factor(schedule, step / steps))
        for optimizer in optimizers.parts:
            optimizer.step()
        optimizers.clear_gradients()

        if step % max(1, steps // 10) == 0 or step == steps - 1:
            print(f"step {step + 1:5}: loss {loss.item():.3f}", flush=True)


@torch.no_grad()
def loss_on(model: Model, windows: Windows, batches: int = 8) -> float:
    """Return the mean negative log-likelihood in nats per token, over a few batches."""
    model.eval()
    total, weight = 0.0, 0.0
    for step in range(batches):
        batch = windows.batch(step)
        total += next_token(model, batch).item()
        weight += batch.weights_BT.sum().item()
    return total / weight


def write(model: Model, tokenizer: tokenizers.Tokenizer, prompt: str, length: int) -> str:
    """Return the prompt and `length` tokens that the model draws, one after the other, to continue it."""
    settings = SamplingSettings(temperature=0.7, max_tokens=length)
    (tokens,) = generate(TorchBackend(model, rows=1), [tokenizer.encode(prompt).tolist()], settings, seeds=[SEED])
    return prompt + tokenizer.decode(token.id for token in tokens)


if __name__ == "__main__":
    torch.set_num_threads(1)  # so small a model is no faster with more
    try:
        main()
    except LilliputError as error:
        sys.exit(f"error: {error}")
