"""Controls that gradio does not have, as small pieces of HTML: handles, images to choose from, painting, the basket.

The values that they send are checked where they are used: a browser can send anything.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from pail.app.parameters import Control, shown
from pail.app.view import basket, escape

# What a handle, a typed number, the word and the button do. A value is a number, two numbers, or the word.
HANDLES = """
// gradio leaves None out of what it sends to the browser, and has an empty text for a value of None
const spec = props.spec, theWord = spec.word ?? null, standard = spec.standard ?? null;
const sliders = [...element.querySelectorAll('input[type=range]')];
const boxes = [...element.querySelectorAll('input[type=number]')], word = element.querySelector('.pail-word input');
let numbers = spec.start;
const place = value => Math.pow(
  Math.min(1, Math.max(0, (value - spec.low) / (spec.high - spec.low))), 1 / spec.curve);
function valueAt(position) {
  const value = spec.low + (spec.high - spec.low) * Math.pow(position, spec.curve);
  return spec.integer ? Math.round(value) : Number(value.toPrecision(3));
}
function show() {
  const value = props.value === '' ? null : props.value ?? null, off = word !== null && value === theWord;
  if (!off && value !== null) numbers = Array.isArray(value) ? [...value] : [value];
  if (word) word.checked = off;
  element.firstElementChild.classList.toggle('off', off);
  numbers.forEach((number, i) => {
    sliders[i].value = 1000 * place(number);
    sliders[i].setAttribute('aria-valuetext', number);
    boxes[i].value = Number(Number(number).toPrecision(4));
    sliders[i].disabled = boxes[i].disabled = off;
  });
  const ends = numbers.map(place), track = element.querySelector('.pail-track');
  track.style.setProperty('--from', ends.length > 1 ? ends[0] : 0);
  track.style.setProperty('--to', ends[ends.length - 1]);
  element.firstElementChild.classList.toggle('changed', JSON.stringify(value) !== JSON.stringify(standard));
}
function send(value) { props.value = value; show(); trigger('input'); }
function move(i, value) {
  const next = [...numbers];
  next[i] = value;
  if (next.length > 1 && next[0] > next[1]) next[i] = next[1 - i];
  send(next.length > 1 ? next : next[0]);
}
sliders.forEach((slider, i) => slider.addEventListener('input', () => move(i, valueAt(slider.value / 1000))));
sliders.forEach((slider, i) => slider.addEventListener('keydown', event => {
  const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  let position = Number(slider.value), value = numbers[i];
  while (value === numbers[i] && position + 10 * by >= -9 && position + 10 * by <= 1009) {
    position += 10 * by;
    value = valueAt(Math.min(1000, Math.max(0, position)) / 1000);
  }
  move(i, value);
}));
boxes.forEach((box, i) => box.addEventListener('change', () => {
  if (box.value !== '') move(i, spec.integer ? Math.round(box.valueAsNumber) : box.valueAsNumber);
}));
if (word) word.addEventListener('change', () =>
  send(word.checked ? theWord : numbers.length > 1 ? [...numbers] : numbers[0]));
element.querySelector('.pail-reset').addEventListener('click', () => send(standard));
watch('value', show);
show();
"""

CHOOSE = """
element.addEventListener('change', event => { props.value = Number(event.target.value); trigger('input'); });
"""

# The controls of the other techniques are hidden by a rule of style, at once and whichever of them are there already.
TECHNIQUE = """
const rule = element.querySelector('style');
function show() {
  rule.textContent = `[id^="pail-of-"]:not(#pail-of-${props.value}) { display: none !important; }`;
  element.querySelectorAll('input').forEach(input => { input.checked = input.value === props.value; });
}
element.addEventListener('change', event => { props.value = event.target.value; show(); trigger('input'); });
watch('value', show);
show();
"""

# Strokes of a brush on a canvas over the image; the keyboard moves a cursor and paints with the space bar.
PAINT = """
const canvas = element.querySelector('canvas'), pen = canvas.getContext('2d'), image = element.querySelector('img');
const size = element.querySelector('input[type=range]'), erase = element.querySelector('input[type=checkbox]');
const cursor = element.querySelector('.pail-cursor');
let last = null, keys = [0.5, 0.5];
const radius = () => size.value / 200 * Math.min(canvas.width, canvas.height);
function fitCanvas() {
  const width = image.naturalWidth, height = image.naturalHeight;
  if (!width || (canvas.width === width && canvas.height === height)) return;
  const old = document.createElement('canvas');
  old.width = canvas.width;
  old.height = canvas.height;
  old.getContext('2d').drawImage(canvas, 0, 0);
  canvas.width = width;
  canvas.height = height;
  pen.drawImage(old, 0, 0, width, height);
}
function stroke(from, to) {
  pen.globalCompositeOperation = erase.checked ? 'destination-out' : 'source-over';
  pen.strokeStyle = '#ffdd00';
  pen.lineCap = pen.lineJoin = 'round';
  pen.lineWidth = 2 * radius();
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(to[0] + 0.01, to[1]);
  pen.stroke();
}
function at(event) {
  const box = canvas.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
  return [x * canvas.width, y * canvas.height];
}
function send() {
  const some = pen.getImageData(0, 0, canvas.width, canvas.height).data.some((value, i) => i % 4 === 3 && value > 127);
  props.value = some ? canvas.toDataURL('image/png') : '';
  trigger('input');
}
canvas.addEventListener('pointerdown', event => {
  canvas.setPointerCapture(event.pointerId);
  last = at(event);
  stroke(last, last);
});
canvas.addEventListener('pointermove', event => {
  if (!last) return;
  const next = at(event);
  stroke(last, next);
  last = next;
});
const lift = () => { if (last) { last = null; send(); } };
canvas.addEventListener('pointerup', lift);
canvas.addEventListener('pointercancel', lift);
function moveCursor() { cursor.style.left = `${100 * keys[0]}%`; cursor.style.top = `${100 * keys[1]}%`; }
canvas.addEventListener('keydown', event => {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!step && event.key !== ' ') return;
  event.preventDefault();
  if (step) keys = keys.map((value, i) => Math.min(1, Math.max(0, value + step[i] / 32)));
  moveCursor();
  if (event.key === ' ') {
    const here = [keys[0] * canvas.width, keys[1] * canvas.height];
    stroke(here, here);
    send();
  }
});
function fill(color) {
  pen.globalCompositeOperation = 'source-over';
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (color) { pen.fillStyle = color; pen.fillRect(0, 0, canvas.width, canvas.height); }
  send();
}
element.querySelector('[data-do=clear]').addEventListener('click', () => fill(''));
element.querySelector('[data-do=fill]').addEventListener('click', () => fill('#ffdd00'));
image.addEventListener('load', fitCanvas);
watch('background', () => { image.src = props.background; });
image.src = props.background;
moveCursor();
"""

BASKET = """
const rows = () => props.value || [];
function send(value) { props.value = value; trigger('input'); }
element.addEventListener('change', event => {
  const row = event.target.closest('.pail-row');
  if (!row) return;
  const weight = Math.max(0, event.target.valueAsNumber || 0);
  send(rows().map(entry => entry.technique === row.dataset.name ? { ...entry, weight } : entry));
});
element.addEventListener('click', event => {
  const button = event.target.closest('[data-do]');
  if (!button) return;
  const name = button.closest('.pail-row').dataset.name;
  if (button.dataset.do === 'remove') send(rows().filter(entry => entry.technique !== name));
  else trigger('select', rows().find(entry => entry.technique === name));
});
"""


def handles(control: Control, *, value: Any, key: str, word: str | None = None) -> gr.HTML:
    """One or two handles for numbers, their boxes, the default's mark, and a switch for the word if there is one."""
    bounds = control.bounds
    assert bounds is not None
    is_word = control.has_word and control.default == control.word
    standard = list(control.default) if isinstance(control.default, tuple) else control.default
    start = control.start() if is_word else standard
    numbers = start if isinstance(start, list) else [start]
    spec: dict[str, Any] = {"low": bounds.low, "high": bounds.high, "integer": bounds.integer, "curve": bounds.curve}
    spec |= {"word": control.word, "start": numbers, "standard": standard}
    marks = [] if is_word else numbers
    return gr.HTML(value, html_template=_markup(control, marks, word), js_on_load=HANDLES, elem_id=key, spec=spec)


def _markup(control: Control, marks: list[float], word: str | None) -> str:
    title, bounds = escape(control.name), control.bounds
    assert bounds is not None
    ends = ("lowest", "highest") if control.kind == "range" else ("value",)
    sliders = "".join(f'<input type="range" min="0" max="1000" aria-label="{title}, {end}">' for end in ends)
    boxes = "".join(f'<input type="number" step="any" aria-label="{title}, {end}, typed">' for end in ends)
    ticks = "".join(f'<i style="--at:{bounds.place(number):.4f}"></i>' for number in marks)
    switch = f'<label class="pail-word"><input type="checkbox"> {escape(word or shown(control.word))}</label>'
    return (
        f'<fieldset class="pail-handles"><legend>{title}</legend><div class="pail-numbers">{boxes}'
        f'<button type="button" class="pail-reset" title="Back to the default" '
        f'aria-label="{title}: back to the default">&#8634;</button></div>'
        f'<div class="pail-track">{sliders}{ticks}</div>{switch if control.has_word else ""}'
        f"{explanation(control, word)}</fieldset>"
    )


def explanation(control: Control, word: str | None = None) -> str:
    """The docstring's text and the default."""
    default = word if word and control.default == control.word else shown(control.default)
    return f'<p class="pail-soft">{escape(control.help)} <b>Default: {escape(default)}.</b></p>'


def images(strip: str, chosen: int) -> gr.HTML:
    """Thumbnails, of which one is chosen."""
    return gr.HTML(
        chosen,
        html_template='<div class="pail-strip" role="radiogroup" aria-label="Image">${strip}</div>',
        js_on_load=CHOOSE,
        elem_id="pail-images",
        strip=strip,
    )


def techniques(rows: str, chosen: str) -> gr.HTML:
    """The techniques, of which one is chosen."""
    return gr.HTML(
        chosen,
        html_template='<style></style><div class="pail-techniques" role="radiogroup" aria-label="Technique">'
        f"{rows}</div>",
        js_on_load=TECHNIQUE,
        elem_id="pail-techniques",
    )


def painter(background: str) -> gr.HTML:
    """The image to paint a region on; its value is the painted picture as a data URI."""
    return gr.HTML(
        "",
        html_template='<div class="pail-paint"><div class="pail-canvas"><img alt="The image to paint on">'
        '<canvas tabindex="0" role="application" aria-label="Paint with the mouse or a finger; or move the cursor with '
        'the arrow keys and paint with the space bar"></canvas><i class="pail-cursor"></i></div>'
        '<div class="pail-tools"><label>Brush <input type="range" min="1" max="40" value="14" aria-label="Brush size">'
        '</label><label><input type="checkbox"> Erase</label><button type="button" data-do="fill">Fill</button>'
        '<button type="button" data-do="clear">Clear</button></div></div>',
        js_on_load=PAINT,
        elem_id="pail-painter",
        background=background,
    )


def basket_rows(entries: list[dict[str, Any]]) -> gr.HTML:
    """The basket; its value is the list of entries."""
    return gr.HTML(entries, html_template="${rows}", js_on_load=BASKET, elem_id="pail-basket", rows=basket(entries))


def basket_update(entries: list[dict[str, Any]]) -> Any:
    return gr.update(value=entries, rows=basket(entries))
