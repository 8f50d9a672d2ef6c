"""A text as a heat-map in HTML: each token on the colour of its surprise.

The page needs no script, no other file and no network, and its content security policy forbids all three. Everything
that comes from a text, a model or a file name is escaped. The style names one class for each step of the scale, since
the policy would also forbid colours in the elements. What a token shows when it is pointed at or has the focus is an
attribute of one line or more, and the style draws it: elements for it would make a page many times as large.
"""

import base64
import hashlib
from collections.abc import Sequence
from html import escape

from lilliput.corpus import shortened
from lilliput.evaluation.surprise import LikelyToken, TextSurprise, TokenSurprise, WordSurprise, whole_characters
from lilliput.report.heat_map.colours import LEVELS, MOST_BITS, level
from lilliput.report.heat_map.style import PAGE_STYLE, TOKEN_STYLE
from lilliput.report.terminal import printable

WORDS_SHOWN = 10
"""Words listed as most and as least surprising."""
_SHOWN_WORD = 40
_BAR = 10
_SPECIAL = str.maketrans({"\n": "\u21b5", "\t": "\u21e5", " ": "\u2423"})
_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"


def coloured_tokens(tokens: Sequence[TokenSurprise]) -> str:
    """Return HTML with the text of the tokens on the colours of their surprise, for a page or for a notebook."""
    lines: list[list[str]] = [[]]
    for token in whole_characters(tokens):
        lines[-1].append(_span(token))
        if token.text.endswith("\n"):
            lines.append([])
    # A browser takes minutes for a hundred thousand elements in one block.
    blocks = "".join(f'<div dir="auto">{"".join(line)}</div>' for line in lines if line)
    return f'<style>{TOKEN_STYLE}</style><div class="lilliput-heat" lang="">{blocks}</div>'


def heat_map_page(surprise: TextSurprise, name: str, model: str) -> str:
    """Return a page of its own with the heat-map of a text; `name` and `model` say what it is and who read it."""
    surprising, expected = surprise.extreme_words(WORDS_SHOWN)
    figures = [
        (f"{surprise.bits_per_character:.3f}", "bits per character"),
        (f"{surprise.bits_per_token:.3f}", "bits per token"),
        (f"{len(surprise.text):,}", "characters"),
        (f"{len(surprise.tokens):,}", "tokens"),
    ]
    listed = "".join(f"<div><dt>{what}</dt><dd>{value}</dd></div>" for value, what in figures)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy(PAGE_STYLE, TOKEN_STYLE)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_text(name)}: surprise</title>
<style>{PAGE_STYLE}</style>
</head>
<body>
<main>
<h1>{_text(name)}</h1>
<p class="quiet">How surprising each token is to the model in <bdi>{_text(model)}</bdi>. Point at a token, or go to it
with the tab key, to see its probability and what the model expected.</p>
<dl>{listed}</dl>
{_legend()}
{coloured_tokens(surprise.tokens)}
<div class="lists">
{_word_table("Most surprising words", surprising)}
{_word_table("Least surprising words", expected)}
</div>
</main>
</body>
</html>
"""


def _span(token: TokenSurprise) -> str:
    kind = " end" if token.text.endswith("\n") else ""
    name = f"s{level(token.bits)}{kind}"
    return f'<span class="{name}" tabindex="0" data-note="{_text(_note(token))}">{_text(token.text)}</span>'


def _note(token: TokenSurprise) -> str:
    """Return what is shown of a token: its text, probability and bits, then the likeliest tokens with bars."""
    shown = _shown(token.text)
    if token.bits is None or token.probability is None:
        return f"{shown}  not scored: nothing stands before it"
    lines = [f"{shown}  {_percent(token.probability)}  {token.bits:.1f} bits"]
    if token.alternatives:
        lines += ["", "expected:", *(_row(alternative, token) for alternative in token.alternatives)]
    return "\n".join(lines)


def _row(alternative: LikelyToken, token: TokenSurprise) -> str:
    bar = "\u2588" * round(_BAR * alternative.probability) or "\u258f"
    mark = "  \u25c2 the text" if alternative.text == token.text else ""
    return f"{_percent(alternative.probability):>7} {bar:<{_BAR}} {_shown(alternative.text)}{mark}"


def _shown(text: str) -> str:
    """Return the text of a token on one line, isolated from the direction of the line."""
    visible = printable(text).translate(_SPECIAL) or "part of a character"
    return f"{_ISOLATE}{visible}{_END_OF_ISOLATE}"


def _percent(share: float) -> str:
    if share < 0.0001:
        return "<0.01%"
    return f"{share:.0%}" if share >= 0.0995 else f"{share:.1%}" if share >= 0.00995 else f"{share:.2%}"


def _legend() -> str:
    steps = "".join(f'<span class="s{step}"></span>' for step in range(LEVELS + 1))
    bits = [(0, "certain"), (2, "one in 4"), (4, "one in 16"), (6, "one in 64"), (MOST_BITS, "one in 256 or rarer")]
    marks = "".join(f"<span><b>{number}{'+' * (number == MOST_BITS)}</b> {chance}</span>" for number, chance in bits)
    return (
        '<figure class="legend"><figcaption>Surprise in bits</figcaption>'
        f'<div class="lilliput-heat scale" aria-hidden="true">{steps}</div><div class="marks">{marks}</div></figure>'
    )


def _word_table(title: str, words: Sequence[WordSurprise]) -> str:
    if not words:
        return ""
    rows = []
    for word in words:
        text = f'<td lang=""><bdi>{_text(shortened(word.text, _SHOWN_WORD))}</bdi></td>'
        rows.append(f"<tr>{text}<td>{word.bits:.1f}</td><td>{word.line:,}</td></tr>")
    head = '<tr><th scope="col">word</th><th scope="col">bits</th><th scope="col">line</th></tr>'
    return f"<table><caption>{title}</caption><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _text(text: str) -> str:
    """Return a text that HTML shows as it is, with control characters replaced."""
    return escape(printable(text))


def _policy(*styles: str) -> str:
    """Return a policy that allows these styles and nothing else."""
    hashes = (base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in styles)
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    return f"default-src 'none'; style-src {allowed}; base-uri 'none'; form-action 'none'"
