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
