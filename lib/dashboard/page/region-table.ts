/** All that is known of all regions, as a table that is made when it is opened. */
import { h, outside } from '../../page/dom.ts';
import { decimal, number, percent } from '../../page/format.ts';
import { table } from '../../page/table.ts';
import { countryName } from './names.ts';
import { differs, swap, type Panel } from './panel.ts';
import type { Overview } from '../api.ts';

export function regionTable(): Panel {
  const holder = h('div');
  const element = h('details', { class: 'region-table' }, h('summary', {}, 'Show all regions as a table'), holder);
  const isNew = differs();
  let overview: Overview | undefined;
  const fill = (): void => {
    if (element.open && overview !== undefined && isNew(overview)) swap(holder, tableOf(overview));
  };
  element.addEventListener('toggle', fill);
  return {
    element,
    show(state) {
      ({ overview } = state);
      element.hidden = overview.regions.length === 0;
      fill();
    },
  };
}

function tableOf({ regions, totals, groupBy }: Overview): HTMLElement {
  const columns = [{ name: 'Region' }, { name: 'Name' }, { name: 'Watch time', isFigure: true }, { name: 'Share', isFigure: true }, { name: 'Logs', isFigure: true }, { name: 'Users', isFigure: true }];
  return table(groupBy === 'user' ? 'Watch time by main region of users' : 'Watch time by region', columns,
    regions.map(({ region, total, logs, rows }) => [outside(region), countryName(region) ?? '', decimal(total), percent(Number(total), Number(totals.watchTime)), number(logs), number(rows)]));
}
