"""`lilliput verse`: the rhymes, syllables and forms of a text."""

import json
from typing import Annotated

import typer

from lilliput.cli.read_options import Encoding, Field, settings_of


def run(
    target: Annotated[list[str], typer.Argument(metavar="TEXT", help="Files, folders or a known corpus.")],
    language: Annotated[
        str | None, typer.Option(help="Language code: en or fr. By default guessed from the text.")
    ] = None,
    encoding: Encoding = None,
    field: Field = None,
    lines: Annotated[int, typer.Option(min=0, help="Number of lines to show with their rhymes and syllables.")] = 20,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Measure verse: rhymes, syllables, forms."""
    from lilliput.corpus import open_corpus
    from lilliput.errors import VerseError
    from lilliput.verse.english_dictionary import has_dictionary
    from lilliput.verse.forms import read_stanzas
    from lilliput.verse.languages import LANGUAGES, guess_language, open_language
    from lilliput.verse.measures import measure_verse, shuffled_lines

    corpus = open_corpus(target, settings=settings_of(encoding, field))
    name, text = " ".join(target), corpus.text
    code = language.lower() if language else guess_language(text)
    if code is None:
        raise VerseError(f"{name}: the language is unclear. Choose it with --language {' or '.join(LANGUAGES)}")
    rules = open_language(code)
    stanzas = read_stanzas(text, rules)
    if not stanzas:
        raise VerseError(f"{name}: no stanza. Verse has two lines or more between empty lines")
    measures = {
        "text": measure_verse(stanzas).as_dict(),
        "shuffled": measure_verse(read_stanzas(shuffled_lines(text), rules)).as_dict(),
    }
    if json_:
        typer.echo(json.dumps(measures | {"language": code}))
        return
    from lilliput.report.screen import Console
    from lilliput.report.verse_tables import marked_lines, scheme_table, verse_table

    console = Console(highlight=False)
    for note in corpus.notes:
        typer.echo(note, err=True)
    if lines:
        console.print(marked_lines(stanzas, lines), soft_wrap=True)
    console.print(verse_table(measures))
    schemes = scheme_table(measures)
    if schemes is not None:
        console.print(schemes)
    if not language:
        console.print(f"language: {code} (guessed; choose another with --language)")
    if code == "en" and has_dictionary():
        console.print("sounds: the CMU Pronouncing Dictionary, and rules of spelling for words that it lacks")
