"""From a prompt to a text that a worker can write."""

from collections.abc import Callable, Sequence
from functools import partial

from lilliput.generation.filters import Filter
from lilliput.generation.settings import SampleSettings
from lilliput.writer import Writer
from lilliput.writer.prepared_text import PreparedText

Prompt = str | list[int] | None
"""A text, or token ids; None stands for the default prompt of the model."""


def preparation(
    prompt: Prompt, settings: SampleSettings, seed: int, filters: Sequence[Filter] = ()
) -> Callable[[Writer], PreparedText]:
    """Return the function that prepares a text in the thread of the worker."""
    return partial(_prepare, prompt, settings, seed, filters)


def _prepare(
    prompt: Prompt, settings: SampleSettings, seed: int, filters: Sequence[Filter], writer: Writer
) -> PreparedText:
    if not isinstance(prompt, str | None):
        return writer.prepare_ids(prompt, seed, settings, filters)
    return writer.prepare(writer.backend(1), [writer.start(prompt)], [seed], settings, filters)[0]
