"""The manifest of a folder: the SHA-256 of its files, and the version of Lilliput that wrote them.

Before a file is replaced, the manifest lists its old and its new sum, so that an interruption leaves a file that
matches one of them. The manifest has a sum of itself: if that is wrong, the manifest is damaged, and the files may be
intact.
"""

import errno
import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from lilliput import files
from lilliput.errors import CheckpointError

MANIFEST: Final = "manifest.json"


@dataclass
class Manifest:
    """The contents of manifest.json; files are named by their path in the folder."""

    sums: dict[str, str] = field(default_factory=dict)
    former: dict[str, str] = field(default_factory=dict)
    """The sums that files had before they were last replaced."""
    recipe: dict[str, Any] | None = None
    """A copy of the run's recipe as it was resolved."""
    version: str = ""
    """The version of Lilliput that wrote it; empty if it is not recorded."""

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read a folder's manifest. Raises CheckpointError if it is missing or damaged."""
        path = folder / MANIFEST
        try:
            content = files.read_json(path)
        except FileNotFoundError:
            raise CheckpointError(f"{path}: missing") from None
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path}: unreadable ({files.reason_of(error)})") from None
        # The first versions wrote neither a checksum of the manifest nor their version.
        checksum = content.pop("checksum", None)
        if (checksum is not None or "lilliput" in content) and checksum != _checksum_of(content):
            raise CheckpointError(f"{path}: damaged (it has changed since it was written)")
        manifest = cls(content.get("sha256", {}), content.get("former", {}), content.get("recipe"))
        manifest.version = content.get("lilliput", "")
        tables = all(isinstance(sums, dict) for sums in (manifest.sums, manifest.former))
        if not tables or not isinstance(manifest.version, str) or not isinstance(manifest.recipe, dict | None):
            raise CheckpointError(f"{path}: damaged, it lists nothing")
        return manifest

    def write(self, folder: Path) -> None:
        """Write the manifest of a folder, with the version of this Lilliput."""
        content: dict[str, Any] = {"lilliput": this_version(), "sha256": self.sums}
        if self.former:
            content["former"] = self.former
        if self.recipe is not None:
            content["recipe"] = self.recipe
        content["checksum"] = _checksum_of(content)
        files.write(folder / MANIFEST, _as_json(content, indent=2) + b"\n")

    def knows(self, folder: Path, name: str) -> bool:
        """Return whether a file is unchanged. Raises CheckpointError if it cannot be read."""
        try:
            current = sum_of(folder / name)
        except FileNotFoundError:
            raise CheckpointError(f"{folder / name}: missing") from None
        except OSError as error:
            raise CheckpointError(f"{folder / name}: unreadable ({files.reason_of(error)})") from None
        return current in (self.sums.get(name), self.former.get(name))


def write_manifest(folder: Path) -> None:
    """List all files of a folder in its manifest."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    Manifest({name: sum_of(folder / name) for name in names}).write(folder)


def check_manifest(folder: Path) -> Manifest:
    """Return the manifest. Raises CheckpointError unless every listed file exists and is unchanged."""
    manifest = Manifest.read(folder)
    if not manifest.sums:
        raise CheckpointError(f"{folder / MANIFEST}: damaged, it lists nothing")
    for name in manifest.sums:
        if not manifest.knows(folder, name):
            raise CheckpointError(f"{folder / name}: damaged (its SHA-256 does not match manifest.json)")
    return manifest


@cache
def this_version() -> str:
    """Return the version of this Lilliput."""
    try:
        return version("lilliput")
    except PackageNotFoundError:
        return "0"


def upgrade(written_by: str) -> str | None:
    """Return the advice to upgrade if `written_by`, a version of Lilliput, is later than this one."""
    # Only the digits: do not show other text of a file from elsewhere.
    made, this = (re.match(r"\d{1,6}(\.\d{1,6}){0,3}", text) for text in (written_by, this_version()))
    if made is None or this is None or _numbers(made[0]) <= _numbers(this[0]):
        return None
    return f"made by Lilliput {made[0]}, this is {this[0]}: upgrade with pip install --upgrade lilliput"


def sum_of(path: Path) -> str:
    """Return the SHA-256 of a file. Raises OSError."""
    if path.exists() and not path.is_file():  # a pipe or a device may be endless
        raise OSError(errno.EINVAL, "not a file", str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(".")]


def _checksum_of(content: dict[str, Any]) -> str:
    return hashlib.sha256(_as_json(content)).hexdigest()


def _as_json(content: dict[str, Any], indent: int | None = None) -> bytes:
    return json.dumps(content, indent=indent).encode("ascii")
