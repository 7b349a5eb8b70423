/** Tables that scroll by themselves where they are too wide. */
import { h, type Child } from './dom.ts';

export interface Column {
  readonly name: string;
  /** Figures stand at the right. */
  readonly isFigure?: boolean;
}

/** The first cell of a row is its heading. `label` says what is in it, for who cannot see it. */
export function table(label: string, columns: readonly Column[], rows: readonly (readonly Child[])[]): HTMLElement {
  const kind = (at: number): Record<string, string> => (columns[at]?.isFigure ? { class: 'figure' } : {});
  const head = h('tr', {}, ...columns.map(({ name }, at) => h('th', { scope: 'col', ...kind(at) }, name)));
  const body = rows.map((cells) => h('tr', {}, ...cells.map((cell, at) => (at === 0 ? h('th', { scope: 'row', ...kind(at) }, cell) : h('td', kind(at), cell)))));
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label },
    h('table', {}, h('caption', {}, label), h('thead', {}, head), h('tbody', {}, ...body)));
}
