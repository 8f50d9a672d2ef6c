"""Claim a run folder for one process, and prepare a new run beside an earlier one."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from lilliput import files
from lilliput.errors import CorpusError, RunError
from lilliput.runs.folder import RunFolder
from lilliput.runs.swapping import FORMER, clear, replace_run, settle_run

_LOCK = ".lock"


def claim(run: RunFolder) -> FileLock:
    """Create the folder, lock it, and repair it after an interruption; `release` it when done.

    Raises RunError if another process has locked it, or if the folder has other files but no run.
    """
    if run.path.is_dir() and not _is_run(run) and any(run.path.iterdir()):
        raise RunError(f"{run.path}: not empty and not a run; choose another folder with --out")
    try:
        files.make_folder(run.path)
        if (run.path / _LOCK).is_symlink():
            files.remove(run.path / _LOCK)
        lock = FileLock(run.path / _LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(
            f"{run.path}: in use by another process; wait for it, or choose another folder with --out"
        ) from None
    except OSError as error:
        raise RunError(f"cannot write {run.path}: {error.strerror}. Choose another folder with --out") from None
    _mend(run)
    return lock


def in_use(run: RunFolder) -> bool:
    """Return whether a process has claimed the folder."""
    if not (run.path / _LOCK).is_file():
        return False
    lock = FileLock(run.path / _LOCK)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def _is_run(run: RunFolder) -> bool:
    # The lock is created first. A copy without hidden files still has the files of every run.
    ours = (run.path / _LOCK).exists() or run.aside.is_dir() or (run.path / FORMER).is_dir()
    return ours or all(path.exists() for path in (run.facts, run.tokenizer))


def release(run: RunFolder, lock: FileLock) -> None:
    """Release the folder, and delete it if there is no run in it."""
    lock.release()
    if not run.facts.exists() and not run.has_learnt():
        with suppress(OSError):
            clear(run.path)
            (run.path / _LOCK).unlink(missing_ok=True)
            if not any(run.path.iterdir()):
                run.path.rmdir()


@contextmanager
def staged(run: RunFolder, keep: bool = False) -> Iterator[RunFolder]:
    """Yield a folder in which to prepare a new run; it replaces the earlier run if the block succeeds.

    With `keep`, an interrupted preparation stays, and the next call continues it.
    """
    aside = RunFolder(run.aside)
    if not keep or aside.path.is_symlink():
        files.remove(aside.path)
    files.make_folder(aside.path)
    try:
        yield aside
        aside.list_files()
        replace_run(run.path, aside.path)
        keep = False
    except CorpusError:
        keep = False  # do not keep the preparation of an unusable text
        raise
    finally:
        if not keep:
            with suppress(OSError):
                files.remove(aside.path)


def _mend(run: RunFolder) -> None:
    """Repair the folder after an interruption, except the preparation of a large text (`staged`)."""
    settle_run(run.path)
    for folder in (run.path, run.tokenizer, run.training_tokens.parent, run.checkpoints):
        files.mend_folder(folder)


def forget_preparation(run: RunFolder) -> None:
    """Remove the preparation of a run that never started."""
    with suppress(OSError):
        files.remove(run.aside)
