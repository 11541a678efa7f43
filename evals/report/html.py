"""A page as one HTML file: nothing is fetched, nothing runs, no text becomes markup."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .document import Block, Bullets, Example, Heading, Picture, Side, Table, Text, visible

_STYLE = """
:root{color-scheme:light dark;--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--band:#f6f8fa;
--paper:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;
--band:#151b23;--paper:#0d1117}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:1100px;margin:2rem auto;padding:0 1rem}
h1,h2,h3{line-height:1.25;margin:2rem 0 .6rem}
h2{border-bottom:1px solid var(--line);padding-bottom:.3rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}
th,td{border:1px solid var(--line);padding:.3rem .6rem;text-align:left;vertical-align:top}
th{background:var(--band)}
.figures th:not(:first-child),.figures td:not(:first-child){text-align:right;white-space:nowrap}
figure{margin:1rem 0}figcaption,.soft{color:var(--soft)}
details{border:1px solid var(--line);border-radius:6px;padding:.5rem .8rem;margin:.6rem 0}
summary{cursor:pointer}
.text{white-space:pre-wrap;overflow-wrap:anywhere}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
.sides>div{background:var(--band);border-radius:6px;padding:.5rem .8rem;min-width:0}
@media (max-width:640px){.sides{grid-template-columns:1fr}}
"""
# Should a text ever get past the escaping, the browser still loads and runs nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def to_html(blocks: Sequence[Block]) -> str:
    """The page."""
    title = next((b.text for b in blocks if isinstance(b, Heading)), "Report")
    body = "\n".join(_block(block) for block in blocks)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _text(text: str) -> str:
    return escape(visible(text))


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{_text(text)}</h{level}>"
        case Text(text):
            return f"<p>{_text(text)}</p>"
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in items)}</ul>"
        case Table(head, rows, figures):
            return _table(head, rows, "figures" if figures else "words")
        case Picture(_, svg, text):
            return f"<figure>{svg}<figcaption>{_text(text)}</figcaption></figure>"
        case Example():
            return _example(block)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str) -> str:
    lines = [f"<tr>{''.join(f'<td>{_text(c)}</td>' for c in row)}</tr>" for row in rows]
    top = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in head)
    return (
        f'<div class="wide"><table class="{kind}"><thead><tr>{top}</tr></thead>\n'
        f"<tbody>{chr(10).join(lines)}</tbody></table></div>"
    )


def _example(example: Example) -> str:
    context = f'<p class="text soft">{_text(example.context)}</p>' if example.context else ""
    sides = "".join(_side(side) for side in example.sides)
    return (
        f'<details><summary class="text">{_text(example.title)}: {_text(example.question)}'
        f"</summary>\n{context}"
        f'<p class="text">Gold: <b>{_text(example.gold)}</b></p>\n'
        f'<div class="sides">{sides}</div></details>'
    )


def _side(side: Side) -> str:
    lines = "".join(f"<div>{_text(line)}</div>" for line in side.plan)
    plan = lines or '<div class="soft">not split</div>'
    return (
        f'<div><b>{_text(side.system)}</b> <span class="soft">{_text(side.mark)}</span>'
        f'<p class="text">{_text(side.answer)}</p><div class="text">{plan}</div></div>\n'
    )
