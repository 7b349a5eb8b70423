/** Text from outside in a cell: what is too long is cut, and opens to the whole of it by mouse and keyboard. */
import { h, outside, type Child } from '../../page/dom.ts';
import { number } from '../../page/format.ts';

/** `most`: characters that are shown of it while it is closed. */
export function longText(text: string, most = 120): Child {
  if (text.length <= most) return outside(text);
  const characters = [...text];
  if (characters.length <= most) return outside(text);
  const details = h('details', { class: 'long' },
    h('summary', {}, h('span', { class: 'cut' }, outside(`${characters.slice(0, most - 1).join('')}…`)), h('span', { class: 'less' }, `All ${number(characters.length)} characters:`)));
  // A thousand cells of ten thousand characters are made when they are looked at.
  details.addEventListener('toggle', () => details.append(outside(text)), { once: true });
  return details;
}
