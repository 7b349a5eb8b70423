/** Tables that a query may read, with their columns: asked for when somebody wants to see them, so that they are those of this dataset. */
import { h, outside } from '../../page/dom.ts';
import type { QueryAnswer } from '../api.ts';
import { Asker, Overtaken } from './load.ts';
import { busy, problemNote, problemOf } from './panel.ts';
import type { Store } from './store.ts';

const COLUMNS = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY table_name = 'watch_time' DESC, table_name, column_index";

export function tablesDetails(store: Store): HTMLElement {
  const asker = new Asker(store);
  const content = h('div', { class: 'tables' });
  const details = h('details', {}, h('summary', {}, 'Tables and columns'), content);
  const load = async (): Promise<void> => {
    busy(content, true);
    try {
      const { rows } = await asker.ask<QueryAnswer>('api/query', {}, { sql: COLUMNS });
      const tables = [...new Set(rows.map(([name]) => name!))];
      content.replaceChildren(h('dl', {}, ...tables.map((name) => h('div', {},
        h('dt', {}, h('code', {}, name)),
        h('dd', {}, h('ul', {}, ...rows.filter(([of]) => of === name).map(([, column, type]) => h('li', {}, h('code', {}, outside(column ?? '')), ' ', h('span', { class: 'type' }, type ?? '')))))))));
      busy(content, false);
    } catch (error) {
      if (!(error instanceof Overtaken)) content.replaceChildren(problemNote(problemOf(error), () => void load()));
    }
  };
  details.addEventListener('toggle', () => {
    if (details.open && content.childElementCount === 0) void load();
  });
  return details;
}
