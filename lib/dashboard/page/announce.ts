/** Says something to who uses a screen reader. */
import { h } from '../../page/dom.ts';

export const announcer = h('div', { class: 'hidden', role: 'status' });

export function announce(text: string): void {
  announcer.replaceChildren(h('p', {}, text));
}
