"""The style sheets of a heat-map, for light and dark screens."""

from lilliput.report.heat_map.colours import LEVELS, colours

LIGHT, DARK = ("#ffffff", "#1f1f1f"), ("#16181b", "#e8e6e3")
"""Background and ink."""


def _theme(page: str, ink: str, scope: str = "") -> str:
    """Return the rules for a background and an ink, for tokens within elements that match `scope`."""
    tokens = f"{scope}.lilliput-heat"
    rules = [
        f"{tokens}, {tokens} [data-note]:is(:hover, :focus-visible)::after {{ background: {page}; color: {ink}; }}"
    ]
    for step in range(1, LEVELS + 1):
        background, text = colours(step, page, ink)
        rules.append(f"{tokens} .s{step} {{ background: {background}; color: {text}; }}")
    return "\n".join(rules)


TOKEN_STYLE = f"""
.lilliput-heat {{
  font: 1rem/1.75 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; print-color-adjust: exact;
  forced-color-adjust: none;
}}
.lilliput-heat span {{ padding: 0.15em 0; border-radius: 2px; }}
.lilliput-heat .end::before {{ content: "\\21b5"; opacity: 0.55; }}
.lilliput-heat [data-note]:is(:hover, :focus-visible) {{ outline: 2px solid currentColor; outline-offset: -1px; }}
.lilliput-heat [data-note]:is(:hover, :focus-visible)::after {{
  content: attr(data-note); position: fixed; inset: auto 1rem 1rem auto; z-index: 1; box-sizing: border-box;
  max-width: calc(100vw - 2rem); padding: 0.6em 0.9em; overflow: hidden; pointer-events: none;
  border: 1px solid #8a8a8a; border-radius: 6px; box-shadow: 0 4px 16px #0005;
  font-size: 0.85rem; line-height: 1.4; white-space: pre;
}}
.lilliput-heat [data-note]:hover::after {{ z-index: 2; }}
/* Next to the token, where the browser can place it there. */
@supports (position-area: bottom span-right) {{
  .lilliput-heat [data-note]:focus-visible {{ anchor-name: --lilliput-focus; }}
  .lilliput-heat [data-note]:hover {{ anchor-name: --lilliput-hover; }}
  .lilliput-heat [data-note]:is(:hover, :focus-visible)::after {{
    inset: auto; margin: 0.3rem 0; position-anchor: --lilliput-focus; position-area: bottom span-right;
    position-try-fallbacks: flip-block, flip-inline, flip-block flip-inline;
  }}
  .lilliput-heat [data-note]:hover::after {{ position-anchor: --lilliput-hover; }}
}}
{_theme(*LIGHT)}
@media (prefers-color-scheme: dark) {{
{_theme(*DARK)}
}}
"""

NOTEBOOK_STYLE = f"""
{_theme(*LIGHT, scope=':is([data-jp-theme-light="true"], .vscode-light) ')}
{_theme(*DARK, scope=':is([data-jp-theme-light="false"], .vscode-dark) ')}
"""
"""The theme of the notebook instead of that of the computer, as JupyterLab and VS Code name it."""

PAGE_STYLE = f"""
:root {{
  color-scheme: light dark; --page: {LIGHT[0]}; --ink: {LIGHT[1]}; --quiet: #5f5f5f; --line: #d9d9d9;
}}
@media (prefers-color-scheme: dark) {{
  :root {{ --page: {DARK[0]}; --ink: {DARK[1]}; --quiet: #a8a6a3; --line: #3a3d42; }}
}}
body {{ margin: 0; background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }}
main {{ max-width: 52rem; margin: 0 auto; padding: 2rem 1.25rem 6rem; }}
h1 {{ margin: 0 0 0.25rem; font-size: 1.5rem; overflow-wrap: anywhere; }}
.quiet {{ margin: 0 0 1.5rem; color: var(--quiet); overflow-wrap: anywhere; }}
dl {{ display: flex; flex-wrap: wrap; gap: 0.75rem 2.5rem; margin: 0 0 1.5rem; }}
dl div {{ display: flex; flex-direction: column; }}
dt {{ order: 1; color: var(--quiet); font-size: 0.85rem; }}
dd {{ margin: 0; font-size: 1.5rem; font-weight: 600; font-variant-numeric: tabular-nums; }}
.legend {{ margin: 0 0 1.5rem; font-size: 0.85rem; color: var(--quiet); }}
.scale {{ display: flex; height: 0.9rem; margin: 0.3rem 0; border: 1px solid var(--line); border-radius: 3px; }}
.scale span {{ flex: 1; }}
.marks {{ display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; }}
.marks b {{ color: var(--ink); }}
main > .lilliput-heat {{ border-block: 1px solid var(--line); padding: 1.25rem 0; }}
.lists {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 0 3rem; }}
table {{ align-self: start; border-collapse: collapse; margin-top: 2rem; }}
caption {{ text-align: start; font-weight: 600; padding-bottom: 0.4rem; }}
th, td {{ text-align: end; padding: 0.2rem 0 0.2rem 1rem; border-top: 1px solid var(--line); }}
th {{ font-weight: normal; font-size: 0.85rem; color: var(--quiet); border: 0; }}
td {{ font-variant-numeric: tabular-nums; }}
th:first-child, td:first-child {{ text-align: start; padding-inline-start: 0; overflow-wrap: anywhere; }}
"""
