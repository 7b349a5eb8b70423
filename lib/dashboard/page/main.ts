/**
 * The dashboard's page: puts the panels together, and keeps them up to date with the address and with the server. To add a panel, add it to
 * `sections`.
 */
import { h, type Child } from '../../page/dom.ts';
import { count } from '../../page/format.ts';
import { anchored } from './anchor.ts';
import { announce, announcer } from './announce.ts';
import { distribution } from './distribution.ts';
import { figures } from './figures.ts';
import { footer } from './footer.ts';
import { masthead } from './masthead.ts';
import { learnNames, nameOf } from './names.ts';
import { follow } from './follow.ts';
import { differs, type Panel } from './panel.ts';
import { picked } from './picked.ts';
import { regionList } from './region-list.ts';
import { regionTable } from './region-table.ts';
import { rejectsPanel } from './rejects.ts';
import { runsPanel } from './runs.ts';
import { sqlPanel } from './sql.ts';
import { Store } from './store.ts';
import { usersPanel } from './users.ts';
import { worldMap } from './world-map.ts';

const store = new Store();
const head = masthead();
const chip = picked(store);
const foot = footer();

/** In their order on the page; the panels of a section stand beside each other where there is room. */
const sections: readonly (readonly [id: string, title: string, ...panels: Panel[]])[] = [
  ['regions', 'Regions', worldMap(store), regionList(store), regionTable()],
  ['users', 'Users', distribution(), usersPanel(store)],
  ['runs', 'Runs', runsPanel(store)],
  ['rejects', 'Rejects', rejectsPanel(store)],
  ['query', 'SQL', sqlPanel(store)],
];

const panels: readonly Panel[] = [head, chip, foot, ...sections.flatMap(([, , ...of]) => of)];
const keyFigures = figures();
const section = (id: string, title: string, ...content: Child[]): HTMLElement => h('section', { id, 'aria-labelledby': `${id}-title` }, h('h2', { id: `${id}-title` }, title), ...content);

const content = h('div', { class: 'content' },
  h('section', { 'aria-labelledby': 'figures-title' }, h('h2', { id: 'figures-title', class: 'hidden' }, 'Key figures'), keyFigures.element),
  ...sections.map(([id, title, ...of]) => section(id, title, h('div', { class: 'panels' }, ...of.map(({ element }) => element)))));
const bar = h('div', { class: 'bar' },
  h('nav', { 'aria-label': 'Sections' }, h('ul', {}, ...sections.map(([id, title]) => h('li', {}, h('a', { href: `#${id}` }, title))))),
  chip.element);
content.hidden = bar.hidden = true;

document.getElementById('page')!.replaceWith(
  head.element,
  bar,
  h('main', { id: 'main', tabindex: '-1' }, content),
  foot.element,
  announcer);

const isOther = differs();
store.listen((state) => {
  const isFirst = content.hidden;
  content.hidden = bar.hidden = false;
  if (isOther(state.overview)) learnNames(state.overview.regions);
  for (const panel of [keyFigures, ...panels]) panel.show(state);
  if (isFirst) anchored(content);
});

const otherRegion = differs();
otherRegion(store.view.region);
store.listen(({ region, overview }) => {
  if (!otherRegion(region)) return;
  const of = overview.regions.find((one) => one.region === region);
  announce(region === null ? 'Showing all regions.' : `Showing ${nameOf(region)}: ${count(of?.rows ?? 0, 'user')}.`);
});

follow(store, head);
