"""Every error that Lilliput raises on purpose.

LilliputError
├── CorpusError        a text cannot be found, read, decoded or split
├── TokenizerError     an impossible vocabulary, a broken tokenizer folder
├── RecipeError        an unknown key, a wrong type, an impossible value or size
├── RunError           a run folder is missing, in use, or of a different recipe
│   └── CheckpointError    a damaged checkpoint
├── GenerationError    impossible sampling options
├── VerseError         a language without rules of verse, an impossible form
└── DependencyError    an optional package is missing or broken

Each message is one line: what was given, what is allowed, the remedy. The command line prints it and exits with code 2.
"""


class LilliputError(Exception):
    """An error that the user can fix; its message is one line with the remedy."""


class CorpusError(LilliputError):
    """A text cannot be found, read, decoded or split."""


class TokenizerError(LilliputError):
    """A vocabulary is impossible, or a tokenizer folder is broken."""


class RecipeError(LilliputError):
    """A recipe has an unknown key, a wrong type, or an impossible value or size."""


class RunError(LilliputError):
    """A run folder is missing, in use by another process, or of a different recipe."""


class CheckpointError(RunError):
    """A checkpoint is incomplete or damaged."""


class GenerationError(LilliputError):
    """Sampling options are impossible."""


class VerseError(LilliputError):
    """A language has no rules of verse, or a form is impossible."""


class DependencyError(LilliputError):
    """An optional package is not installed, or importing it raised `error`."""

    def __init__(self, package: str, extra: str, purpose: str, error: Exception | None = None) -> None:
        if error is None or (isinstance(error, ModuleNotFoundError) and error.name in (None, package)):
            super().__init__(f"{purpose} needs the package {package}: pip install 'lilliput[{extra}]'")
        else:
            reason = f"{type(error).__name__}: {error}"[:200]
            super().__init__(
                f"{purpose} needs the package {package}, which is installed but broken ({reason}): "
                f"pip install --force-reinstall {package}"
            )
