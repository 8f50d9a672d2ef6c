"""The text of subtitles (`.srt`, `.vtt`, `.ass` and `.ssa`), without numbers, times and styles."""

import re
from html import unescape

_TIME = r"(?:\d+:)?\d{1,2}:\d{2}[,.]\d{1,3}"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}.*")
_NUMBER = re.compile(r"\s*\d+\s*")
_TAG = re.compile(r"</?(?:[bciusv]|font|lang|ruby|rt)(?:[ .][^<>]*)?>|<\d[\d:.]*>|\{\\[^{}]*\}")
_INLINE_TIME = re.compile(r"<\d\d:\d\d(?::\d\d)?\.\d{3}>")
_BLOCK = re.compile(r"(?:\A\ufeff?WEBVTT|(?:(?<=\n\n)|\A)(?:NOTE|STYLE|REGION))\b(?:.|\n(?!\s*\n))*")
_OVERRIDE = re.compile(r"\{[^{}]*\}")
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9][^{}]*\}")


def spoken(text: str, suffix: str) -> tuple[str, int]:
    """Return the spoken lines, and the number of times that were left out.

    Args:
        text: subtitles with line feeds as line ends
        suffix: `.srt`, `.vtt`, `.ass` or `.ssa`
    """
    if suffix in (".ass", ".ssa"):
        return _spoken_in_ass(text)
    if suffix == ".vtt":
        text = _BLOCK.sub("", text)
    # Rolling captions repeat every line above the next one.
    rolling = bool(_INLINE_TIME.search(text))
    lines, times = text.split("\n"), 0
    spoken_lines: list[str] = []
    for index, line in enumerate(lines):
        if _TIMES.fullmatch(line):
            times += 1
        elif not _is_cue_name(lines, index, suffix):
            words = unescape(_TAG.sub("", line)).strip("\ufeff \t\xa0")
            if words and not (rolling and spoken_lines and spoken_lines[-1] == words):
                spoken_lines.append(words)
    return "\n".join(spoken_lines), times


def _is_cue_name(lines: list[str], index: int, suffix: str) -> bool:
    if index + 1 == len(lines) or not _TIMES.fullmatch(lines[index + 1]):
        return False
    began = index == 0 or not lines[index - 1].strip()
    return bool(_NUMBER.fullmatch(lines[index])) or (suffix == ".vtt" and began)


def _spoken_in_ass(text: str) -> tuple[str, int]:
    spoken_lines: list[str] = []
    times = 0
    for line in text.split("\n"):
        if line.startswith("Dialogue:") and line.count(",") >= 9:
            times += 1
            words = line.split(",", 9)[9]
            if not _DRAWING.search(words):
                words = re.sub(r"\\[Nn]", "\n", _OVERRIDE.sub("", words)).replace("\\h", " ")
                spoken_lines += [part.strip() for part in words.split("\n") if part.strip()]
    return "\n".join(spoken_lines), times
