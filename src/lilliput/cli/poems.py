"""`lilliput sample --form`: write poems in a given form."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from lilliput.errors import GenerationError, VerseError

if TYPE_CHECKING:
    from lilliput.verse.language import Language
    from lilliput.writer import Writer
    from lilliput.writer.form_writer import FormedLine

_LINE_ENDS = "a line ends where the form says"
_REFUSED = {
    "until": _LINE_ENDS,
    "stop": _LINE_ENDS,
    "max_characters": _LINE_ENDS,
    "max_tokens": _LINE_ENDS,
    "match": _LINE_ENDS,
    "beams": "lines are drawn",
    "suffix": "it writes poems",
    "novelty": "use `lilliput judge` to find copies",
    "interactive": "it writes whole lines",
}


def refuse(form: str | None, given: Mapping[str, Any]) -> None:
    """Raise GenerationError for options that cannot be combined with `--form`, or need it."""
    if form is None:
        if given["language"] is not None:
            raise GenerationError("--language is for poems: give --form too")
        return
    for name, reason in _REFUSED.items():
        if given.get(name):
            raise GenerationError(f"--form cannot be combined with --{name.replace('_', '-')}: {reason}")


def write_poems(
    writer: "Writer",
    form: str,
    language: str | None,
    prompt: str | None,
    seeds: Sequence[int],
    options: dict[str, Any],
    as_json: bool,
) -> None:
    """Print a poem for each seed, line by line; report on standard error how well they keep to the form."""
    from lilliput.evaluation.generation_metrics import read_texts
    from lilliput.verse.languages import LANGUAGES, guess_language, open_language
    from lilliput.verse.lexicon import Lexicon, line_marks
    from lilliput.verse.poem_form import parse_form
    from lilliput.writer.form_writer import FormWriter

    assert writer.folder is not None
    training = read_texts(writer.folder).training
    code = language.lower() if language else guess_language(training)
    if code is None:
        raise VerseError(f"the language is unclear. Choose it with --language {' or '.join(LANGUAGES)}")
    rules = open_language(code)
    parsed = parse_form(form, code)
    poems = FormWriter(writer, Lexicon.of(training, rules), line_marks(training))
    before = writer.start(prompt).rpartition("\n")
    written: list[FormedLine] = []
    texts = []
    for seed in seeds:
        if len(seeds) > 1 and not as_json:
            typer.echo(f"-------- seed {seed}")
        lines = []
        shown = "".join(before[:2]).lstrip("\n")
        for line in poems.lines(parsed, prompt, seed=seed, **options):
            lines.append(line)
            shown += line.text + "\n" * (1 + (line.ends_stanza and len(lines) < len(parsed.lines)))
            if not as_json:
                # Not with `echo`, which removes anything that resembles a colour code.
                sys.stdout.write(shown)
                sys.stdout.flush()
                shown = ""
        text = "".join(line.text + "\n" * (1 + line.ends_stanza) for line in lines)
        texts.append(text)
        written += lines
        if as_json:
            typer.echo(json.dumps({"text": text.rstrip("\n"), "seed": seed, "form": form} | kept(lines)))
        elif len(seeds) > 1:
            typer.echo()
    _report(written, texts, rules)


def kept(lines: "Sequence[FormedLine]") -> dict[str, int]:
    """Return how many lines the form asks for a rhyme or a metre, and how many of them keep to it."""
    rhymes = [line.rhymes for line in lines if line.rhymes is not None]
    metres = [line.in_metre for line in lines if line.in_metre is not None]
    return {
        "lines": len(lines),
        "rhymes_asked": len(rhymes),
        "rhymes_kept": sum(rhymes),
        "metre_asked": len(metres),
        "metre_kept": sum(metres),
    }


def _report(lines: "Sequence[FormedLine]", texts: Sequence[str], language: "Language") -> None:
    from lilliput.report.screen import Console
    from lilliput.report.verse_tables import verse_table
    from lilliput.verse.forms import read_stanzas
    from lilliput.verse.measures import measure_verse

    figures = kept(lines)
    parts = [
        f"{figures[f'{name}_kept']:,} of {figures[f'{name}_asked']:,} {what}"
        for name, what in (("rhymes", "lines rhyme as the form asks"), ("metre", "have its syllables"))
        if figures[f"{name}_asked"]
    ]
    typer.echo("; ".join(parts) or f"{figures['lines']:,} lines", err=True)
    stanzas = read_stanzas("".join(texts), language)
    if stanzas:
        Console(stderr=True, highlight=False).print(verse_table({"written": measure_verse(stanzas).as_dict()}))
