"""Diagnosis of a run from its log: the problems, in plain words, and their remedies.

All findings follow from the logged losses and from sizes; nothing is measured again. Losses are compared only if they
belong to the same model in the same state: the network alone, on training text and on held-out text. Runs of earlier
versions did not log those and get fewer findings. The thresholds are chosen so that an ordinary run gets no finding,
except that longer training would help.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lilliput.evaluation.baselines import LEAST_BITS, strongest_baseline
from lilliput.runs.folder import RunFolder
from lilliput.runs.history import History, read_history
from lilliput.runs.outcome import read_evaluation
from lilliput.runs.weights import stored_parameters

RISE = 0.01
"""Share by which a validation loss must exceed the best one to count as worse."""
ALIKE = 0.02
"""Share by which training and validation loss may differ and still count as equal."""
LITTLE = 0.05
"""Loss below which there is little left to learn."""
FEW_TOKENS, FEW_PROBLEMS = 5_000, 200
PARTS = 20
"""Number of equal parts of the run over which the training loss is averaged to find its trend."""
UNLIKE = 1.15
"""Ratio of bits per character above which two parts of a text count as unlike; parts of novels were within 1.13."""
WORSE_SHARE, WORSE_NATS = 0.05, 0.1
"""How far a loss must exceed another to be clearly worse, as a share of it and in nats."""
FEW_STEPS = 100
"""Steps below which there are no findings about the trend of the training loss or about underfitting."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of a run, or a possible improvement."""

    kind: str
    text: str
    remedy: str


@dataclass(frozen=True)
class Chart:
    """The logged facts of a run; losses are in nats per token."""

    steps: Sequence[tuple[int, float]]
    """(step, training loss); NaN for an objective whose loss is no likelihood."""
    evaluations: Sequence[tuple[int, float]]
    """(step, validation loss) of the whole model."""
    network: Sequence[tuple[int, float, float]]
    """(step, validation loss, training loss) of the network alone, at the same evaluations and in the same state."""
    uniform: float
    """The loss of a uniform distribution over the vocabulary."""
    spikes: Sequence[int]
    """The steps with a loss spike."""
    parameters: int | None
    training_tokens: int
    validation_tokens: int
    validation_problems: int | None
    strongest: tuple[str, float] | None
    """The strongest baseline, and its bits per character; None for answers."""
    reached: float | None
    """Bits per character of the finished run."""
    counts: float | None
    """Bits per character of counts and matches without the network."""
    over: bool
    """Whether the run is finished."""
    likeness: tuple[float, float] | None = None
    """Bits per character of the held-out end and of the middle, given the rest of the text (`Likeness`)."""
    streamed: bool = False
    """Whether the text is read as a stream, so that only its end can be held out."""

    @property
    def done(self) -> int:
        """The number of finished steps."""
        return max((step for step, _ in self.steps), default=0)


def read_chart(run: RunFolder, note: Callable[[str], None] = print, history: History | None = None) -> Chart:
    """Read the chart of a run; `note` gets a message about damaged rows. Give its `history` if you have read it.

    Raises RunError if the folder is not a run or is damaged.
    """
    facts = run.read_facts()
    history = history or read_history(run.metrics, note)
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
    """Return the findings about a run, the most serious first."""
    findings = [_destroyed(chart), _rolled_back(chart), _rising(chart), _stuck(chart), _overfitting(chart)]
    if chart.over:
        findings.append(_worse_than_baseline(chart))
        if findings[0] is None:
            findings.append(_idle(chart))
        if not any(findings[:4]):  # if the learning rate is wrong, a longer run does not help
            findings.append(_underfitting(chart))
    findings += [_unlike(chart), _small_validation(chart)]
    return [finding for finding in findings if finding is not None]


def clearly_above(loss: float) -> float:
    """Return the loss above which another loss is clearly worse, and not just noise of a batch."""
    return loss + max(WORSE_NATS, WORSE_SHARE * loss)


def _destroyed(chart: Chart) -> Finding | None:
    if not chart.network or chart.network[-1][2] <= clearly_above(chart.uniform):
        return None
    step, _, learnt = chart.network[-1]
    return Finding(
        "destroyed network",
        f"training has destroyed the network: at step {step:,} its own loss on the training text is {learnt:.2f}, "
        f"but uniform guessing has {chart.uniform:.2f}",
        "start over with --fresh and a much smaller training.learning_rate (and matrix_learning_rate)",
    )


def _rolled_back(chart: Chart) -> Finding | None:
    if not chart.spikes:
        return None
    steps = ", ".join(f"{step:,}" for step in chart.spikes)
    return Finding(
        "instability",
        f"the loss jumped, became infinite or exceeded uniform guessing at step {steps}, and the run was rolled back",
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
        "a greater training.learning_rate; or check the text: it may be unpredictable",
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
        f"overfitting since step {chart.evaluations[best + 1][0]:,}: the best step {best_step:,} is kept; since then "
        f"the validation loss rose from {lowest:.3f} to {now:.3f} while the network's training loss fell from "
        f"{then:.3f} to {last:.3f}"
    )
    if chart.parameters is not None and chart.parameters > chart.training_tokens:
        text += f"; {chart.parameters:,} parameters are many for {chart.training_tokens:,} training tokens"
        return Finding(
            "overfitting", text, "a smaller model.width or model.layers, more model.dropout, or more text; or stop here"
        )
    return Finding(
        "overfitting", text, "more model.dropout, more text, or fewer steps; training.patience stops automatically"
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
        f"it could learn more: after {chart.done:,} steps the loss of the network alone is {learnt:.3f} on training "
        f"text and {held_out:.3f} on held-out text, nearly the same",
        "more training.minutes or training.steps; if the loss then falls slowly, a larger model.width",
    )


def _idle(chart: Chart) -> Finding | None:
    """Detect a network that contributes nothing, which the other parts of the model would hide."""
    if chart.counts is None or chart.reached is None or chart.counts - chart.reached >= LEAST_BITS:
        return None
    return Finding(
        "network adds nothing",
        f"{chart.reached:.3f} bits per character; counts and guesses without the network need {chart.counts:.3f}",
        "more training.minutes or training.steps, or more text; in so short a run only counting pays",
    )


def _worse_than_baseline(chart: Chart) -> Finding | None:
    if chart.strongest is None or chart.reached is None or chart.reached < chart.strongest[1]:
        return None
    return Finding(
        "worse than a baseline",
        f"{chart.reached:.2f} bits per character; {chart.strongest[0]} needs {chart.strongest[1]:.2f}",
        "more training.minutes or training.steps; for a short text a smaller model with more model.dropout",
    )


def _unlike(chart: Chart) -> Finding | None:
    if chart.likeness is None:
        return None
    held_out, middle = chart.likeness
    if 1 / UNLIKE < held_out / max(middle, 1e-9) < UNLIKE:
        return None
    harder = "harder" if held_out > middle else "easier"
    remedy = "--validation with a representative text"
    if not chart.streamed:
        remedy = "--set data.split.by=pieces, which holds out pieces from all over the text"
    return Finding(
        "unlike held-out text",
        f"the held-out end of the text is unlike the rest and {harder}: after the same training text PPMd needs "
        f"{held_out:.2f} bits per character for it, and {middle:.2f} for an equal part of the middle",
        f"{remedy}; or leave out an appendix, an index or a licence at the end",
    )


def _small_validation(chart: Chart) -> Finding | None:
    remedy = "a longer text, or --validation with a separate text"
    if chart.validation_problems is not None:
        if chart.validation_problems >= FEW_PROBLEMS:
            return None
        share = 1 / chart.validation_problems
        return Finding(
            "small validation set",
            f"only {chart.validation_problems:,} answers are held out: each is {share:.1%} of the result",
            "more prompts with answers, or --validation with a separate file",
        )
    if chart.validation_tokens >= FEW_TOKENS or not chart.evaluations:
        return None
    # The standard deviation of token losses is about their mean.
    doubt = 2 * chart.evaluations[-1][1] / math.sqrt(chart.validation_tokens)
    return Finding(
        "small validation set",
        f"the held-out text has only {chart.validation_tokens:,} tokens: its loss is uncertain by about {doubt:.2f}",
        remedy,
    )


def _means(steps: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the middle step and the mean loss of each of `PARTS` equal parts of the run so far."""
    if len(steps) < FEW_STEPS:
        return []
    size = len(steps) // PARTS
    parts = [steps[len(steps) - size * (PARTS - part) :][:size] for part in range(PARTS)]
    return [(part[size // 2][0], sum(loss for _, loss in part) / size) for part in parts]
