/** Runs of the dataset by their reports: charts, and what is to be said of reports that are not there. */
import { h, type Child } from '../../page/dom.ts';
import { count } from '../../page/format.ts';
import type { Runs } from '../api.ts';
import { nameOf } from './names.ts';
import { Answer, differs, swap, type Panel } from './panel.ts';
import { runCharts } from './run-charts.ts';
import type { Store } from './store.ts';

/** Charts of so many runs are narrow, and more of them stand beside each other. */
const FEW = 3;

export function runsPanel(store: Store): Panel {
  const isOther = differs();
  const charts = h('div', { class: 'runs' });
  let told: Runs | undefined;
  const draw = (): void => {
    if (told !== undefined) swap(charts, ...shown(told, store.view.region));
  };
  const answer = new Answer<Runs>(store, (runs) => {
    told = runs;
    draw();
    return [charts];
  });
  return {
    element: answer.element,
    show({ region }) {
      if (isOther(region)) draw();
      answer.want('api/runs');
    },
  };
}

function shown({ runs, damaged }: Runs, region: string | null): Child[] {
  const picked = region === null ? undefined : { region, called: nameOf(region) };
  return [
    damaged > 0 && h('p', { class: 'note' }, `${count(damaged, 'report')} cannot be read and ${damaged === 1 ? 'is' : 'are'} left out.`),
    runs.length === 0
      ? h('p', {}, 'There is no report of a run. A run writes one, unless it is told ', h('code', {}, '--no-report'), '.')
      : h('div', { class: runs.length <= FEW ? 'few' : 'many' }, h('div', { class: 'charts' }, ...runCharts(runs, picked))),
  ];
}
