"""`lilliput judge`: measure the writing of a run, beside held-out text and the same words shuffled."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lilliput.cli.read_options import Encoding, Field, settings_of

if TYPE_CHECKING:
    from lilliput.report.screen import Console
    from lilliput.report.terminal_tables import DataTable

_QUOTED = 300
"""Longest quotation of a copied span, in characters."""


def run(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    text: Annotated[str | None, typer.Option(help="Judge this text instead of text written by the run.")] = None,
    encoding: Encoding = None,
    field: Field = None,
    lines: Annotated[int, typer.Option(min=1, help="Number of lines, or list items, to write.")] = 2000,
    temperature: Annotated[
        float, typer.Option(help="Sampling temperature; 0 always takes the most likely token.")
    ] = 0.7,
    language: Annotated[
        str | None, typer.Option(help="Language code, such as fr. Known corpora set it themselves.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed writes the same text.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Save the judged text to this new file.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Measure the writing of a run: real words, agreement, copies."""
    from lilliput.corpus import open_corpus
    from lilliput.evaluation.agreement import DETERMINERS
    from lilliput.evaluation.generation_metrics import judge, read_texts, write_lines
    from lilliput.item_writer import ItemWriter
    from lilliput.writer import load

    _refuse_existing(out)
    language = _known(language)
    writer = load(run, note=lambda line: typer.echo(line, err=True))
    texts = read_texts(run)
    language = language or texts.language
    notes: Sequence[str] = ()
    items = None if texts.items is None else ItemWriter(writer)
    if text is not None:
        corpus = open_corpus([text], settings=settings_of(encoding, field))
        notes, written = corpus.notes, writer.tokenizer.normalized(corpus.text)
    else:
        with _progress(lines) as progress:
            if items is not None:
                written = items.written(lines, temperature=temperature, seed=seed, progress=progress)
            else:
                written = write_lines(writer, lines, temperature=temperature, seed=seed, progress=progress)
    report = judge(texts, written, language)
    for note in notes:
        typer.echo(note, err=True)
    if items is not None:
        report["items"] = items.compared(written, texts.held_out)
    if out is not None:
        _keep(out, written)
    if language not in DETERMINERS:
        languages = ", ".join(DETERMINERS)
        typer.echo(f"agreement is measured for these languages only: {languages}. Choose one with --language", err=True)
    if json_:
        how = {"text": text} if text is not None else {"lines": lines, "temperature": temperature, "seed": seed}
        typer.echo(json.dumps(report | how))
        return
    _print(report)


def _known(language: str | None) -> str | None:
    from lilliput.errors import RunError
    from lilliput.evaluation.agreement import DETERMINERS

    if language is None:
        return None
    if language.lower() not in DETERMINERS:
        raise RunError(f"--language {language}: unsupported language. Choose {' or '.join(DETERMINERS)}")
    return language.lower()


def _refuse_existing(out: Path | None) -> None:
    from lilliput.errors import RunError

    if out is not None and out.exists():
        raise RunError(f"{out}: the file exists already. Give --out a new name")
    if out is not None and not out.parent.is_dir():
        raise RunError(f"{out}: no folder {out.parent}. Create it, or give --out another name")


def _keep(out: Path, written: str) -> None:
    from lilliput.errors import RunError

    try:
        with out.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(written)
    except OSError as error:
        raise RunError(f"cannot write {out}: {error.strerror}. Give --out another name") from None


@contextmanager
def _progress(lines: int) -> Iterator[Callable[[int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from lilliput.report.screen import Console

    columns = (TextColumn("writing"), BarColumn(), MofNCompleteColumn(), TextColumn("lines"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=lines)
        yield lambda done: bar.update(task, completed=done)


def _print(report: Mapping[str, Any]) -> None:
    from lilliput.report.screen import Console
    from lilliput.report.terminal_tables import share, table

    console = Console(highlight=False)
    if "items" in report:
        console.print(_item_table(report["items"]))
        # Neighbouring lines of a list are unrelated.
        if report["items"]["kind"] == "line":
            _print_share(console, report)
            return
        console.print()
    rows = []
    for name in ("written", "held_out", "shuffled"):
        figures = report[name]
        row: dict[str, object] = {"name": name.replace("_", "-"), "words": figures["words"]}
        row |= {key: share(figures[key]) for key in ("real_words", "gender", "number", "copied", "distinct_pairs")}
        rows.append(row | {"longest_copied": figures["longest_copied"]})
    columns = {
        "name": "",
        "words": "words",
        "real_words": "real words",
        "gender": "gender agrees",
        "number": "number agrees",
        "copied": "copied 5-grams",
        "longest_copied": "longest copied span",
        "distinct_pairs": "distinct pairs",
    }
    if "items" in report:
        # Copied items consist of real words, so for items only the share of new ones shows quality.
        del columns["real_words"]
    if report["written"]["gender_pairs"] is None:
        columns = {key: heading for key, heading in columns.items() if key not in ("gender", "number")}
    console.print(table(rows, columns))
    _print_verse(console, report)
    written = report["written"]
    if written["longest_copied"]:
        quoted = " / ".join(filter(None, written["longest_text"].split("\n")))
        quoted = quoted if len(quoted) <= _QUOTED else quoted[:_QUOTED] + "..."
        console.print(
            f"\nlongest copied span (line {written['longest_line']:,}, from line {written['longest_source_line']:,} of "
            f"the training text): {quoted}",
            soft_wrap=True,
            markup=False,
        )
    _print_share(console, report)


def _print_verse(console: "Console", report: Mapping[str, Any]) -> None:
    from lilliput.report.verse_tables import scheme_table, verse_table

    if "verse" not in report["written"]:
        return
    measures = {name: report[name]["verse"] for name in ("written", "held_out", "shuffled")}
    console.print()
    console.print(verse_table(measures))
    schemes = scheme_table(measures)
    if schemes is not None:
        console.print(schemes)


def _item_table(items: Mapping[str, Any]) -> "DataTable":
    from lilliput.report.terminal_tables import share, table

    rows: list[dict[str, object]] = []
    for name in ("written", "held_out"):
        shares = {key: share(items[name][key]) for key in ("copied_items", "repeated_items", "new_items")}
        rows.append({"name": name.replace("_", "-"), "items": items[name]["items"], **shares})
    headings = {"copied_items": "copied", "repeated_items": "written before", "new_items": "new"}
    return table(rows, {"name": "", "items": "items", **headings})


def _print_share(console: "Console", report: Mapping[str, Any]) -> None:
    if report["training_share"] < 1:
        console.print(f"compared with the last {report['training_share']:.0%} of the training text", soft_wrap=True)
