const bench = () => element.closest('#pail-bench'), outline = element.querySelector('#pail-outline');
const compare = element.querySelector('[data-do=compare]');
let isKept = false, since = 0;
function show(original) {
  bench().classList.toggle('pail-before', original);
  compare.setAttribute('aria-pressed', original);
}
// A short press keeps the original on the screen, a long one shows it as long as it lasts.
function press() { since = performance.now(); show(!isKept); }
function release() {
  if (!since) return;
  isKept = performance.now() - since < 350 ? !isKept : false;
  since = 0;
  show(isKept);
}
compare.addEventListener('pointerdown', event => { compare.setPointerCapture(event.pointerId); press(); });
compare.addEventListener('pointerup', release);
compare.addEventListener('pointercancel', release);
compare.addEventListener('contextmenu', event => event.preventDefault());
compare.addEventListener('keydown', event => {
  if (event.key !== ' ' && event.key !== 'Enter') return;
  event.preventDefault();
  if (!event.repeat) press();
});
compare.addEventListener('keyup', event => { if (event.key === ' ' || event.key === 'Enter') release(); });
compare.addEventListener('blur', release);
function refresh() {
  element.querySelector('.pail-bar').dataset.steps = props.undo;
  ['undo', 'redo'].forEach(name =>
    element.querySelector(`[data-do=${name}]`).setAttribute('aria-disabled', !(props[name] > 0)));
}
function act(name) {
  const button = element.querySelector(`[data-do=${name}]`);
  if (button.getAttribute('aria-disabled') !== 'true') trigger('select', { do: name });
}
element.addEventListener('click', event => {
  const button = event.target.closest('[data-do]');
  if (button && button !== compare) act(button.dataset.do);
});
const isTyped = target => target.matches('textarea, [contenteditable=true], ' +
  'input:not([type=range]):not([type=radio]):not([type=checkbox])');
document.addEventListener('keydown', event => {
  if (!element.isConnected || isTyped(event.target)) return;
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && !event.altKey && (key === 'z' || key === 'y')) {
    event.preventDefault();
    act(key === 'y' || event.shiftKey ? 'redo' : 'undo');
  } else if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) {
    return;
  } else if (key === 'o') {
    outline.checked = !outline.checked;
  } else if (key === 'c') {
    press();
  } else if (key === 'n') {
    act('another');
  }
});
document.addEventListener('keyup', event => { if (event.key.toLowerCase() === 'c') release(); });
// What is changed shows in the image with the anomaly.
document.addEventListener('input', event => {
  if (isKept && !element.contains(event.target)) { isKept = false; show(false); }
});
watch(['undo', 'redo'], refresh);
refresh();
