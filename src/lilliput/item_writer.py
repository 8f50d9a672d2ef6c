"""New items from a run: names, words, titles, haiku that stand neither in its text nor twice in what it writes.

Each item is written by itself: behind the separator that stands between items, up to the next one. What the model has
learnt by heart is thrown away, and so is what was held out: it stands in the list as well. A model that knows nothing
new ends that: `BARREN` items in a row that are not new.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import regex

from lilliput.corpus.items import SEPARATORS, ItemKind, find_items, split_items
from lilliput.corpus.text.cleaning import canonical
from lilliput.errors import GenerationError
from lilliput.evaluation.generation_metrics import read_texts
from lilliput.generation.text import Piece
from lilliput.writer import AT_ONCE, Writer

BARREN = 1000
"""Items in a row that are not new, after which no more are written."""
MOST_TOKENS = 64_000_000
"""Of the training text, from its end, in which an item is looked up: all of a text that is not read as a stream."""
_LEAST_LENGTH = 16
_NO_ENDS = {"until": None, "max_characters": None, "acrostic": None, "beams": 1, "beam_groups": 1}
"""An item ends at its separator, and is drawn."""


class ItemWriter:
    """Writes the items of a run's kind: lines, or the blocks of a collection; lines for a text that is neither.

    Raises RunError if the run's texts are lost or damaged, CorpusError for a run on prompts and answers, and
    GenerationError for a writer that has no run's folder.
    """

    def __init__(self, writer: Writer) -> None:
        if writer.folder is None:
            raise GenerationError("new items are those that a run's text does not have: open a run with lilliput.load")
        texts = read_texts(writer.folder, MOST_TOKENS)
        found = None if texts.items else find_items([texts.training])
        self.kind: ItemKind = texts.items or (found.kind if found else "line")
        self.separator = SEPARATORS[self.kind]
        self.training_share = texts.training_share
        """Share of the training text in which items are looked up."""
        self.counts = {"copied": 0, "held_out": 0, "twice": 0, "unfinished": 0}
        """What was thrown away: copies of learnt and of held-out items, what was written twice, what had no end."""
        self._writer = writer
        learnt = split_items(texts.training, self.kind)
        self._learnt = set(map(str.strip, learnt))
        self._held_out = set(map(str.strip, split_items(texts.held_out, self.kind)))
        self._longest = max(learnt, key=len, default="")

    def new(self, count: int, prompt: str = "", *, seed: int = 1, **sampling: Any) -> Iterator[str]:
        """Yield this number of new items, each beginning with `prompt`; `sampling` are the options of `Writer.write`.

        Raises GenerationError for options that are impossible, and where the model writes nothing new any more.
        """
        found: set[str] = set()
        barren = 0
        for item in self.drawn(prompt, seed=seed, **sampling):
            reason = self._flaw(item, found)
            if item is not None and reason is None:
                found.add(item.strip())
                barren = 0
                yield item
                if len(found) == count:
                    return
                continue
            self.counts[reason or "unfinished"] += 1
            barren += 1
            if barren == BARREN:
                raise GenerationError(
                    f"{len(found):,} of {count:,} items were found: none of the last {BARREN:,} that the model wrote "
                    "was new; try a higher temperature, or ask for fewer"
                )

    def drawn(self, prompt: str = "", *, seed: int = 1, **sampling: Any) -> Iterator[str | None]:
        """Yield items without end, new or not; None for one that did not end within its length."""
        writer = self._writer
        if self.separator in prompt:
            raise GenerationError(f"an item holds no {self.separator!r}: give a prompt that is the beginning of one")
        prompt = writer.tokenizer.normalized(canonical(prompt))
        options = self._options(sampling)
        while True:
            seeds = range(seed, seed + AT_ONCE)
            for stream in writer.streams([self.separator + prompt] * AT_ONCE, seeds, **options):
                written = _whole(stream, options["max_tokens"])
                item = None if written is None else (prompt + written).strip("\n").rstrip()
                yield item or None
            seed += AT_ONCE

    def written(
        self, number: int, *, seed: int = 1, progress: Callable[[int], None] = lambda done: None, **sampling: Any
    ) -> str:
        """Return a text of that many items, new or not. Raises GenerationError if the model writes none with an end."""
        found: list[str] = []
        barren = 0
        for item in self.drawn(seed=seed, **sampling):
            barren = 0 if item else barren + 1
            if barren == BARREN:
                raise GenerationError(f"the run wrote {BARREN:,} items without an end: train it for longer")
            found += [item] if item else []
            progress(len(found))
            if len(found) == number:
                break
        return "".join(item + self.separator for item in found)

    def compared(self, written: str, held_out: str) -> dict[str, Any]:
        """Return the figures of two texts, and the kind of the items, as `judge --json` prints them."""
        return {"kind": self.kind, "written": self._figures(written), "held_out": self._figures(held_out)}

    def _figures(self, text: str) -> dict[str, Any]:
        """Return how many items a text has, and which shares are copies, repeated, and different new ones."""
        items = split_items(text, self.kind)
        counts = Counter(item.strip() for item in items)
        total = max(1, len(items))
        copied = sum(number for item, number in counts.items() if item in self._learnt)
        return {
            "items": len(items),
            "copied_items": round(copied / total, 5),
            "repeated_items": round((len(items) - len(counts)) / total, 5),
            "new_items": round(sum(item not in self._learnt for item in counts) / total, 5),
        }

    def _flaw(self, item: str | None, found: set[str]) -> str | None:
        if item is None:
            return "unfinished"
        plain = item.strip()
        known = {"copied": self._learnt, "held_out": self._held_out, "twice": found}
        return next((flaw for flaw, items in known.items() if plain in items), None)

    def _options(self, sampling: dict[str, Any]) -> dict[str, Any]:
        settings, encode = self._writer.sampling(sampling), self._writer.tokenizer.encode
        length = sampling.get("max_tokens") or max(_LEAST_LENGTH, 2 * len(encode(self._longest)))
        # One more than that is written, to see whether the item ends.
        options = {
            **sampling,
            **_NO_ENDS,
            "max_tokens": length + len(encode(self.separator)) + 1,
            "stop": self.separator,
        }
        # The model says where an item ends that could go on.
        if settings.match is not None:
            options["match"] = f"(?:{settings.match}){regex.escape(self.separator)}"
        if settings.allow is not None:
            options["allow"] = settings.allow + self.separator
        return options


def _whole(stream: Iterator[Piece], length: int) -> str | None:
    """Return what a stream writes, None if it uses up its length."""
    text = ""
    for piece in stream:
        text += piece.text
        if piece.tokens >= length:
            return None
    return text
