const boxes = [...document.querySelectorAll('.row input')], command = document.getElementById('command');
const said = document.getElementById('said'), copy = document.getElementById('copy');
function follow() {
  const ticked = boxes.filter(box => box.checked);
  const weights = new Set(ticked.map(box => box.dataset.weight)).size > 1;
  const words = ticked.map(box => weights ? `${box.value}=${box.dataset.weight}` : box.value).join(',');
  boxes.forEach(box => box.closest('.row').classList.toggle('off', !box.checked));
  command.textContent = ticked.length === boxes.length ? command.dataset.all
    : ticked.length ? `${command.dataset.bare} --techniques ${words}` : 'Tick at least one technique.';
  copy.disabled = !ticked.length;
  said.textContent = `${ticked.length} of ${boxes.length} techniques`;
}
function tick(value) { boxes.forEach(box => { box.checked = value; }); follow(); }
async function copyLine() {
  try {
    await navigator.clipboard.writeText(command.textContent);
    said.textContent = 'Copied';
  } catch {
    getSelection().selectAllChildren(command);
    said.textContent = document.execCommand('copy') ? 'Copied' : 'Selected: press Ctrl+C';
  }
}
boxes.forEach(box => box.addEventListener('change', follow));
document.getElementById('all').addEventListener('click', () => tick(true));
document.getElementById('none').addEventListener('click', () => tick(false));
copy.addEventListener('click', copyLine);
addEventListener('pageshow', follow);
follow();
