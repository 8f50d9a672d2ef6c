"""The runs that a server offers: a list that is fixed by its owner, never a path from a request."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lilliput.corpus import unmark
from lilliput.errors import LilliputError, RunError
from lilliput.evaluation.generation_metrics import is_verse, read_texts
from lilliput.evaluation.writing import Learnt
from lilliput.item_writer import ItemWriter
from lilliput.models import count_parameters
from lilliput.runs.folder import WEIGHTS, RunFolder
from lilliput.serve.errors import ApiError
from lilliput.serve.worker import BatchWorker
from lilliput.verse.languages import guess_language
from lilliput.writer import Writer, load


@dataclass
class ServedModel:
    """An open run: its writer, and the thread that writes for all clients."""

    name: str
    writer: Writer
    worker: BatchWorker
    created: int
    """When its weights were written, in seconds since 1970."""

    def describe(self) -> dict[str, Any]:
        """Return what the page shows about the model."""
        model, settings = self.writer.model, self.writer.model.network_alone().settings
        facts = settings.model_dump(mode="json")
        return {
            "id": self.name,
            "created": self.created,
            "kind": settings.kind,
            "parameters": count_parameters(model),
            "context": model.context,
            "vocab_size": model.vocab_size,
            "tokenizer": self.writer.tokenizer.kind,
            "layers": facts.get("layers", 0),
            "heads": facts.get("heads", 0),
            "width": facts.get("width", 0),
            "counts": model.steps() is not None,
            "reverse_lines": self.writer.tokenizer.reverse_lines,
            "labels": self.writer.labels,
            "verse": self.verse,
            "prompt": self.writer.settings.prompts[0],
            "defaults": self.writer.settings.model_dump(mode="json", exclude={"prompts"}),
        }

    @cached_property
    def learnt(self) -> Learnt:
        """Return an index of the training text. Raises RunError if the text is missing or damaged."""
        assert self.writer.folder is not None, "a served run has a folder"
        texts = read_texts(self.writer.folder)
        return Learnt(texts.training, texts.language, texts.items)

    @cached_property
    def verse(self) -> str | None:
        """Return the language of the run's text if it is verse."""
        assert self.writer.folder is not None, "a served run has a folder"
        try:
            folder = RunFolder(self.writer.folder)
            ids = folder.read_tokens(folder.validation_tokens)[:_VERSE_TOKENS].tolist()
        except LilliputError:
            return None
        held_out = unmark(self.writer.tokenizer.decode(ids))
        language = guess_language(held_out)
        return language if is_verse(held_out, language) else None

    @cached_property
    def items(self) -> ItemWriter:
        """Return a writer of new items. Raises RunError or CorpusError if the run has no texts.

        It has a model of its own: only the worker may use the backends of the other one.
        """
        assert self.writer.folder is not None, "a served run has a folder"
        return ItemWriter(load(self.writer.folder, lambda text: None))

    @cached_property
    def items_lock(self) -> asyncio.Lock:
        """Return the lock of `items`, which serves one request at a time."""
        return asyncio.Lock()


_VERSE_TOKENS = 30_000
"""Tokens of the held-out text that show whether it is verse."""


class ServedModels:
    """The open runs by name. `aside` runs slow work on a model outside the event loop and the batch."""

    def __init__(self, runs: Sequence[Path], note: Callable[[str], None], *, rows: int, most_waiting: int) -> None:
        self.aside = ThreadPoolExecutor(2, "lilliput-aside")
        self._note, self._rows, self._most_waiting = note, rows, most_waiting
        self._models: dict[str, ServedModel] = {}
        self.on_first_token: Callable[[float], None] = lambda seconds: None
        """Called with the time from each request to its first token."""
        try:
            for run in runs:
                self.open(run)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(list(self._models.values()))

    def __len__(self) -> int:
        return len(self._models)

    def get(self, name: str) -> ServedModel | None:
        """Return the model with this name."""
        return self._models.get(name)

    def find(self, name: str) -> ServedModel:
        """Return the model with this name. Raises ApiError with status 404 if the server does not offer it."""
        model = self._models.get(name)
        if model is None:
            offered = f"choose from {', '.join(self._models) or 'none'}"
            raise ApiError(404, f"there is no model {name!r}: {offered}", param="model", code="model_not_found")
        return model

    def open(self, run: Path) -> ServedModel:
        """Open a run. Raises RunError if it cannot be used, or if another one has its name."""
        name = run.resolve().name
        if name in self._models:
            raise RunError(f"two runs have the name {name}: rename the folder of one")
        writer = load(run, self._note, texts=self._rows)
        worker = BatchWorker(writer, self._rows, self._most_waiting)
        worker.on_first_token = self._observe
        weights = run / WEIGHTS
        created = int((weights if weights.exists() else run).stat().st_mtime)
        self._models[name] = ServedModel(name, writer, worker, created)
        return self._models[name]

    def _observe(self, seconds: float) -> None:
        self.on_first_token(seconds)

    def remove(self, name: str) -> None:
        """Close a model and forget it; does nothing if it is not open."""
        model = self._models.pop(name, None)
        if model is not None:
            model.worker.close()

    def close(self) -> None:
        """End all threads."""
        for name in list(self._models):
            self.remove(name)
        self.aside.shutdown(wait=False, cancel_futures=True)
