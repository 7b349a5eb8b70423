/**
 * Regions by watch time, a button each: what the map shows, for the keyboard and for all regions that are on no map. Only the first ones
 * are there until more are asked for, and the one that is picked. Buttons stay the same where they can, and so does the focus.
 */
import { h, outside, visible } from '../../page/dom.ts';
import { count, decimal, number, percent } from '../../page/format.ts';
import { countryName } from './names.ts';
import { announce } from './announce.ts';
import { differs, type Panel } from './panel.ts';
import type { Overview } from '../api.ts';
import type { State, Store } from './store.ts';

const FIRST = 20;
type Region = Overview['regions'][0];

export function regionList(store: Store): Panel {
  const message = h('p');
  const search = h('input', { type: 'search', id: 'region-search', autocomplete: 'off', spellcheck: 'false', placeholder: 'Name or code' });
  const field = h('div', { class: 'field' }, h('label', { for: 'region-search' }, 'Find a region'), search);
  const list = h('ol', { class: 'regions' });
  const more = h('button', { type: 'button', class: 'small' });
  const buttons = new Map<string, HTMLButtonElement>();
  const isNewOverview = differs();
  const isNewRegion = differs();
  let isWhole = false;
  let last: State | undefined;

  const fill = (): void => {
    if (last === undefined) return;
    const { overview, region } = last;
    const found = matching(overview.regions, search.value);
    const shown = isWhole ? found : found.slice(0, FIRST);
    const chosen = found.find((one) => one.region === region);
    if (chosen !== undefined && !shown.includes(chosen)) shown.push(chosen);
    const focused = document.activeElement;
    list.replaceChildren(...shown.map((one) => h('li', {}, buttonOf(one, overview))));
    if (focused instanceof HTMLElement && list.contains(focused)) focused.focus({ preventScroll: true });
    list.classList.toggle('whole', isWhole);
    more.hidden = found.length <= FIRST;
    more.textContent = isWhole ? `Show the first ${FIRST}` : `Show all ${number(found.length)}`;
    more.setAttribute('aria-expanded', String(isWhole));
    message.textContent = search.value.trim() === '' ? messageOf(overview) : `${count(found.length, 'region')} of ${number(overview.regions.length)}.`;
  };

  const buttonOf = (of: Region, overview: Overview): HTMLElement => {
    let button = buttons.get(of.region);
    if (button === undefined) {
      button = makeButton(of, overview, last!.region === of.region);
      button.addEventListener('click', () => store.go({ region: store.view.region === of.region ? null : of.region }));
      buttons.set(of.region, button);
    }
    return button;
  };

  search.addEventListener('input', () => {
    fill();
    announce(message.textContent);
  });
  search.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || search.value === '') return;
    event.preventDefault();
    search.value = '';
    fill();
  });
  list.addEventListener('keydown', (event) => {
    const all = [...list.querySelectorAll('button')];
    const to = { ArrowDown: 1, ArrowUp: -1, Home: -all.length, End: all.length }[event.key];
    const at = all.indexOf(event.target as HTMLButtonElement);
    if (to === undefined || at < 0) return;
    event.preventDefault();
    all[Math.min(Math.max(at + to, 0), all.length - 1)]!.focus();
  });
  more.addEventListener('click', () => {
    isWhole = !isWhole;
    fill();
  });

  return {
    element: h('figure', { class: 'region-list' }, h('figcaption', {}, h('h3', { id: 'region-list-title' }, 'By watch time'), message), field, list, more),
    show(state) {
      const isFirst = last === undefined;
      const before = last?.region ?? null;
      last = state;
      const { overview, region } = state;
      if (isNewOverview(overview)) {
        const focused = [...buttons].find(([, button]) => button === document.activeElement)?.[0];
        buttons.clear();
        if (!overview.hasSql) list.tabIndex = 0; // nothing in it takes the focus, and it scrolls
        field.hidden = overview.regions.length <= FIRST;
        fill();
        isNewRegion(region);
        if (isFirst && region !== null) reveal(buttons.get(region));
        if (focused !== undefined) buttons.get(focused)?.focus({ preventScroll: true });
      } else if (isNewRegion(region)) {
        if (before !== null) press(buttons.get(before), false);
        if (region !== null) press(buttons.get(region), true);
        if (region !== null && !buttons.get(region)?.isConnected) fill();
        if (region !== null) reveal(buttons.get(region));
      }
    },
  };

  /** In the list, which scrolls by itself; the page stays where it is. */
  function reveal(button: HTMLElement | undefined): void {
    if (!button?.isConnected) return;
    const [{ top, bottom }, box] = [button.getBoundingClientRect(), list.getBoundingClientRect()];
    if (top < box.top || bottom > box.bottom) list.scrollTop += top - box.top - box.height / 2;
  }
}

function press(button: HTMLButtonElement | undefined, isPressed: boolean): void {
  button?.setAttribute('aria-pressed', String(isPressed));
}

function makeButton({ region, total }: Region, { regions, totals, hasSql }: Overview, isPressed: boolean): HTMLButtonElement {
  const most = Math.max(0, Number(regions[0]?.total));
  const name = countryName(region);
  const bar = h('span', { class: 'fill' });
  bar.style.width = most === 0 ? '0' : `${Math.max(0, (100 * Number(total)) / most)}%`;
  const button = h('button', { type: 'button', 'aria-pressed': String(isPressed), title: `${name ?? visible(region)}\n${decimal(total)}` },
    bar,
    h('span', { class: 'name' }, name === undefined ? outside(region) : name, name !== undefined && ' ', name !== undefined && h('small', {}, region)),
    h('span', { class: 'share' }, percent(Number(total), Number(totals.watchTime))));
  button.disabled = !hasSql;
  return button;
}

function messageOf({ regions, groupBy, hasSql }: Overview): string {
  if (regions.length === 0) return 'Nothing was counted.';
  const what = `${count(regions.length, 'region')}${groupBy === 'user' ? ', where all of a user counts for the main region' : ''}.`;
  return hasSql ? `${what} Pick one, and the page is about it.` : `${what} Picking one needs DuckDB: add it with npm install @duckdb/node-api.`;
}

function matching(regions: readonly Region[], text: string): Region[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return [...regions];
  return regions.filter(({ region }) => region.toLowerCase().includes(wanted) || countryName(region)?.toLowerCase().includes(wanted));
}
