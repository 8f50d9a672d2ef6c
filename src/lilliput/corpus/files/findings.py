"""What was found out while texts were read: encodings, frames taken off, what was left out. It becomes notes."""

from collections.abc import Iterable, Iterator

from lilliput.corpus.files.unpacking import Found
from lilliput.corpus.settings import ReadSettings
from lilliput.corpus.tables.text_fields import RawText
from lilliput.corpus.text.cleaning import clean
from lilliput.corpus.text.marks import Marks

_MOST_NOTES = 8  # about single files


class Reading:
    """What a pass over files, which are read as `settings` say, has found out so far; it may be one file `alone`."""

    def __init__(self, settings: ReadSettings, alone: bool = True) -> None:
        self.settings = settings
        self.alone = alone
        self.files: list[Found] = []
        self.left_out: list[str] = []
        self.frames: list[int] = []
        self.marks = Marks()
        self.replaced = 0
        self.empty = 0

    def notes(self) -> list[str]:
        """Tell the user how the files were read and what was left out."""
        groups: dict[tuple[str, str], list[Found]] = {}
        for file in self.files:
            groups.setdefault((file.encoding, file.line_ends), []).append(file)
        notes = [
            f"read {files[0].name if len(files) == 1 else f'{len(files):,} files'} as {encoding}, {line_ends}, "
            f"{sum(file.bytes for file in files):,} bytes"
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
            notes.append(f"{self.replaced:,} halves of surrogate pairs replaced by U+FFFD")
        if self.empty:
            notes.append(f"{self.empty:,} empty documents left out")
        return notes

    def clean(self, texts: Iterable[RawText]) -> Iterator[list[str]]:
        """Yield the documents in every text: one, unless marks part it."""
        for raw in texts:
            cleaned = clean(raw.text)
            self.replaced += cleaned.replaced
            if cleaned.frame and cleaned.text.strip():
                self.frames.append(cleaned.frame)
            yield self.marks.parts(cleaned.text)
