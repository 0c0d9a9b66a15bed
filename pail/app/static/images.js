element.addEventListener('change', event => { props.value = Number(event.target.value); trigger('input'); });
