/** How totals are distributed: of all, or of the region that is picked. */
import { distribution as chartOf } from '../../page/distribution.ts';
import { h } from '../../page/dom.ts';
import { fullNameOf, rowsName } from './names.ts';
import { busy, differs, problemNote, swap, type Panel } from './panel.ts';

export function distribution(): Panel {
  const element = h('div', { class: 'answer' });
  const isNew = differs();
  return {
    element,
    show({ overview, selection }) {
      if (!isNew(overview, selection)) return;
      busy(element, selection.status === 'loading');
      if (selection.status === 'failed') swap(element, h('figure', {}, h('figcaption', {}, h('h3', {}, 'Distribution of totals')), problemNote(selection.problem, selection.again)));
      if (selection.status !== 'ready') return;
      const { distribution: buckets, rows, region } = selection.value;
      const where = region === null ? '' : ` in ${fullNameOf(region)}`;
      if (rows === 0) swap(element, h('figure', {}, h('figcaption', {}, h('h3', {}, `Distribution of totals${where}`), h('p', {}, 'Nothing was counted.'))));
      else swap(element, chartOf(buckets, rows, rowsName(overview.groupBy, region), where));
    },
  };
}
