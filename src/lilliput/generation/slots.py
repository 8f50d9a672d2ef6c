"""A running batch: texts join and leave while the others continue.

A backend has rows; here each row is a slot that is free or holds one text. `add` prefills a prompt into a free slot and
draws its first token; `step` decodes all texts together and draws one token for each; `free` gives a slot back. Free
slots are not decoded: before a step, the backend drops the rows of texts that have left. A text that joins takes such a
row if there is one, so no rows are copied.

Each text has its own sampler, so it follows from (weights, prompt, settings, seed) alone. The other texts change its
logits only by the rounding of matrix products. One thread at a time may use a `Slots` and its backend.

    slots = Slots(writer.backend(8))
    slot, token = slots.add(prompt_ids, Sampler(settings, seed, len(prompt_ids)))
    while wanted(token):
        token = slots.step()[slot]
    slots.free(slot)
"""

from collections.abc import Sequence

from lilliput.errors import GenerationError
from lilliput.generation.backends.backend import Backend
from lilliput.generation.sampling import Sampler, Token
from lilliput.models import Model


class Slots:
    """The slots of one backend, all free at first. The backend starts with one row for each."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._samplers: list[Sampler | None] = [None] * len(backend.texts)
        """By slot; None for a free one."""
        self._latest: dict[int, int] = {}
        """By slot, the latest token, which the backend has not decoded yet."""
        self._slots: list[int | None] = [None] * len(backend.texts)
        """By row of the backend, the slot whose text it holds; None for a text that has left."""

    @property
    def active(self) -> list[int]:
        """Return the slots that hold a text."""
        return [slot for slot, sampler in enumerate(self._samplers) if sampler is not None]

    def add(self, prompt: Sequence[int], sampler: Sampler) -> tuple[int, Token]:
        """Prefill a prompt of token ids into a free slot; return the slot and the first token after the prompt.

        Raises GenerationError if no slot is free, for an empty prompt or an id outside the vocabulary, and as
        `Sampler.choose` does; the slot stays free then.
        """
        ids = checked(self._backend.model, prompt)
        if None not in self._samplers:
            raise GenerationError(f"all {len(self._samplers)} slots hold a text: free one before you add another")
        if None not in self._slots:
            self._backend.reorder([*range(len(self._slots)), 0])
            self._slots.append(None)
        slot, row = self._samplers.index(None), self._slots.index(None)
        token = sampler.choose(self._backend.prefill(row, ids), ids)
        self._samplers[slot], self._slots[row], self._latest[slot] = sampler, slot, token.id
        return slot, token

    def step(self) -> dict[int, Token | GenerationError]:
        """Decode one token of every text; return the next tokens by slot.

        If the sampler of a text raises an error, the text leaves, and the result has the error in place of the token.
        """
        rows = [row for row, slot in enumerate(self._slots) if slot is not None]
        if not rows:
            return {}
        if len(rows) < len(self._slots):
            self._backend.reorder(rows)
            self._slots = [self._slots[row] for row in rows]
        slots = [slot for slot in self._slots if slot is not None]
        logits_BV = self._backend.decode([self._latest[slot] for slot in slots])
        drawn: dict[int, Token | GenerationError] = {}
        for slot, ids, logits_V in zip(slots, self._backend.texts, logits_BV, strict=True):
            sampler = self._samplers[slot]
            assert sampler is not None
            try:
                token = sampler.choose(logits_V, ids)
            except GenerationError as error:
                drawn[slot] = error
            else:
                drawn[slot], self._latest[slot] = token, token.id
        for slot, result in drawn.items():
            if isinstance(result, GenerationError):
                self.free(slot)
        return drawn

    def free(self, slot: int) -> None:
        """Remove the text from a slot; does nothing if the slot is free."""
        if self._samplers[slot] is not None:
            self._samplers[slot] = None
            self._slots[self._slots.index(slot)] = None
            del self._latest[slot]


def checked(model: Model, prompt: Sequence[int]) -> list[int]:
    """Return the ids of a prompt. Raises GenerationError if there are none or one is outside the vocabulary."""
    ids = [int(id_) for id_ in prompt]
    if not ids:
        raise GenerationError("the prompt is empty: give at least one token to start from")
    low, high = min(ids), max(ids)
    if low < 0 or high >= model.vocab_size:
        wrong = low if low < 0 else high
        raise GenerationError(
            f"the prompt holds the id {wrong}, the vocabulary ends at {model.vocab_size - 1}: "
            "encode the prompt with the tokenizer of this model"
        )
    return ids
