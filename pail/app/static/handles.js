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
  if (next.length > 1 && next[0] > next[1]) next[1 - i] = value;  // one handle takes the other along
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
