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
