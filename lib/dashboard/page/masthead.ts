/** The dataset's name, when it was made, and whether the page is connected with the server; the notice that there is a new result. */
import { h, visible } from '../../page/dom.ts';
import { count, moment, number } from '../../page/format.ts';
import { announce } from './announce.ts';
import { nameOf } from './names.ts';
import { differs, problemNote, type Panel } from './panel.ts';
import type { Overview, Problem } from '../api.ts';

export type Connection = 'connecting' | 'live' | 'lost';

const TOLD: Readonly<Record<Connection, string>> = { connecting: 'connecting', live: 'live', lost: 'connection lost, trying again' };
const NOTICE_SECONDS = 12;

export interface Masthead extends Panel {
  connection(now: Connection): void;
  /** The overview could not be had; what is shown stays. */
  failed(problem: Problem, again: () => void): void;
  arrived(before: Overview, now: Overview): void;
}

export function masthead(): Masthead {
  const name = h('h1', {}, 'Dashboard');
  const lead = h('p', { class: 'lead' }, 'Loading…');
  const mark = h('span', { class: 'live connecting' }, TOLD.connecting);
  const problem = h('div');
  const notice = h('div', { class: 'notice', role: 'status' });
  const isNew = differs();
  let isShown = false;
  let last: Connection = 'connecting';
  let hide: ReturnType<typeof setTimeout> | undefined;

  const close = (): void => {
    const hadFocus = notice.contains(document.activeElement);
    notice.replaceChildren();
    if (hadFocus) document.querySelector('main')?.focus({ preventScroll: true });
  };
  /** Not while somebody is at it. */
  const closeLater = (): void => {
    clearTimeout(hide);
    hide = setTimeout(() => (notice.matches(':hover, :focus-within') ? closeLater() : close()), NOTICE_SECONDS * 1000);
  };
  return {
    element: h('header', {}, h('p', { class: 'eyebrow' }, 'etl-stream dashboard', mark), name, lead, problem, notice),
    show({ overview, region }) {
      document.title = `${region === null ? '' : `${nameOf(region)} – `}${visible(overview.name)} – etl-stream dashboard`;
      if (!isNew(overview)) return;
      isShown = true;
      problem.replaceChildren();
      name.replaceChildren(h('bdi', {}, visible(overview.name)));
      const { totals, files, lastRun } = overview;
      const when = lastRun === null ? '' : `, last run ${moment(lastRun.startedAt)}`;
      lead.textContent = `${count(totals.rows, 'row')} in ${count(totals.regions, 'region')}, ${count(files.count, 'Parquet file')}${when}.`;
    },
    connection(now) {
      if (last === 'live' && now === 'lost') announce('The connection to the server is lost. The page tries again.');
      if (last === 'lost' && now === 'live') announce('The page is connected again.');
      last = now;
      mark.className = `live ${now}`;
      mark.textContent = TOLD[now];
    },
    failed(of, again) {
      if (!isShown) lead.textContent = '';
      problem.replaceChildren(problemNote(of, again));
    },
    arrived(before, now) {
      const added = now.totals.logs - before.totals.logs;
      const button = h('button', { type: 'button', class: 'small' }, 'Close');
      button.addEventListener('click', close);
      notice.replaceChildren(h('p', {}, `A new result was published${added > 0 ? ` with ${number(added)} more logs` : ''}. The page shows it.`), button);
      closeLater();
    },
  };
}
