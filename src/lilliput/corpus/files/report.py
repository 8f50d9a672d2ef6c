"""Report how files were read: encodings, removed frames, and what was left out."""

from dataclasses import dataclass

from lilliput.corpus.text.marks import Marks
from lilliput.wording import counted

_MOST_NOTES = 8  # about single files


@dataclass(frozen=True, slots=True)
class FileReport:
    """How one file was read, and the notes on it."""

    name: str
    encoding: str
    line_ends: str
    bytes: int
    notes: tuple[str, ...] = ()


class ReadingReport:
    """Collect how files were read."""

    def __init__(self) -> None:
        self.files: list[FileReport] = []
        self.left_out: list[str] = []
        self.frames: list[int] = []
        self.marks = Marks()
        self.replaced = 0
        self.documents = 0
        """Documents with text."""
        self.empty = 0

    def add(self, file: FileReport, has_documents: bool) -> None:
        """Add a file after reading all of it."""
        if has_documents:
            self.files.append(file)
        else:
            self.left_out += file.notes
            self.empty += not file.notes

    def notes(self) -> list[str]:
        """Return the notes on how the files were read and what was left out, one line each."""
        groups: dict[tuple[str, str], list[FileReport]] = {}
        for file in self.files:
            groups.setdefault((file.encoding, file.line_ends), []).append(file)
        notes = [
            f"read {files[0].name if len(files) == 1 else f'{len(files):,} files'} as {encoding}, {line_ends}, "
            + counted(sum(file.bytes for file in files), "byte")
            for (encoding, line_ends), files in groups.items()
        ]
        notes = [*self.left_out, *notes]
        single = [note for file in self.files for note in file.notes]
        notes += single[:_MOST_NOTES]
        if len(single) > _MOST_NOTES:
            notes.append(f"{len(single) - _MOST_NOTES:,} more such lines, about other files, are not shown")
        if self.frames:
            texts = f" from {len(self.frames):,} texts" if len(self.frames) > 1 else ""
            notes.append(f"Project Gutenberg frame removed{texts}: {sum(self.frames):,} characters")
        notes += self.marks.notes()
        if self.replaced:
            notes.append(
                f"{counted(self.replaced, 'half of a surrogate pair', 'halves of surrogate pairs')} replaced by U+FFFD"
            )
        if self.empty:
            notes.append(f"{counted(self.empty, 'empty document')} left out")
        return notes
