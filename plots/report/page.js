'use strict';
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const at = id => document.getElementById(id);

  // The table. A missing value is no number: it stays at the end, whichever way the others go.
  const table = at('table'), body = table.tBodies[0], rows = [...body.rows];
  const heads = all('thead th', table), words = new Intl.Collator('en', { numeric: true });
  const infinities = { inf: Infinity, '-inf': -Infinity };
  const value = (row, column) => {
    const text = row.cells[column].dataset.value;
    if (heads[column].dataset.type === 'text' || text === '') return text;
    return text in infinities ? infinities[text] : Number(text);
  };
  const stripe = () => all('tr:not([hidden])', body).forEach((row, i) => row.classList.toggle('odd', i % 2));
  const sort = column => {
    const head = heads[column], down = head.ariaSort === 'ascending' ? -1 : 1;
    heads.forEach(other => other.setAttribute('aria-sort', 'none'));
    head.setAttribute('aria-sort', down < 0 ? 'descending' : 'ascending');
    const compare = (a, b) => {
      const x = value(a, column), y = value(b, column);
      if (x === '' || y === '') return (x === '') - (y === '');
      return down * (typeof x === 'string' ? words.compare(x, y) : x < y ? -1 : x > y ? 1 : 0);
    };
    body.append(...[...rows].sort(compare));
    stripe();
  };
  heads.forEach((head, column) => head.firstElementChild.addEventListener('click', () => sort(column)));

  // The filter: every word must stand in some text of the row. It goes for the row's figure too.
  const filter = at('filter'), texts = rows.map(row =>
    [...row.cells].filter((cell, i) => heads[i].dataset.type === 'text').map(cell => cell.textContent).join('\n').toLowerCase());
  const show = () => {
    const wanted = filter.value.toLowerCase().split(/\s+/);
    let shown = 0;
    rows.forEach((row, i) => {
      row.hidden = !wanted.every(word => texts[i].includes(word));
      at(row.dataset.site).hidden = row.hidden;
      shown += !row.hidden;
    });
    at('count').textContent = filter.value.trim() ? `${shown} of ${rows.length} layers` : `${rows.length} layers`;
    stripe();
  };
  filter.addEventListener('input', show);
  show();

  // On paper nothing can be opened.
  addEventListener('beforeprint', () => all('details').forEach(details => { details.open = true; }));

  // A figure moves into the dialog and back, since a copy would repeat its ids; its place on the page stays open.
  const dialog = at('enlarged'), stage = dialog.querySelector('.stage'), pictures = all('.picture');
  const nameOf = picture => picture.parentElement.querySelector('.name').textContent;
  let shown = null;
  const putBack = () => {
    if (!shown) return;
    all('svg', stage).forEach(svg => { svg.style.minWidth = ''; });
    shown.append(...stage.childNodes);
    shown.style.height = '';
    shown = null;
  };
  const enlarge = picture => {
    putBack();
    shown = picture;
    picture.style.height = `${picture.getBoundingClientRect().height}px`;
    stage.append(...picture.childNodes);
    // Not smaller than it was made: on a narrow screen the stage scrolls.
    all('svg', stage).forEach(svg => { svg.style.minWidth = `${Math.round(svg.width.baseVal.value)}px`; });
    at('enlarged-name').textContent = nameOf(picture);
    if (!dialog.open) dialog.showModal();
  };
  const step = by => {
    const open = pictures.filter(picture => !picture.parentElement.hidden), next = open[open.indexOf(shown) + by];
    if (next) enlarge(next);
  };
  pictures.forEach(picture => {
    picture.tabIndex = 0;
    picture.setAttribute('role', 'button');
    picture.setAttribute('aria-label', `Enlarge: ${nameOf(picture)}`);
    picture.addEventListener('click', () => enlarge(picture));
    picture.addEventListener('keydown', event => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      enlarge(picture);
    });
  });
  at('close').addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', putBack);
  dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('keydown', event => {
    if (event.key === 'ArrowRight') step(1);
    if (event.key === 'ArrowLeft') step(-1);
  });
})();
