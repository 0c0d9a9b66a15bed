const canvas = element.querySelector('canvas'), pen = canvas.getContext('2d'), image = element.querySelector('img');
const size = element.querySelector('input[type=range]'), erase = element.querySelector('input[type=checkbox]');
const cursor = element.querySelector('.pail-cursor');
let last = null, keys = [0.5, 0.5], sent = '';
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
  props.value = sent = some ? canvas.toDataURL('image/png') : '';
  trigger('input');
}
// What undo and redo bring back.
function bring() {
  const value = props.value || '';
  if (value === sent) return;
  sent = value;
  const picture = new Image();
  picture.addEventListener('load', () => {
    if (value !== sent) return;
    pen.globalCompositeOperation = 'source-over';
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  });
  if (value) picture.src = value;
  else pen.clearRect(0, 0, canvas.width, canvas.height);
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
watch('value', bring);
watch('background', () => { image.src = props.background; });
image.src = props.background;
moveCursor();
