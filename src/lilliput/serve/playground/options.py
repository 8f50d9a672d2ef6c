"""The sampling options as the page shows them, from the settings themselves."""

from typing import Any

from lilliput.errors import GenerationError
from lilliput.generation.settings import SampleSettings
from lilliput.serve.openai.schemas import MOST_TOKENS
from lilliput.writer import Writer

HELP = {
    "temperature": "0 always takes the most likely token; higher values are more surprising.",
    "temperatures": "Several temperatures, used in turn, instead of one.",
    "top_k": "Sample from the k most likely tokens.",
    "top_p": "Sample from the most likely tokens with total probability p.",
    "min_p": "Sample from tokens with at least p times the probability of the most likely one.",
    "typical": "Sample from the tokens whose surprise is nearest to what is expected, with this total probability.",
    "xtc_threshold": "Exclude top choices: tokens from this probability on, except the least likely of them.",
    "xtc_probability": "How often top choices are excluded.",
    "repetition_penalty": "Above 1: make recent tokens less likely.",
    "presence_penalty": "Subtracted from the logits of recent tokens.",
    "frequency_penalty": "Subtracted for each time that a token occurred recently.",
    "penalty_window": "Number of recent tokens that the penalties look at.",
    "no_repeat_ngram": "Never repeat a sequence of this many tokens.",
    "bias": "Added to the logits of tokens, by their text.",
    "ban": "Texts that are never written.",
    "max_tokens": "Maximum length in tokens.",
    "max_characters": "Maximum length in characters.",
    "stop": "Stop before one of these texts.",
    "until": "Stop after the first word, line, sentence, paragraph or stanza.",
    "match": "Write text that matches this regular expression.",
    "allow": "Write only these characters.",
    "forbid": "Write none of these characters.",
    "line_length": "Maximum length of a line in characters.",
    "acrostic": "First letters of the lines.",
    "label": "Write text of this label.",
}
"""The options of the page, each with one line of help. Beam search is not among them: it writes nothing in between."""
_TYPES = {"number": "number", "integer": "integer", "string": "text", "object": "weights"}


def sampling_options() -> list[dict[str, Any]]:
    """Return each option with its type, bounds, default and help, in the order of the settings."""
    fields = SampleSettings.model_json_schema()["properties"]
    return [_described(name, schema) for name, schema in fields.items() if name in HELP]


def _described(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    variants = schema.get("anyOf", [schema])
    main = next(variant for variant in variants if variant.get("type") != "null")
    kind = _TYPES.get(main.get("type", ""), "text")
    if "enum" in main:
        kind = "choice"
    elif main.get("type") == "array":
        kind = "numbers" if main["items"].get("type") == "number" else "texts"
    maximum = MOST_TOKENS if name == "max_tokens" else main.get("maximum", main.get("exclusiveMaximum"))
    return {
        "name": name,
        "type": kind,
        "minimum": main.get("minimum", main.get("exclusiveMinimum")),
        "maximum": maximum,
        "choices": main.get("enum"),
        "optional": len(variants) > 1,
        "default": schema.get("default"),
        "help": HELP[name],
    }


def sampling(writer: Writer, options: dict[str, Any]) -> SampleSettings:
    """Return the settings of a request. Raises GenerationError for impossible options and for beam search."""
    for name in options:
        if name in SampleSettings.model_fields and name not in HELP:
            raise GenerationError(f"sampling: {name}: not available in the page")
    settings = writer.sampling({**options, "beams": 1, "beam_groups": 1})
    if settings.max_tokens > MOST_TOKENS:
        raise GenerationError(f"sampling: max_tokens: at most {MOST_TOKENS:,}, not {settings.max_tokens:,}")
    return settings
