"""`lilliput score`: how surprising each token of a text is to a run, as a heat-map."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lilliput.cli.read_options import Encoding, Field, settings_of

if TYPE_CHECKING:
    from lilliput.evaluation.surprise import TextSurprise

MOST_CHARACTERS = 100_000
"""Longest text. Its page has about 25 megabytes, as much as a browser shows in a few seconds."""
_ALTERNATIVES = 5
_WORDS = 10


def run(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="A text; - reads standard input.")],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the heat-map as a web page that needs no network.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Read the text as one with this label.")] = None,
    encoding: Encoding = None,
    field: Field = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Show how surprising each token of a text is.

    Prints the text with each token on the colour of its surprise, the bits per
    character and per token, and the most and least surprising words.
    """
    from lilliput.corpus import open_corpus
    from lilliput.evaluation.surprise import measure_surprise
    from lilliput.writer import load

    name = "standard input" if file == "-" else file
    _refuse_the_text_itself(html, file)
    writer = load(run, note=lambda line: typer.echo(line, err=True))
    corpus = open_corpus([file], settings=settings_of(encoding, field))
    for note in corpus.notes:
        typer.echo(note, err=True)
    _refuse_long(corpus.text, name)
    alternatives = _ALTERNATIVES if html is not None or json_ else 0
    surprise = measure_surprise(writer, corpus.text, alternatives=alternatives, label=label, name=name)
    if html is not None:
        _write_page(html, surprise, name, str(run))
    if json_:
        typer.echo(json.dumps(surprise.as_dict(_WORDS)))
        return
    from lilliput.report.heat_map.terminal import print_heat_map, print_surprise
    from lilliput.report.screen import Console

    console = Console(highlight=False)
    if html is None:
        print_heat_map(console, surprise)
        console.print()
    print_surprise(console, surprise)
    if html is not None:
        console.print(f"\nheat-map: {html}", soft_wrap=True, markup=False)


def _refuse_the_text_itself(html: Path | None, file: str) -> None:
    from lilliput.errors import RunError

    if html is not None and html.exists() and Path(file).exists() and html.samefile(file):
        raise RunError(f"--html {html}: the page would replace the text. Give --html another name")


def _refuse_long(text: str, name: str) -> None:
    from lilliput.errors import CorpusError

    if len(text) > MOST_CHARACTERS:
        raise CorpusError(
            f"{name} has {len(text):,} characters, and a heat-map shows {MOST_CHARACTERS:,} at most. Give a part of "
            "it, or measure all of it with lilliput eval RUN --text FILE"
        )


def _write_page(html: Path, surprise: "TextSurprise", name: str, model: str) -> None:
    from lilliput import files
    from lilliput.errors import RunError
    from lilliput.report.heat_map.page import heat_map_page

    # A text may hold half of a surrogate pair, which no encoding can write.
    page = heat_map_page(surprise, name, model).encode(errors="replace")
    try:
        files.make_folder(html.parent)
        files.write(html, page)
    except OSError as error:
        raise RunError(f"cannot write {html}: {error.strerror or error}. Give --html another name") from None
