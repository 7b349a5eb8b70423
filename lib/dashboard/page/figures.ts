/** Headline figures: of all, and of the region that is picked where they depend on it. All of them are in the overview. */
import { h } from '../../page/dom.ts';
import { compact, count, decimal, moment, number, percent, size } from '../../page/format.ts';
import { nameOf } from './names.ts';
import { differs, type Panel } from './panel.ts';
import type { State } from './store.ts';

type Figure = readonly [name: string, figure: string, note: string, kind?: string];

export function figures(): Panel {
  const element = h('dl', { class: 'figures' });
  const isNew = differs();
  return {
    element,
    show(state) {
      if (!isNew(state.overview, state.region)) return;
      element.replaceChildren(...(state.region === null ? ofAll(state) : ofRegion(state, state.region)).concat(ofRows(state))
        .map(([name, figure, note, kind]) => h('div', kind ? { class: kind } : {}, h('dt', {}, name), h('dd', {}, h('strong', {}, figure), h('span', {}, note)))));
    },
  };
}

function ofAll({ overview: { totals, groupBy, files } }: State): Figure[] {
  return [
    ['Watch time', decimal(totals.watchTime), `of ${count(totals.regions, 'region')}`, 'counted'],
    groupBy === 'region' && totals.users === null ? ['Rows', number(totals.rows), 'users of regions'] : ['Users', number(totals.users ?? totals.rows), groupBy === 'user' ? 'a row each' : `${compact(totals.rows)} ${totals.rows === 1 ? 'row' : 'rows'}`],
    ['Logs counted', number(totals.logs), totals.rows === 0 ? '' : `${(totals.logs / totals.rows).toFixed(1)} a row`],
    ['Regions', number(totals.regions), `${count(files.count, 'file')}, ${size(files.bytes)}`],
  ];
}

function ofRegion({ overview: { totals, regions, groupBy } }: State, region: string): Figure[] {
  const at = regions.findIndex((one) => one.region === region);
  const { total, rows, logs } = regions[at] ?? { total: '0', rows: 0, logs: 0 };
  const name = nameOf(region);
  return [
    [`Watch time in ${name}`, decimal(total), `${percent(Number(total), Number(totals.watchTime))} of all`, 'chosen'],
    [`Users in ${name}`, number(rows), groupBy === 'user' ? 'who have it as their main region' : totals.users === null ? '' : `of ${number(totals.users)}`, 'chosen'],
    [`Logs in ${name}`, number(logs), `${percent(logs, totals.logs)} of all`, 'chosen'],
    ['Place', at < 0 ? 'none' : number(at + 1), at < 0 ? 'nothing was counted there' : `of ${count(totals.regions, 'region')}, by watch time`, 'chosen'],
  ];
}

/** No region is known of these. */
function ofRows({ overview: { read, lastRun }, region }: State): Figure[] {
  const of = (part: number): string => `${percent(part, read.read)} of rows read${region === null ? '' : ', all regions'}`;
  return [
    ['Duplicates', number(read.duplicates), of(read.duplicates), 'duplicates'],
    ['Rejects', number(read.rejected), of(read.rejected), 'rejected'],
    ...(lastRun === null ? [] : [
      ['Last run', `${compact(lastRun.rowsPerSecond)} rows/s`, moment(lastRun.startedAt)],
      ['Peak memory', size(lastRun.memory.peak), `of ${size(lastRun.memory.limit)}, last run`],
    ] as const),
  ];
}
