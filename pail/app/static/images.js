element.addEventListener('change', event => { props.value = Number(event.target.value); trigger('input'); });
watch('value', () => element.querySelectorAll('input').forEach(input => {
  input.checked = Number(input.value) === props.value;
}));
