"""From a text to tokens on disk: split, train the tokenizer, encode, and measure what counting alone would reach."""

from dataclasses import dataclass
from typing import Any

from lilliput.corpus import Corpus, find_file, split
from lilliput.data.tokens import Tokens, read_tokens, write_tokens
from lilliput.errors import CorpusError, RunError
from lilliput.evaluation.floors import measure_floors
from lilliput.recipe import Recipe
from lilliput.runs import RunFolder
from lilliput.tokenizers import Tokenizer
from lilliput.tokenizers import load as load_tokenizer
from lilliput.tokenizers import train as train_tokenizer


@dataclass(frozen=True)
class Prepared:
    """The encoded text of a run, its tokenizer, and the facts about both."""

    tokenizer: Tokenizer
    training: Tokens
    validation: Tokens
    facts: dict[str, Any]


def text_checksum(corpus: Corpus, validation: Corpus | None) -> str:
    """Return what identifies the texts of a run."""
    return corpus.sha256 if validation is None else f"{corpus.sha256}+{validation.sha256}"


def prepare(recipe: Recipe, run: RunFolder, corpus: Corpus, validation: Corpus | None) -> None:
    """Encode the texts into the run folder.

    Raises CorpusError if a part is too short to learn from or to measure on.
    """
    parts = split(corpus, recipe.data.split, validation)
    settings = recipe.tokenizer
    ranks = find_file("gpt2.tiktoken") if settings.kind == "gpt2" else None
    tokenizer = train_tokenizer(settings.kind, parts.training, settings.vocabulary, settings.normalize, ranks=ranks)
    tokenizer.save(run.tokenizer)
    ids = {"training": tokenizer.encode(parts.training), "validation": tokenizer.encode(parts.validation)}
    for name, part in ids.items():
        if len(part) < 2:
            raise CorpusError(f"the {name} text has {len(part)} tokens and at least 2 are needed; use a longer text")
    write_tokens(run.training_tokens, ids["training"])
    write_tokens(run.validation_tokens, ids["validation"])
    floors = measure_floors(tokenizer.normalized(parts.training), tokenizer.normalized(parts.validation))
    facts = {
        "text": {"name": corpus.name, "sha256": text_checksum(corpus, validation), "notes": list(corpus.notes)},
        "training": {"characters": len(parts.training), "tokens": len(ids["training"])},
        "validation": {
            "characters": len(parts.validation),
            "bytes": len(parts.validation.encode("utf-8", "surrogatepass")),
            "tokens": len(ids["validation"]),
        },
        "characters_per_token": len(parts.validation) / len(ids["validation"]),
        "floors": floors.as_dict(),
    }
    run.write_json(run.facts, facts)


def open_prepared(run: RunFolder) -> Prepared:
    """Open what `prepare` wrote. Raises RunError if a file is missing or broken."""
    facts = run.read_json(run.facts)
    prepared = Prepared(
        load_tokenizer(run.tokenizer), read_tokens(run.training_tokens), read_tokens(run.validation_tokens), facts
    )
    if len(prepared.training) != facts["training"]["tokens"]:
        raise RunError(f"{run.training_tokens}: not the tokens that facts.json names; start over with --fresh")
    return prepared
