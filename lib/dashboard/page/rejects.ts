/** Rejects of the dataset: how many there are by reason, and examples of the reason that is chosen. */
import { h, visible } from '../../page/dom.ts';
import type { Rejects } from '../api.ts';
import { Answer, type Panel } from './panel.ts';
import { exampleTable, reasonList } from './rejects-view.ts';
import type { Store } from './store.ts';

export function rejectsPanel(store: Store): Panel {
  const note = h('p', { class: 'note' }, 'A row that was rejected has no region: these are of the whole dataset.');
  const answer = new Answer<Rejects>(store, (rejects) => {
    const { reason } = store.view;
    if (rejects.rows === 0) return [h('p', { class: 'good' }, 'No row was rejected.')];
    return [h('div', { class: 'rejects' },
      reasonList(rejects, reason, (reason) => store.go({ reason })),
      rejects.examples.length === 0 ? h('p', {}, reason === null ? 'There are no examples.' : `No row was rejected for ${visible(reason)}.`) : exampleTable(rejects.examples, reason))];
  });
  return {
    element: h('div', {}, note, answer.element),
    show({ region, reason }) {
      note.hidden = region === null;
      answer.want('api/rejects', { reason });
    },
  };
}
