"""A recipe's choices of model and training in words, for `lilliput plan` and the start of `lilliput train`."""

from datetime import datetime, timedelta

from lilliput.evaluation.baselines import strongest_baseline
from lilliput.planning.expected_loss import expected_bits, tells
from lilliput.recipe import Recipe
from lilliput.runtime import peak_memory
from lilliput.training.events import Started, Stepped


def choices(recipe: Recipe) -> list[tuple[str, str]]:
    """Return a few lines that describe a recipe, each as a name and a text."""
    training, model = recipe.training, recipe.model
    shape = model.describe()
    if model.ensemble > 1:
        shape = f"{model.ensemble} networks, each of {shape}"
    beside = model.describe_additions() + ["counts of the text mixed in"] * model.counts
    rates = f"learning rate {training.learning_rate:g}"
    if training.optimizer == "muon":
        rates = f"learning rates {training.matrix_learning_rate:g} and {training.learning_rate:g}"
    rows = training.batch * training.accumulation
    compiled = ", compiled" if training.compile else ""
    return [
        ("model", f"{model.kind}, {shape}, dropout {model.dropout:g}"),
        *([("beside it", "; ".join(beside))] if beside else []),
        ("training", f"{training.optimizer}, {rates}, {training.schedule}; {rows} rows a step{compiled}"),
    ]


def outlook(recipe: Recipe, begun: Started, step: Stepped, seconds_per_step: float) -> list[tuple[str, str]]:
    """Return the forecast of a run after a few steps: its speed, its end and the expected result."""
    if step.seconds_left is None:
        return []
    per_step = recipe.training.batch * recipe.training.accumulation * begun.context
    speed = f"{per_step / seconds_per_step:,.0f} tokens/s, about {step.steps:,} steps, until {ends(step.seconds_left)}"
    lines = [("here", f"{begun.parameters:,} parameters, {speed}{memory(peak_memory())}")]
    counts = begun.baselines.get("ngram")
    if counts and tells(recipe):
        counting = counts["bits_per_character"]
        copying = begun.baselines["xz"]["bits_per_character"]
        bits = expected_bits(counting, copying, counts["training_characters_used"], step.steps * per_step)
        lines.append(("expected", expectation(bits, strongest_baseline(begun.baselines))))
    return lines


def expectation(bits: float, strongest: tuple[str, float] | None) -> str:
    """Return the expected bits per character in words, with the strongest baseline."""
    expected = f"about {bits:.2f} bits per character"
    return expected if strongest is None else f"{expected}; to beat: {strongest[0]} {strongest[1]:.2f}"


def ends(seconds: float) -> str:
    """Return the time of day `seconds` from now, with the date if it is not today."""
    now = datetime.now().astimezone()
    end = now + timedelta(seconds=seconds)
    return f"{end:%H:%M}" if end.date() == now.date() else f"{end:%Y-%m-%d %H:%M}"


def memory(peak: int | None) -> str:
    """Return the memory in use as the end of a sentence; empty if it is unknown."""
    return "" if peak is None else f", {peak / 1e9:.1f} GB of memory"
