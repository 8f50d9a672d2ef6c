"""Trainings that the page starts, each in a process of its own: `lilliput train`, as a user would type it.

Uploaded texts lie in a hidden folder among the runs, under a name that the server makes. The text of a run stays there,
so that the run can continue.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lilliput import files
from lilliput.corpus import Corpus, open_corpus
from lilliput.errors import RunError
from lilliput.planning.resolve import resolve
from lilliput.report.choices import choices
from lilliput.runs.claiming import in_use
from lilliput.runs.folder import RunFolder
from lilliput.serve.training.run_list import run_paths

UPLOADS = ".uploads"
MOST_TRAININGS = 1
"""Trainings at the same time: each takes all cores."""
_SHOWN = 300
"""Characters of a text's beginning that are shown."""
_LONGEST_NAME = 60
_COMMAND, _LOG = "command.json", "train.log"
"""Files beside an uploaded text: of the run that learns it."""
_LAST_SECONDS = 10
"""How long to wait for a process that has been asked to stop."""


@dataclass
class _Training:
    """A process that trains a run."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def error(self) -> str | None:
        """Return the last line of a process that failed."""
        if self.process.poll() in (None, 0, -signal.SIGINT, 130, -signal.SIGTERM, 143):
            return None
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1].removeprefix("error: ") if lines else "the training ended without a message"


class Trainings:
    """The uploads of a folder of runs, and the processes that train on them."""

    def __init__(self, parent: Path) -> None:
        self.parent = parent
        self._uploads = parent / UPLOADS
        self._running: dict[str, _Training] = {}
        self._watched: dict[str, int] = {}
        """By run, the process that trains it, where `lilliput train --live` has named it."""
        self._lock = threading.Lock()

    def watch(self, name: str, process: int) -> None:
        """Let the page stop a run that this process trains."""
        self._watched[name] = process

    def run(self, name: str) -> Path:
        """Return the folder of a run in the list. Raises RunError for any other name."""
        for path in run_paths(self.parent):
            if path.name == name:
                return path
        training = self._running.get(name)
        if training is not None and training.error is not None:
            raise RunError(training.error)
        raise RunError(f"there is no run {name!r}")

    def starting(self) -> list[str]:
        """Return the names of runs whose process has not prepared its folder yet."""
        known = {path.name for path in run_paths(self.parent)}
        return [name for name in self._running if self.trains(name) and name not in known]

    def trains(self, name: str) -> bool:
        """Return whether the page trains a run: from the start of the process, before it claims the folder."""
        training = self._running.get(name)
        return training is not None and training.process.poll() is None

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """Keep an uploaded text; return what was read. Raises CorpusError for what is no text."""
        key = secrets.token_hex(8)
        folder = self._uploads / key
        files.make_folder(folder)
        path = folder / cleaned(name)
        try:
            files.write(path, content)
            corpus = open_corpus([str(path)])
        except BaseException:
            files.remove(folder)
            raise
        text = corpus.text if isinstance(corpus, Corpus) else ""
        return {
            "upload": key,
            "name": cleaned(Path(name).stem),
            "characters": len(text),
            "documents": len(corpus.documents) if isinstance(corpus, Corpus) else None,
            "start": text[:_SHOWN],
            "notes": [note.replace(f"{folder}/", "") for note in corpus.notes],
        }

    def plan(self, key: str, minutes: float) -> list[tuple[str, str]]:
        """Return what would be trained on an upload, each choice as a name and a text."""
        task = resolve([str(self._text(key))], settings={"training.minutes": minutes})
        return choices(task.recipe)

    def start(self, key: str, minutes: float, name: str) -> str:
        """Begin to train a new run on an upload; return its name. Raises RunError if it cannot be started."""
        name = cleaned(name)
        path = self.parent / name
        if path.exists():
            raise RunError(f"there is a run {name!r} already: choose another name")
        command = ["train", str(self._text(key)), "--minutes", f"{minutes:g}", "--out", str(path)]
        self._launch(name, command, key)
        return name

    def proceed(self, name: str) -> None:
        """Continue a run that the page has started. Raises RunError for another one."""
        for file in self._uploads.glob(f"*/{_COMMAND}"):
            with suppress(OSError, ValueError):
                stored = json.loads(file.read_text("utf-8"))
                if stored["name"] == name:
                    self._launch(name, stored["command"], file.parent.name)
                    return
        raise RunError(f"the page did not start {name!r}: repeat the command that made it")

    def stop(self, name: str) -> None:
        """Ask a training to finish its step and save. Raises RunError if another program trains the run."""
        training = self._running.get(name)
        if training is None or training.process.poll() is not None:
            used = in_use(RunFolder(self.run(name)))
            if used and name in self._watched:
                os.kill(self._watched[name], signal.SIGINT)
            elif used:
                raise RunError(f"another program trains {name!r}: press Ctrl-C there")
            return
        self._interrupt(name, training)

    def delete(self, name: str) -> None:
        """Delete a run and its text. Raises RunError while it is being trained."""
        path = self.run(name)
        if in_use(RunFolder(path)):
            raise RunError(f"{name!r} is being trained: stop it first")
        files.remove(path)
        training = self._running.pop(name, None)
        if training is not None:
            training.process.wait(_LAST_SECONDS)  # its run was released a moment before it ends
        for file in self._uploads.glob(f"*/{_COMMAND}"):
            with suppress(OSError, ValueError):
                if json.loads(file.read_text("utf-8"))["name"] == name:
                    files.remove(file.parent)

    def close(self) -> None:
        """Stop all trainings; each saves its run. Texts that no run has learnt are deleted."""
        for name, training in self._running.items():
            if training.process.poll() is None:
                self._interrupt(name, training)
        for training in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                training.process.wait(_LAST_SECONDS)
        for folder in self._uploads.glob("*"):
            if not (folder / _COMMAND).exists():
                files.remove(folder)

    def _interrupt(self, name: str, training: _Training) -> None:
        # While the process imports its modules, Python may lose a KeyboardInterrupt; there is nothing to save yet.
        claimed = in_use(RunFolder(self.parent / name))
        training.process.send_signal(signal.SIGINT if claimed else signal.SIGTERM)

    def _text(self, key: str) -> Path:
        folder = self._uploads / key
        found = (
            [path for path in folder.iterdir() if path.name not in (_COMMAND, _LOG)]
            if _is_key(key) and folder.is_dir()
            else []
        )
        if not found:
            raise RunError("the uploaded text is gone: upload it again")
        return found[0]

    def _launch(self, name: str, command: list[str], key: str) -> None:
        with self._lock:
            if name in self._running:  # its run is saved a moment before the process ends
                with suppress(subprocess.TimeoutExpired):
                    self._running[name].process.wait(_LAST_SECONDS)
            if sum(training.process.poll() is None for training in self._running.values()) >= MOST_TRAININGS:
                raise RunError("another training is under way: stop it, or wait for its end")
            folder = self._uploads / key
            files.write(folder / _COMMAND, json.dumps({"name": name, "command": command}).encode())
            log = folder / _LOG
            with log.open("wb") as stream:
                process = subprocess.Popen(
                    [sys.executable, "-m", "lilliput", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stream,
                    start_new_session=True,  # a Ctrl-C in the server's terminal is sent on by `close`
                )
            self._running[name] = _Training(process, log)


def cleaned(name: str) -> str:
    """Return a name that is safe for a file: letters, digits, dots, hyphens and underscores."""
    last = re.split(r"[\\/]", name)[-1]
    safe = re.sub(r"[^\w.-]+", "-", last).strip("-. ")
    stem, dot, ending = safe.rpartition(".")
    stem = stem.strip("-. ")
    return (f"{stem[:_LONGEST_NAME]}.{ending[:10]}" if dot and stem else safe[:_LONGEST_NAME]) or "text"


def _is_key(key: str) -> bool:
    return re.fullmatch("[0-9a-f]{16}", key) is not None
