"""What a recipe says of model and training, in words: for `lilliput plan`, and for `lilliput train` when it starts."""

from lilliput.models import GPTSettings
from lilliput.recipe import Recipe


def choices(recipe: Recipe) -> list[tuple[str, str]]:
    """Return a few lines, each as a name and a text."""
    training, model = recipe.training, recipe.model
    several = "s" if model.layers > 1 else ""
    shape, beside = f"{model.layers} layer{several} of width {model.width}", []
    if isinstance(model, GPTSettings):
        shape = f"shape {model.shape}, {model.layers} block{several} of width {model.width}, {model.heads} heads"
        if model.ngrams > 1:
            dropped = f"{model.ngram_dropout:.0%} of them dropped"
            beside.append(f"embeddings of up to {model.ngrams} tokens together, {dropped}")
    beside += ["counts of the text mixed in"] * model.counts
    rates = f"learning rate {training.learning_rate:g}"
    if training.optimizer == "muon":
        rates = f"learning rates {training.matrix_learning_rate:g} and {training.learning_rate:g}"
    rows = training.batch * training.accumulation
    return [
        ("model", f"{model.kind}, {shape}, dropout {model.dropout:g}"),
        *([("beside it", "; ".join(beside))] if beside else []),
        ("training", f"{training.optimizer}, {rates}, {training.schedule}; {rows} rows a step"),
    ]
