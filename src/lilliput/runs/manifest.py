"""Files that are whole or not there: written aside, flushed to the disk, renamed, and listed with their SHA-256."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from lilliput.errors import CheckpointError

MANIFEST = "manifest.json"


def write_whole(path: Path, content: bytes) -> None:
    """Replace `path` by `content` at once: a crash leaves the old file or the new one, never a part."""
    aside = path.with_name(f".{path.name}.part")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Ask the system to write a folder's entries to the disk, where it knows how to."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Make `folder` at once: `write` fills a folder beside it, which gets a manifest, is flushed and renamed."""
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    write(aside)
    write_manifest(aside)
    for path in aside.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    flush_folder(aside)
    former = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(former, ignore_errors=True)
    if folder.exists():
        folder.rename(former)
    aside.rename(folder)
    flush_folder(folder.parent)
    shutil.rmtree(former, ignore_errors=True)


def mend_folders(parent: Path) -> None:
    """Put right what a crash in `write_folder` left below `parent`: half-written folders go, former ones come back."""
    for path in parent.glob(".*.part"):
        shutil.rmtree(path, ignore_errors=True)
    for former in parent.glob(".*.old"):
        folder = former.with_name(former.name.removeprefix(".").removesuffix(".old"))
        if folder.exists():
            shutil.rmtree(former, ignore_errors=True)
        else:
            former.rename(folder)


def write_manifest(folder: Path, names: list[str] | None = None) -> None:
    """List the SHA-256 of the folder's files (or of `names` among them) in its manifest."""
    listed = names if names is not None else sorted(path.name for path in folder.iterdir() if path.is_file())
    sums = {name: _sha256(folder / name) for name in listed if name != MANIFEST}
    write_whole(folder / MANIFEST, (json.dumps({"sha256": sums}, indent=2) + "\n").encode())


def check_manifest(folder: Path) -> None:
    """Raise CheckpointError unless every listed file is there with the bytes that were written."""
    try:
        sums = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sha256"]
        if not sums:
            raise CheckpointError(f"{folder / MANIFEST}: damaged, it lists nothing")
        for name, expected in sums.items():
            if _sha256(folder / name) != expected:
                raise CheckpointError(f"{folder / name}: damaged, its SHA-256 is not the one in {MANIFEST}")
    except FileNotFoundError as error:
        raise CheckpointError(f"{error.filename}: missing") from None
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{folder / MANIFEST}: unreadable ({error})") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
