"""A model as a notebook shows it: what it is, and a text of its own on the colours of its surprise."""

import sys
from html import escape

from lilliput.errors import LilliputError
from lilliput.evaluation.surprise import measure_surprise
from lilliput.models import count_parameters
from lilliput.report.heat_map.page import coloured_tokens
from lilliput.report.heat_map.style import NOTEBOOK_STYLE
from lilliput.writer import Writer

SHOWN_TOKENS = 120
"""Length of the text."""
_ALTERNATIVES = 5


def show_models() -> None:
    """Let a notebook show a `Writer` by `model_html`. Does nothing elsewhere."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    formatter = getattr(get_shell() if get_shell is not None else None, "display_formatter", None)
    if formatter is not None:
        formatter.formatters["text/html"].for_type(Writer, model_html)


def model_html(model: Writer) -> str:
    """Return HTML with the size of a model and a text that it writes, with the alternatives of each token."""
    network = model.model
    facts = f"{count_parameters(network):,} parameters, {network.vocab_size:,} tokens, context {network.context}"
    text = model.write(max_tokens=SHOWN_TOKENS)
    try:
        coloured = coloured_tokens(measure_surprise(model, text, alternatives=_ALTERNATIVES).tokens)
        written = f"{coloured}<style>{NOTEBOOK_STYLE}</style>"
    except LilliputError:  # no score, as for a text of one token
        written = f'<pre style="white-space: pre-wrap">{escape(text)}</pre>'
    name = "" if model.folder is None else f"<b>{escape(str(model.folder))}</b>: "
    return f"<div>{name}{escape(facts)}</div>{written}"
