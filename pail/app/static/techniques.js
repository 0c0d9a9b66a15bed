const rule = element.querySelector('style'), summary = element.querySelector('.pail-summary');
function show() {
  rule.textContent = `[id^="pail-of-"]:not(#pail-of-${props.value}) { display: none !important; }`;
  element.querySelectorAll('input').forEach(input => {
    input.checked = input.value === props.value;
    if (input.checked) summary.textContent = input.dataset.summary ? `It inserts ${input.dataset.summary}.` : '';
  });
}
element.addEventListener('change', event => { props.value = event.target.value; show(); trigger('input'); });
watch('value', show);
show();
