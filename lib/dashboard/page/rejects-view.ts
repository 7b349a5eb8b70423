/** Rejects by reason: each a button with a bar, that chooses whose examples are shown; and the examples, as text. */
import { h, outside, visible } from '../../page/dom.ts';
import { count, number, percent } from '../../page/format.ts';
import { table } from '../../page/table.ts';
import type { RejectExample, Rejects } from '../api.ts';
import { longText } from './long-text.ts';
import { meter } from './meter.ts';
import { meaningOf } from './reject-meanings.ts';

/** Buttons for all reasons; of the chosen one it says what it means. `choose` is given null by the button of all. */
export function reasonList({ reasons, rows }: Rejects, chosen: string | null, choose: (reason: string | null) => void): HTMLElement {
  const most = Math.max(...reasons.map((reason) => reason.rows));
  const item = (reason: string | null, of: number): HTMLElement => {
    const button = h('button', { type: 'button', 'aria-pressed': String(reason === chosen) },
      h('span', { class: 'name' }, reason === null ? 'All reasons' : h('bdi', {}, cut(visible(reason), 60))), ' ',
      h('span', { class: 'figure' }, number(of), reason === null ? undefined : ` (${percent(of, rows)})`), reason === null ? undefined : meter(of / most));
    button.addEventListener('click', () => choose(reason));
    return h('li', {}, button);
  };
  return h('ul', { class: 'reasons', 'aria-label': 'Reasons' }, item(null, rows), ...reasons.map((reason) => item(reason.reason, reason.rows)));
}

/** A heading, what the reason means, and rows that were rejected for it. */
export function exampleTable(examples: readonly RejectExample[], reason: string | null): HTMLElement {
  const meaning = reason === null ? undefined : meaningOf(reason);
  return h('div', { class: 'examples' },
    h('h3', {}, reason === null ? 'The first rejects' : h('span', {}, 'The first rejects for ', outside(cut(reason, 120)))),
    meaning === undefined ? undefined : h('p', { class: 'note' }, meaning),
    table(`${count(examples.length, 'rejected row')}, in the order of the inputs`,
      [{ name: 'Place' }, ...(reason === null ? [{ name: 'Reason' }] : []), { name: 'Column' }, { name: 'Message' }, { name: 'Row' }],
      examples.map(({ file, line, reason: of, column, message, raw }) => [
        h('span', {}, longText(file, 60), `, line ${number(line)}`), ...(reason === null ? [longText(of, 60)] : []), column === null ? '' : longText(column, 40), longText(message, 160), h('code', {}, longText(raw, 120)),
      ])));
}

function cut(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`;
}
