"""A folder whose manifest lists its files, so that damage is noticed when one of them is read."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from lilliput import files
from lilliput.errors import CheckpointError, RunError
from lilliput.runs.manifest import MANIFEST, Manifest, sum_of, upgrade

RESTORE: Final = "copy it back from a backup, or train again with --fresh"
"""The remedy for a broken file."""


class ListedFiles:
    """The files of a folder that are listed in its manifest."""

    listed: ClassVar[tuple[str, ...]] = ()
    """Patterns of the files that `list_files` adds; others are listed as they are written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._checked: set[Path] = set()

    def manifest(self) -> Manifest:
        """Return the manifest, an empty one if there is none. Raises CheckpointError if it is damaged."""
        if not (self.path / MANIFEST).exists():
            return Manifest()
        return Manifest.read(self.path)

    def mend_manifest(self, note: Callable[[str], None]) -> None:
        """Replace a damaged manifest, with a line to `note`, and list the files that are not listed yet."""
        try:
            self.manifest()
        except CheckpointError as error:
            note(f"{error}; the run's other files are used unchecked")
            files.remove(self.path / MANIFEST)
        self.list_files()

    def list_files(self) -> None:
        """Add missing files to the manifest; weights are added when they are written."""
        manifest = self.manifest()
        paths = [path for pattern in self.listed for path in sorted(self.path.glob(pattern))]
        names = {path.relative_to(self.path).as_posix(): path for path in paths}
        new = {name: sum_of(path) for name, path in names.items() if name not in manifest.sums}
        if new:
            manifest.sums |= new
            manifest.write(self.path)

    def check(self, path: Path, remedy: str = RESTORE) -> None:
        """Raise RunError if a file does not match the manifest; files that are not listed are not checked."""
        name = path.relative_to(self.path).as_posix()
        try:
            if path in self._checked or name not in (manifest := self.manifest()).sums:
                return
        except CheckpointError:
            return  # reported when the weights are read, and when the training continues
        if not path.exists():
            return  # the reader of the file has a better message
        if not manifest.knows(self.path, name):
            raise RunError(f"{path}: damaged (its SHA-256 does not match manifest.json); {remedy}")
        self._checked.add(path)

    def _replace(self, path: Path, content: bytes) -> None:
        """Replace a file that the manifest lists."""
        manifest, name = self.manifest(), path.relative_to(self.path).as_posix()
        new = hashlib.sha256(content).hexdigest()
        if manifest.sums.get(name) == new and path.is_file() and sum_of(path) == new:
            return
        if name in manifest.sums and path.is_file():
            manifest.former[name] = sum_of(path) if manifest.knows(self.path, name) else new
        manifest.sums[name] = new
        manifest.write(self.path)
        files.write(path, content)

    def advice(self) -> str | None:
        """Return the advice to upgrade, if a later version wrote the run."""
        try:
            return upgrade(self.manifest().version)
        except CheckpointError:
            return None
