const button = element.querySelector('button');
button.addEventListener('click', () =>
  button.setAttribute('aria-expanded', button.getAttribute('aria-expanded') !== 'true'));
