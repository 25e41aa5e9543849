/**
 * The only script of the page: it makes the matrix sortable and searchable, and opens what is folded before printing. Without it all
 * the same is shown. It makes no markup from text.
 */
export const SCRIPT = `
'use strict';
(() => {
  addEventListener('beforeprint', () => { for (const each of document.querySelectorAll('details')) each.open = true; });
  const table = document.getElementById('matrix');
  if (table === null) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const titles = Array.from(table.tHead.rows[0].cells);
  const compared = (isNumber) => (one, other) =>
    isNumber ? Number(one) - Number(other) : one.localeCompare(other, undefined, { numeric: true });
  titles.forEach((title, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...title.childNodes);
    title.append(button);
    button.addEventListener('click', () => {
      const direction = title.getAttribute('aria-sort') === 'ascending' ? 'descending' : 'ascending';
      for (const each of titles) each.removeAttribute('aria-sort');
      title.setAttribute('aria-sort', direction);
      const order = compared(title.className === 'number');
      const value = (row) => row.cells[column].dataset.v;
      const known = rows.filter((row) => value(row) !== undefined);
      const unknown = rows.filter((row) => value(row) === undefined);
      known.sort((one, other) => order(value(one), value(other)));
      if (direction === 'descending') known.reverse();
      body.append(...known, ...unknown);
    });
  });
  if (rows.length < 2) return;
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const box = document.createElement('div');
  box.className = 'filter';
  const label = document.createElement('label');
  label.textContent = 'Filter ';
  const input = document.createElement('input');
  input.type = 'search';
  input.placeholder = 'name or parameter';
  const count = document.createElement('span');
  count.className = 'note';
  count.setAttribute('role', 'status');
  label.append(input);
  box.append(label, count);
  table.parentElement.before(box);
  input.addEventListener('input', () => {
    const words = input.value.toLowerCase().split(/\\s+/).filter((word) => word !== '');
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !words.every((word) => texts[index].includes(word));
      if (!row.hidden) shown += 1;
    });
    count.textContent = words.length === 0 ? '' : shown + ' of ' + rows.length;
  });
})();
`;
