"""Reads the log of a run and says in plain words what is wrong with it, and what helps.

Everything is told from the losses that the run wrote down and from sizes; nothing is measured anew. Losses are compared
only where they are those of the same model in the same state: the network alone, on the text to learn and on the
held-out one. Runs of earlier versions did not write those, and are told less. The bounds are set so that an ordinary
run is told nothing but that it could go on.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lilliput.evaluation.baselines import LEAST_BITS, strongest_baseline
from lilliput.runs.folder import RunFolder
from lilliput.runs.history import read_history
from lilliput.runs.outcome import read_evaluation
from lilliput.runs.weights import stored_parameters

RISE = 0.01
"""Share by which a validation loss must be above the best one to be worse for sure."""
ALIKE = 0.02
"""Share by which training and validation loss may differ and still be alike."""
LITTLE = 0.05
"""Of a loss below this there is nothing more to learn that would matter."""
FEW_TOKENS, FEW_PROBLEMS = 5_000, 200
PARTS = 20
"""A training loss is averaged over so many parts of the run to see where it goes."""
UNLIKE = 1.15
"""How many times the bits of one part another may take and still be like it; parts of novels were within 1.13."""
WORSE_SHARE, WORSE_NATS = 0.05, 0.1
"""How far above another a loss is clearly worse, as a share of it and in nats."""
FEW_STEPS = 100
"""With fewer, nothing is said of where the training loss goes, nor that a run could have learnt more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a run, or could be better."""

    kind: str
    text: str
    remedy: str


@dataclass(frozen=True)
class Chart:
    """What a run has written down of itself; losses are in nats per token."""

    steps: Sequence[tuple[int, float]]
    """(step, training loss)."""
    evaluations: Sequence[tuple[int, float]]
    """(step, validation loss) of the whole model."""
    network: Sequence[tuple[int, float, float]]
    """(step, validation loss, training loss) of the network alone at the same evaluations, in the same state."""
    uniform: float
    """The loss of guessing all tokens alike."""
    spikes: Sequence[int]
    """The steps that went wrong."""
    parameters: int | None
    training_tokens: int
    validation_tokens: int
    validation_problems: int | None
    strongest: tuple[str, float] | None
    """The strongest baseline, and its bits per character; None for answers."""
    reached: float | None
    """Bits per character of the finished run."""
    counts: float | None
    """Bits per character of counts and guesses without the network."""
    over: bool
    """Whether the run is finished."""
    likeness: tuple[float, float] | None = None
    """Bits per character of the held-out end and of the middle, by the same rest of the text (`Likeness`)."""
    streamed: bool = False
    """Whether the text is a large one, of which only the end can be held out."""

    @property
    def done(self) -> int:
        """Return how many steps were done."""
        return max((step for step, _ in self.steps), default=0)


def read_chart(run: RunFolder, note: Callable[[str], None] = print) -> Chart:
    """Read the chart of a run; `note` is told what of it is damaged.

    Raises RunError if the folder is not a run or is broken.
    """
    facts = run.read_facts()
    history = read_history(run.metrics, note)
    vocabulary = run.read_json(run.model).get("vocab_size", 0) if run.model.exists() else 0
    evaluation = read_evaluation(run) if run.evaluation.exists() else {"parts": {}}
    return Chart(
        steps=[(row.step, row.loss) for row in history.steps],
        evaluations=[(row.step, row.validation_loss) for row in history.evaluations],
        network=[
            (row.step, row.network_validation_loss, row.network_training_loss)
            for row in history.evaluations
            if row.network_validation_loss is not None and row.network_training_loss is not None
        ],
        uniform=math.log(vocabulary) if isinstance(vocabulary, int) and vocabulary > 0 else math.inf,
        spikes=history.spikes,
        parameters=stored_parameters(run),
        training_tokens=facts["training"]["tokens"],
        validation_tokens=facts["validation"]["tokens"],
        validation_problems=facts["validation"].get("problems"),
        strongest=strongest_baseline(facts["baselines"]),
        reached=evaluation.get("bits_per_character"),
        counts=evaluation["parts"].get("counts", {}).get("bits_per_character"),
        over=run.evaluation.exists(),
        likeness=(likeness["held_out"], likeness["middle"]) if (likeness := facts.get("likeness")) else None,
        streamed="files" in facts["text"],
    )


def diagnose(chart: Chart) -> list[Finding]:
    """Return what is wrong with a run, the gravest first."""
    found = [_destroyed(chart), _taken_back(chart), _rising(chart), _stuck(chart), _overfitting(chart)]
    if chart.over:
        found.append(_worse_than_baseline(chart))
        if found[0] is None:
            found.append(_idle(chart))
        if not any(found[:4]):  # where the rate is wrong, a longer run does not help
            found.append(_underfitting(chart))
    found += [_unlike(chart), _small_validation(chart)]
    return [finding for finding in found if finding is not None]


def clearly_above(loss: float) -> float:
    """Return what is above a loss for sure, and not by the chance of a batch."""
    return loss + max(WORSE_NATS, WORSE_SHARE * loss)


def _destroyed(chart: Chart) -> Finding | None:
    if not chart.network or chart.network[-1][2] <= clearly_above(chart.uniform):
        return None
    step, _, learnt = chart.network[-1]
    return Finding(
        "destroyed network",
        f"training has destroyed the network: at step {step:,} its loss alone is {learnt:.2f} on the text to learn, "
        f"and guessing all tokens alike has {chart.uniform:.2f}",
        "start over with --fresh and a much smaller training.learning_rate (and matrix_learning_rate)",
    )


def _taken_back(chart: Chart) -> Finding | None:
    if not chart.spikes:
        return None
    places = ", ".join(f"{step:,}" for step in chart.spikes)
    return Finding(
        "instability",
        f"the loss leapt, became infinite or was worse than guessing at step {places}, and the run was taken back",
        "a smaller training.learning_rate (and matrix_learning_rate), or a longer training.warmup",
    )


def _rising(chart: Chart) -> Finding | None:
    means = _means(chart.steps)
    if not means:
        return None
    (low_step, low), (_, now) = min(means, key=lambda mean: mean[1]), means[-1]
    if now < low + max(0.1, 0.05 * low):
        return None
    return Finding(
        "rate too high",
        f"the training loss rose again, from {low:.2f} near step {low_step:,} to {now:.2f}: the learning rate is too "
        "high",
        "a third of training.learning_rate and training.matrix_learning_rate",
    )


def _stuck(chart: Chart) -> Finding | None:
    means = _means(chart.steps)
    if not means or means[-1][1] < 0.97 * means[0][1]:
        return None
    return Finding(
        "nothing is learnt",
        f"the training loss does not fall: {means[0][1]:.2f} at first, {means[-1][1]:.2f} now",
        "a greater training.learning_rate; or look at the text, which may have nothing that can be predicted",
    )


def _overfitting(chart: Chart) -> Finding | None:
    if not chart.evaluations:
        return None
    best = min(range(len(chart.evaluations)), key=lambda index: chart.evaluations[index][1])
    (best_step, lowest), (now_step, now) = chart.evaluations[best], chart.evaluations[-1]
    if len(chart.evaluations) - best <= 2 or now < lowest + max(RISE * lowest, 0.005):
        return None
    learnt = {step: loss for step, _, loss in chart.network}
    then, last = learnt.get(best_step), learnt.get(now_step)
    if then is None or last is None or last >= then:
        return None
    text = (
        f"overfitting since step {chart.evaluations[best + 1][0]:,}: best is step {best_step:,}, kept; since then the "
        f"validation loss rose from {lowest:.3f} to {now:.3f} while the network's training loss fell from {then:.3f} "
        f"to {last:.3f}"
    )
    if chart.parameters is not None and chart.parameters > chart.training_tokens:
        text += f"; {chart.parameters:,} parameters are many for {chart.training_tokens:,} tokens to learn"
        return Finding(
            "overfitting", text, "a smaller model.width or model.layers, more model.dropout, or more text; or stop here"
        )
    return Finding(
        "overfitting", text, "more model.dropout, more text, or fewer steps; training.patience stops by itself"
    )


def _underfitting(chart: Chart) -> Finding | None:
    if len(chart.evaluations) < 2 or chart.evaluations[-1] != min(
        chart.evaluations, key=lambda evaluation: evaluation[1]
    ):
        return None
    if chart.done < FEW_STEPS or not chart.network or chart.network[-1][0] != chart.evaluations[-1][0]:
        return None
    _, held_out, learnt = chart.network[-1]
    if held_out < LITTLE or held_out - learnt > ALIKE * held_out:
        return None
    return Finding(
        "underfitting",
        f"it could learn more: after {chart.done:,} steps the loss of the network alone is {learnt:.3f} on the text to "
        f"learn and {held_out:.3f} on the held-out one, nearly the same",
        "more training.minutes or training.steps; if it is slow to fall then, a larger model.width",
    )


def _idle(chart: Chart) -> Finding | None:
    """Say that the network, one part of the model, contributes nothing, which the other parts hide."""
    if chart.counts is None or chart.reached is None or chart.counts - chart.reached >= LEAST_BITS:
        return None
    return Finding(
        "network adds nothing",
        f"{chart.reached:.3f} bits per character, and counts and guesses without the network need {chart.counts:.3f}",
        "more training.minutes or training.steps, or more text; for so short a run counting is all that pays",
    )


def _worse_than_baseline(chart: Chart) -> Finding | None:
    if chart.strongest is None or chart.reached is None or chart.reached < chart.strongest[1]:
        return None
    return Finding(
        "worse than a baseline",
        f"{chart.reached:.2f} bits per character, and {chart.strongest[0]} needs {chart.strongest[1]:.2f}",
        "more training.minutes or training.steps; for a short text a smaller model with more model.dropout",
    )


def _unlike(chart: Chart) -> Finding | None:
    if chart.likeness is None:
        return None
    held_out, middle = chart.likeness
    if 1 / UNLIKE < held_out / max(middle, 1e-9) < UNLIKE:
        return None
    harder = "harder" if held_out > middle else "easier"
    of_all = "--validation with a text that stands for all"
    if not chart.streamed:
        of_all = "--set data.split.by=pieces, which holds out pieces from all over the text"
    return Finding(
        "unlike held-out text",
        f"the end of the text, which is held out, is unlike the rest and {harder}: by the same training text PPMd "
        f"needs {held_out:.2f} bits per character for it, and {middle:.2f} for as much of the middle",
        f"{of_all}; or leave out an appendix, an index or a licence at the end",
    )


def _small_validation(chart: Chart) -> Finding | None:
    remedy = "a longer text, or --validation with a text of its own"
    if chart.validation_problems is not None:
        if chart.validation_problems >= FEW_PROBLEMS:
            return None
        share = 1 / chart.validation_problems
        return Finding(
            "small validation set",
            f"only {chart.validation_problems:,} answers are held out: each is {share:.1%} of the result",
            "more prompts with answers, or --validation with a file of its own",
        )
    if chart.validation_tokens >= FEW_TOKENS or not chart.evaluations:
        return None
    # The losses of single tokens spread about as far as their mean.
    doubt = 2 * chart.evaluations[-1][1] / math.sqrt(chart.validation_tokens)
    return Finding(
        "small validation set",
        f"the held-out text has only {chart.validation_tokens:,} tokens: its loss is uncertain by about {doubt:.2f}",
        remedy,
    )


def _means(steps: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the middle step and the mean loss of equal parts of the run so far."""
    if len(steps) < FEW_STEPS:
        return []
    size = len(steps) // PARTS
    parts = [steps[len(steps) - size * (PARTS - part) :][:size] for part in range(PARTS)]
    return [(part[size // 2][0], sum(loss for _, loss in part) / size) for part in parts]
