/**
 * Users of the selection: those with the most watch time, or all in their order, from a prefix on. The first page by watch time comes
 * with the selection; each other is asked for by what the one before it said comes next. Earlier pages are kept by their cursors, not
 * their rows.
 */
import { h, outside } from '../../page/dom.ts';
import type { RowPage } from '../api.ts';
import { Asker, Overtaken, type Parameters } from './load.ts';
import { busy, differs, problemNote, problemOf, swap, type Panel } from './panel.ts';
import type { State, Store } from './store.ts';
import { FIRST, firstPage, isByUser, notes, range, selected, type Page, type Place } from './users-page.ts';
import { usersTable } from './users-table.ts';

/** A key and the next one of a fast typist are closer. */
const DEBOUNCE_MILLISECONDS = 180;
const MOST_FIND = 200;

export function usersPanel(store: Store): Panel {
  const asker = new Asker(store);
  const [isOtherQuestion, isOtherAnswer] = [differs(), differs()];
  const find = h('input', { type: 'search', id: 'find', maxlength: String(MOST_FIND), autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', 'aria-describedby': 'find-note' });
  const sorts = { total: button('Most watch time', () => sort('total')), user: button('By user', () => sort('user')) };
  const [previous, next] = [button('Previous', () => turn(-1)), button('Next', () => turn(1))];
  const note = h('p', { class: 'note', id: 'find-note' });
  const answer = h('div', { class: 'answer' });
  const status = h('p', { role: 'status' });
  const controls = h('div', { class: 'controls' },
    h('div', { class: 'field' }, h('label', { for: 'find' }, 'User begins with'), find),
    h('div', { class: 'choice', role: 'group', 'aria-label': 'Order' }, sorts.total, sorts.user));
  const pager = h('div', { class: 'pager', role: 'group', 'aria-label': 'Pages of users' }, previous, next, status);
  const element = h('div', { class: 'users' }, controls, note, answer, pager);

  let state: State | undefined;
  let page: Page | undefined;
  /** Of the pages before this one. */
  let before: readonly Place[] = [];
  /** Of the rows that were asked for last. */
  let snapshot: string | undefined;
  let isLoading = false;
  let typing: ReturnType<typeof setTimeout> | undefined;

  find.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      typing = undefined;
      store.go({ find: find.value }, { isStep: false });
    }, DEBOUNCE_MILLISECONDS);
  });

  function sort(by: State['sort']): void {
    store.go({ sort: by });
  }

  function turn(direction: -1 | 1): void {
    if (page === undefined || isLoading) return;
    if (direction === 1 && page.next !== null) void load({ start: page.start + page.rows.length, cursor: page.next }, [...before, { start: page.start, cursor: page.cursor }]);
    if (direction === -1 && before.length > 0) void load(before.at(-1)!, before.slice(0, -1));
  }

  async function load({ start, cursor }: Place, earlier: readonly Place[]): Promise<void> {
    const { region, find } = state!;
    const byUser = isByUser(state!);
    const selection = selected(state!);
    if (cursor === null && !byUser && selection) return present(firstPage(selection), earlier);
    const parameters: Parameters = byUser ? { region, prefix: find || null, after: cursor } : { region, offset: cursor };
    loading(true);
    try {
      const { rows, next } = await asker.ask<RowPage>(byUser ? 'api/users' : 'api/top', parameters);
      present({ start, cursor, rows, next }, earlier);
    } catch (error) {
      if (error instanceof Overtaken) return;
      page = undefined;
      swap(answer, problemNote(problemOf(error), () => void load({ start, cursor }, earlier)));
      status.textContent = '';
      loading(false);
    }
  }

  function loading(is: boolean): void {
    isLoading = is;
    busy(answer, is);
  }

  function present(shown: Page, earlier: readonly Place[]): void {
    const isTurned = shown.cursor !== page?.cursor;
    page = shown;
    before = earlier;
    const { overview, region, find } = state!;
    const byUser = overview.groupBy === 'user';
    const hadFocus = document.activeElement;
    const wasInside = answer.contains(hadFocus);
    swap(answer, shown.rows.length === 0
      ? h('p', {}, ...(find === '' ? ['There are no users.'] : ['No user begins with ', outside(find), '. Upper and lower case are different letters here.']))
      : usersTable({
        label: isByUser(state!) ? 'Users in their order' : 'Users with the most watch time', rows: shown.rows, byUser, region, largest: Math.max(...[...selected(state!)?.top ?? [], ...shown.rows].map(({ total }) => Number(total))),
        pick: overview.hasSql ? (region) => store.go({ region }) : undefined,
      }));
    if (isTurned) answer.querySelector('.scroll')?.scrollTo(0, 0);
    status.textContent = range(shown, state!);
    previous.disabled = earlier.length === 0;
    next.disabled = shown.next === null || !overview.hasSql;
    if (hadFocus === next && next.disabled) previous.focus();
    if (hadFocus === previous && previous.disabled) next.focus();
    if (wasInside && !answer.contains(document.activeElement)) answer.querySelector<HTMLElement>('.scroll')?.focus({ preventScroll: true });
    loading(false);
  }

  function show(now: State): void {
    state = now;
    const { overview, region, selection } = now;
    if (typing === undefined && find.value !== now.find) find.value = now.find;
    for (const [by, choice] of Object.entries(sorts)) choice.setAttribute('aria-pressed', String((by === 'user') === isByUser(now)));
    sorts.total.disabled = now.find !== '';
    controls.hidden = !overview.hasSql;
    previous.hidden = next.hidden = !overview.hasSql;
    note.replaceChildren(...notes(now));
    const byUser = isByUser(now);
    const [isQuestion, isAnswer] = [isOtherQuestion(region, byUser, byUser ? now.find : ''), isOtherAnswer(overview.snapshot, selection)];
    if (isQuestion) [page, before] = [undefined, []];
    if (!isQuestion && !isAnswer) return;
    if (byUser && !isQuestion && snapshot === overview.snapshot) {
      // Rows that were asked for came before what is told of all of them.
      if (page !== undefined && !isLoading) present(page, before);
      return;
    }
    asker.cancel();
    if (!byUser && selected(now) === undefined) {
      if (selection.status === 'failed') swap(answer, problemNote(selection.problem));
      return loading(selection.status !== 'failed');
    }
    snapshot = overview.snapshot;
    // Of a newer result, the page where one is.
    void load(page ?? FIRST, before);
  }

  return { element, show };
}

function button(name: string, act: () => void): HTMLButtonElement {
  const element = h('button', { type: 'button', class: 'small' }, name);
  element.addEventListener('click', act);
  return element;
}
