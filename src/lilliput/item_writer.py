"""New items from a run: names, words, titles or haiku that are not in its text and do not repeat.

Each item is generated alone, from one separator to the next. Copies of training items are dropped, and so are copies of
held-out items, since these are in the list too. After `BARREN` items in a row that are not new, the search ends.
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
"""Items in a row that are not new before the search ends."""
MOST_TOKENS = 64_000_000
"""Tokens at the end of the training text in which items are looked up: all of a text that is not streamed."""
_LEAST_LENGTH = 16
_NO_ENDS = {"until": None, "max_characters": None, "acrostic": None, "beams": 1, "beam_groups": 1}
"""Options that do not apply: an item ends at its separator, and is drawn."""


class ItemWriter:
    """Writes items of the kind of a run's text: the blocks of a collection, or lines for any other text.

    Raises RunError if the texts of the run are missing or damaged, CorpusError for a run on prompts and answers, and
    GenerationError for a writer without a run folder.
    """

    def __init__(self, writer: Writer) -> None:
        if writer.folder is None:
            raise GenerationError("new items are those that a run's text does not have: open a run with lilliput.load")
        texts = read_texts(writer.folder, MOST_TOKENS)
        items = None if texts.items else find_items([texts.training])
        self.kind: ItemKind = texts.items or (items.kind if items else "line")
        self.separator = SEPARATORS[self.kind]
        self.training_share = texts.training_share
        """Share of the training text in which items are looked up."""
        self.counts = {"copied": 0, "held_out": 0, "twice": 0, "unfinished": 0}
        """Dropped items: copies of training items, copies of held-out items, repeated ones, ones without an end."""
        self._writer = writer
        learnt = split_items(texts.training, self.kind)
        self._learnt = set(map(str.strip, learnt))
        self._held_out = set(map(str.strip, split_items(texts.held_out, self.kind)))
        self._longest = max(learnt, key=len, default="")

    def new(self, count: int, prompt: str = "", *, seed: int = 1, **sampling: Any) -> Iterator[str]:
        """Yield `count` new items, each starting with `prompt`; `sampling` are the options of `Writer.write`.

        Raises GenerationError for impossible options, and if none of `BARREN` items in a row is new.
        """
        written: set[str] = set()
        barren = 0
        for item in self.drawn(prompt, seed=seed, **sampling):
            reason = self._flaw(item, written)
            if item is not None and reason is None:
                written.add(item.strip())
                barren = 0
                yield item
                if len(written) == count:
                    return
                continue
            self.counts[reason or "unfinished"] += 1
            barren += 1
            if barren == BARREN:
                raise GenerationError(
                    f"{len(written):,} of {count:,} items were found: none of the last {BARREN:,} that the model wrote "
                    "was new; try a higher temperature, or ask for fewer"
                )

    def drawn(self, prompt: str = "", *, seed: int = 1, **sampling: Any) -> Iterator[str | None]:
        """Yield items for ever, new or not; None for an item that reaches the length limit."""
        writer = self._writer
        if self.separator in prompt:
            raise GenerationError(f"an item contains no {self.separator!r}: give a prompt that starts one item")
        prompt = writer.tokenizer.normalized(canonical(prompt))
        options = self._options(sampling)
        while True:
            seeds = range(seed, seed + AT_ONCE)
            for stream in writer.streams([self.separator + prompt] * AT_ONCE, seeds, **options):
                text = _joined(stream, options["max_tokens"])
                item = None if text is None else (prompt + text).strip("\n").rstrip()
                yield item or None
            seed += AT_ONCE

    def written(
        self, number: int, *, seed: int = 1, progress: Callable[[int], None] = lambda done: None, **sampling: Any
    ) -> str:
        """Return a text of `number` items, new or not. Raises GenerationError if `BARREN` in a row have no end."""
        items: list[str] = []
        barren = 0
        for item in self.drawn(seed=seed, **sampling):
            barren = 0 if item else barren + 1
            if barren == BARREN:
                raise GenerationError(f"the run wrote {BARREN:,} items without an end: train it for longer")
            items += [item] if item else []
            progress(len(items))
            if len(items) == number:
                break
        return "".join(item + self.separator for item in items)

    def compared(self, written: str, held_out: str) -> dict[str, Any]:
        """Return the figures of a written and a held-out text, and the kind of items, as `judge --json` prints them."""
        return {"kind": self.kind, "written": self._figures(written), "held_out": self._figures(held_out)}

    def _figures(self, text: str) -> dict[str, Any]:
        """Return the number of items in a text, and the shares of copies, of repeated and of distinct new items."""
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

    def _flaw(self, item: str | None, written: set[str]) -> str | None:
        if item is None:
            return "unfinished"
        plain = item.strip()
        existing = {"copied": self._learnt, "held_out": self._held_out, "twice": written}
        return next((flaw for flaw, items in existing.items() if plain in items), None)

    def _options(self, sampling: dict[str, Any]) -> dict[str, Any]:
        settings, encode = self._writer.sampling(sampling), self._writer.tokenizer.encode
        length = sampling.get("max_tokens") or max(_LEAST_LENGTH, 2 * len(encode(self._longest)))
        # One more token shows whether the item ends.
        options = {
            **sampling,
            **_NO_ENDS,
            "max_tokens": length + len(encode(self.separator)) + 1,
            "stop": self.separator,
        }
        # The model decides where an item ends, even if the pattern could continue.
        if settings.match is not None:
            options["match"] = f"(?:{settings.match}){regex.escape(self.separator)}"
        if settings.allow is not None:
            options["allow"] = settings.allow + self.separator
        return options


def _joined(stream: Iterator[Piece], length: int) -> str | None:
    """Return the text of a stream, None if it reaches `length` tokens."""
    text = ""
    for piece in stream:
        text += piece.text
        if piece.tokens >= length:
            return None
    return text
