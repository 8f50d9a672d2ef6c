"""Lines that rhyme with the line before: what tuning, choosing and closing each reach.

    python benchmarks/rhymes.py BASE [RUN ...] [--prompts 512] [--seeds 3] [--only METHOD] [--save]

BASE is a run of `french-poetry-small`, each RUN another run on the same text, such as `french-poetry-reversed` and
`french-rhymes`. After held-out verse, each method writes one line; the line must rhyme with the last one of the prompt.
The methods:

- base: lines of the base at temperature 1, and at 0.5;
- best of n: n lines of the base, of which one with the highest reward is kept;
- form: `lilliput sample --form`, which closes lines with words that rhyme;
- NAME: lines of a run at temperature 1.

Methods that are slow, and the true lines, are measured for one seed. `--only`, which may be repeated, measures these
methods alone. `--save` writes results/rhymes.json and the picture docs/images/rhymes.svg; with `--only`, the rows of
other methods stay.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from lilliput import load
from lilliput.evaluation.fine_tuning import measures_of
from lilliput.models import Model
from lilliput.objectives.continuations import continuations_of, draw, log_probabilities
from lilliput.objectives.rewards import VerseReward
from lilliput.objectives.settings import ObjectiveSettings
from lilliput.report.plots import COLOURS
from lilliput.runs.folder import RunFolder
from lilliput.tokenizers import line_ends, token_texts
from lilliput.training.data.verse_data import find_prompts
from lilliput.verse.languages import open_language
from lilliput.verse.lexicon import Lexicon, line_marks
from lilliput.verse.poem_form import Form, FormLine
from lilliput.writer import Writer
from lilliput.writer.form_writer import FormWriter
from record import RESULTS, write_record

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "rhymes.svg"
AT_ONCE = 1536
"""Lines drawn in one pass."""
SHOWN = 4
ONCE = ("real verse", "best of 16", "best of 64", "form")
"""Methods that are measured for one seed."""

Method = Callable[[int], list[list[int]]]
"""The lines after all prompts, one each, for a seed."""


@dataclass(frozen=True)
class Verse:
    """The held-out prompts and everything that the methods share."""

    base: Writer
    network: Model
    prompts_PL: Tensor
    truth: list[list[int]]
    reward: VerseReward
    settings: ObjectiveSettings
    ends: list[int]

    def draw(self, network: Model, seed: int, temperature: float, samples: int) -> list[list[list[int]]]:
        """Return `samples` lines of a network after each prompt."""
        generator = torch.Generator().manual_seed(seed)
        lines: list[list[list[int]]] = []
        with torch.no_grad():
            for part_PL in torch.split(self.prompts_PL, max(1, AT_ONCE // samples)):
                temperatures_PK = torch.full((len(part_PL), samples), temperature)
                drawn = draw(network, part_PL, temperatures_PK, self.settings.most_tokens, self.ends, generator)
                lines += drawn.lists()
        return lines

    def best_of(self, seed: int, samples: int) -> list[list[int]]:
        """Return the line with the highest reward of several after each prompt."""
        drawn = self.draw(self.network, seed, 1.0, samples)
        return [
            max(rows, key=lambda row: self.reward(prompt, row))
            for prompt, rows in zip(self.prompts_PL.tolist(), drawn, strict=True)
        ]

    def formed(self, seed: int, poems: FormWriter) -> list[list[int]]:
        """Return a line after each prompt that is closed with a word that rhymes."""
        form = Form((FormLine("A", None, False),))
        lines = []
        for number, prompt in enumerate(self.prompts_PL.tolist()):
            partner = self.reward.partner(prompt)
            ending = self.reward.language.ending(partner) if partner else None
            text = self.base.tokenizer.decode(prompt)
            rhymes = {"A": ending} if ending else {}
            (line,) = poems.lines(form, text, seed=seed * 100_000 + number, rhymes=rhymes, temperature=1.0)
            lines.append([int(id_) for id_ in self.base.tokenizer.encode(line.text + "\n")])
        return lines

    def figures(self, lines: Sequence[list[int]]) -> dict[str, float]:
        """Return the measures of one line after each prompt."""
        before: list[float] = []
        with torch.no_grad():
            for part_PL, part in zip(torch.split(self.prompts_PL, 64), _parts(lines, 64), strict=True):
                rows = continuations_of([[row] for row in part])
                before += log_probabilities(self.network, part_PL, rows).flatten().tolist()
        return measures_of(self.prompts_PL.tolist(), [[row] for row in lines], before, before, self.reward).as_dict()


def _parts(lines: Sequence[list[int]], size: int) -> list[Sequence[list[int]]]:
    return [lines[first : first + size] for first in range(0, len(lines), size)]


def open_verse(path: Path, count: int) -> Verse:
    """Return the prompts of a run's held-out text."""
    writer, folder = load(path), RunFolder(path)
    settings = ObjectiveSettings(kind="vargrad", language="fr")
    language = open_language("fr")
    training, held_out = (folder.read_tokens(tokens) for tokens in (folder.training_tokens, folder.validation_tokens))
    found = find_prompts(held_out, writer.tokenizer, language, settings, writer.model.context, "held-out")
    chosen = torch.linspace(0, len(found.prompts_NL) - 1, min(count, len(found.prompts_NL))).long()
    ends = line_ends(token_texts(writer.tokenizer))
    reward = VerseReward(
        settings, writer.tokenizer, Lexicon.of(writer.tokenizer.decode(training.tolist()), language), ends
    )
    truth = [row[: next(at for at, id_ in enumerate(row) if id_ in ends) + 1] for row in found.lines_NT.tolist()]
    return Verse(
        writer,
        writer.model.network_alone().eval(),
        torch.from_numpy(found.prompts_NL)[chosen],
        [truth[index] for index in chosen.tolist()],
        reward,
        settings,
        ends,
    )


def methods_of(verse: Verse, runs: Sequence[Path]) -> dict[str, Method]:
    """Return the methods by name."""
    folder = RunFolder(verse.base.folder or Path())
    training = verse.base.tokenizer.decode(folder.read_tokens(folder.training_tokens).tolist())
    poems = FormWriter(verse.base, verse.reward.lexicon, line_marks(training))
    methods: dict[str, Method] = {
        "real verse": lambda seed: verse.truth,
        "base": lambda seed: [rows[0] for rows in verse.draw(verse.network, seed, 1.0, 1)],
        "base at 0.5": lambda seed: [rows[0] for rows in verse.draw(verse.network, seed, 0.5, 1)],
        "best of 16": lambda seed: verse.best_of(seed, 16),
        "best of 64": lambda seed: verse.best_of(seed, 64),
        "form": lambda seed: verse.formed(seed, poems),
    }
    for path in runs:
        methods[path.name] = _lines_of(verse, load(path))
    return methods


def _lines_of(verse: Verse, writer: Writer) -> Method:
    """Return the method that draws lines of another run, whose tokenizer may differ from that of the base."""
    tokenizer, network = writer.tokenizer, writer.model.network_alone().eval()
    ends = line_ends(token_texts(tokenizer))
    texts = [verse.base.tokenizer.decode(prompt).partition("\n")[2] for prompt in verse.prompts_PL.tolist()]
    prompts = [tokenizer.encode(text).tolist() for text in texts]

    def lines(seed: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(seed)
        drawn: dict[int, str] = {}
        for length in sorted(set(map(len, prompts))):  # a pass takes prompts of one length
            rows = [number for number, prompt in enumerate(prompts) if len(prompt) == length]
            prompts_PL = torch.tensor([prompts[number] for number in rows])
            of_length = draw(
                network, prompts_PL, torch.ones(len(rows), 1), verse.settings.most_tokens, ends, generator
            ).lists()
            drawn |= {number: tokenizer.decode(row) for number, (row,) in zip(rows, of_length, strict=True)}
        return [verse.base.tokenizer.encode(drawn[number]).tolist() for number in range(len(prompts))]

    return lines


def draw_picture(record: dict[str, dict[str, Any]]) -> None:
    """Draw the share of rhymed lines against their variety."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for number, (name, row) in enumerate(sorted(record.items(), key=lambda pair: float(pair[1]["rhyme"]))):
        place = row["rhyme"], row["distinct_pairs"]
        axes.plot(*place, "o", color=COLOURS[number % len(COLOURS)])
        # Neighbours have their names at different heights.
        axes.annotate(name, place, xytext=(5, (5, -13, 18)[number % 3]), textcoords="offset points")
    axes.set_xlabel("share of lines that rhyme with the line before")
    axes.set_ylabel("distinct pairs of words (distinct-2)")
    axes.set_xlim(-0.03, 1.15)
    axes.margins(y=0.12)
    axes.grid(alpha=0.3)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})


def main() -> None:
    """Measure all methods."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("runs", type=Path, nargs="*", metavar="run")
    parser.add_argument("--prompts", type=int, default=512)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", action="append", metavar="METHOD")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    verse = open_verse(options.base, options.prompts)
    record: dict[str, dict[str, Any]] = {}
    for name, method in methods_of(verse, options.runs).items():
        if options.only and name not in options.only:
            continue
        rows = []
        for seed in range(1, 1 + (1 if name in ONCE else options.seeds)):
            lines = method(seed)
            rows.append(verse.figures(lines))
        record[name] = {key: round(mean(row[key] for row in rows), 4) for key in rows[0] if key != "divergence"}
        record[name] |= {"seeds": len(rows), "rhyme_by_seed": [row["rhyme"] for row in rows]}
        print(name, record[name], flush=True)
        for prompt, row in list(zip(verse.prompts_PL.tolist(), lines, strict=True))[:SHOWN]:
            print(f"    {verse.reward.partner(prompt)}\n    {verse.reward.line(row)}\n", flush=True)
    if options.save:
        if options.only:
            former = json.loads((RESULTS / "rhymes.json").read_text(encoding="utf-8"))["methods"]
            record = {name: record.get(name, former.get(name, {})) for name in [*former, *record]}
        write_record(RESULTS / "rhymes.json", {"methods": record})
        draw_picture(record)


if __name__ == "__main__":
    main()
