"""Self-contained HTML pages: nothing is fetched, every name is escaped, pictures enlarge."""

from __future__ import annotations

import base64
import html
from typing import Any

import cv2
import numpy as np

QUALITY = 86  # of JPEG

# No page of ours reaches the network, whatever a file is called.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; form-action 'none'"

STYLE = """
:root { color-scheme: light dark; --back: #f6f7f9; --card: #fff; --text: #16191d; --soft: #565f6b; --line: #d5dae1;
  --mark: #1456b8; --code: #eceff3; --bar: #2f6fd0; }
@media (prefers-color-scheme: dark) { :root { --back: #14171b; --card: #1d2126; --text: #e7eaee; --soft: #a3adb9;
  --line: #363d46; --mark: #8ab8ff; --code: #262c33; --bar: #6ea3f2; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 1320px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .35rem 0; max-width: 75ch; }
.soft, figcaption { color: var(--soft); font-size: .86rem; }
code { font: .88rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  padding: .3rem .8rem; cursor: pointer; }
button:hover:enabled { border-color: var(--mark); }
button:disabled { opacity: .5; cursor: default; }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
.row { display: grid; grid-template-columns: 15rem minmax(0, 1fr); gap: 1rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; padding: .8rem; margin: .7rem 0; }
.row h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
.row label { display: flex; gap: .5rem; align-items: baseline; cursor: pointer; }
.row input { width: 1.1rem; height: 1.1rem; flex: none; align-self: center; accent-color: var(--mark); margin: 0; }
.cells { display: grid; grid-template-columns: repeat(auto-fill, minmax(12.5rem, 1fr)); gap: .7rem;
  align-content: start; }
figure { margin: 0; min-width: 0; }
.cell { display: block; width: 100%; padding: 0; border: 0; background: none; cursor: zoom-in; border-radius: 4px; }
.panels { display: grid; grid-template-columns: 2fr 1fr; grid-template-rows: 1fr 1fr; gap: 3px; aspect-ratio: 1.5; }
.panels img { width: 100%; height: 100%; object-fit: contain; min-width: 0; min-height: 0; display: block;
  border-radius: 3px; }
.panels img:first-child { grid-row: 1 / 3; }
dialog { border: 0; border-radius: 10px; padding: 1rem; width: min(1240px, 96vw); max-height: 96vh; overflow: auto;
  background: var(--card); color: var(--text); }
dialog::backdrop { background: rgb(0 0 0 / .7); }
.bar { display: flex; gap: .6rem; align-items: center; flex-wrap: wrap; }
.bar h2 { margin: 0; flex: 1 1 12rem; font-size: 1.05rem; overflow-wrap: anywhere; }
.large { display: grid; grid-template-columns: 1.35fr 1fr 1fr; gap: .7rem; margin-top: .8rem; align-items: start; }
.large img { width: 100%; border-radius: 4px; display: block; }
@media (max-width: 760px) {
  main { padding: .6rem; }
  .row { grid-template-columns: minmax(0, 1fr); gap: .6rem; padding: .6rem; }
  .cells { grid-template-columns: 1fr 1fr; }
  .large { grid-template-columns: 1fr; }
  #large-title { flex-basis: 100%; }
}
"""

ENLARGE = """
const large = document.getElementById('large');
let current = null;
const shown = () => [...document.querySelectorAll('.cell')].filter(cell => cell.offsetParent !== null);
function enlarge(cell) {
  current = cell;
  document.getElementById('large-title').textContent = cell.dataset.title;
  document.getElementById('large-panels').replaceChildren(...[...cell.querySelectorAll('img')].map(image => {
    const figure = document.createElement('figure'), copy = new Image(), caption = document.createElement('figcaption');
    copy.src = image.src;
    copy.alt = image.alt;
    caption.textContent = image.dataset.caption;
    figure.append(copy, caption);
    return figure;
  }));
  if (!large.open) large.showModal();
}
function step(by) {
  const cells = shown();
  enlarge(cells[(cells.indexOf(current) + by + cells.length) % cells.length]);
}
document.querySelectorAll('.cell').forEach(cell => cell.addEventListener('click', () => enlarge(cell)));
document.getElementById('large-close').addEventListener('click', () => large.close());
document.getElementById('large-back').addEventListener('click', () => step(-1));
document.getElementById('large-next').addEventListener('click', () => step(1));
large.addEventListener('click', event => { if (event.target === large) large.close(); });
large.addEventListener('close', () => current && current.focus());
large.addEventListener('keydown', event => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by) { event.preventDefault(); step(by); }
});
"""

DIALOG = """
<dialog id="large" aria-labeledby="large-title">
<div class="bar"><h2 id="large-title"></h2><button id="large-back" aria-label="Previous picture">&larr;</button>
<button id="large-next" aria-label="Next picture">&rarr;</button><button id="large-close">Close</button></div>
<div class="large" id="large-panels"></div>
</dialog>
"""


def text(value: Any) -> str:
    """A value as HTML text or attribute; what is no character, or controls, is spelled out."""
    spelled = str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    spelled = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in spelled)
    return html.escape(spelled)


def data_uri(image: np.ndarray, kind: str = "jpeg") -> str:
    """An RGB picture as the source of an `img`."""
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if kind == "jpeg" else []
    _, coded = cv2.imencode(f".{kind}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return f"data:image/{kind};base64,{base64.b64encode(coded.tobytes()).decode('ascii')}"


def picture(image: np.ndarray, caption: str, alt: str) -> str:
    return f'<img src="{data_uri(image)}" data-caption="{text(caption)}" alt="{text(alt)}">'


def cell(title: str, pictures: list[str], caption: str) -> str:
    """Pictures that enlarge on a click, with a line below."""
    return (
        f'<figure><button class="cell" data-title="{text(title)}" aria-label="Enlarge: {text(title)}">'
        f'<span class="panels">{"".join(pictures)}</span></button><figcaption>{text(caption)}</figcaption></figure>'
    )


def page(title: str, body: str, *, style: str = "", script: str = "") -> str:
    """A whole page around a body."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{text(title)}</title>\n<link rel="icon" href="data:,">\n<style>{STYLE}{style}</style>\n</head>\n'
        f"<body>\n<main>\n{body}\n</main>\n{DIALOG}<script>{ENLARGE}{script}</script>\n</body>\n</html>\n"
    )
