/**
 * The SQL box. What was run stands in the address, and opening such an address runs it. An answer is of the snapshot that it was asked
 * of: it stays when another one is published, and says that it is of the earlier one.
 */
import { h, visible } from '../../page/dom.ts';
import type { Problem, QueryAnswer } from '../api.ts';
import { copyLink } from './copy-link.ts';
import { Asker, Overtaken } from './load.ts';
import { busy, differs, problemNote, problemOf, type Panel } from './panel.ts';
import { examples } from './sql-examples.ts';
import { resultOf, statusOf } from './sql-result.ts';
import { tablesDetails } from './sql-tables.ts';
import type { State, Store } from './store.ts';

export function sqlPanel(store: Store): Panel {
  const asker = new Asker(store);
  const isOther = differs();
  const text = h('textarea', { id: 'query-text', rows: '6', spellcheck: 'false', autocomplete: 'off', autocapitalize: 'none', 'aria-describedby': 'query-note' });
  const status = h('p', { role: 'status' });
  const outdated = h('div', { class: 'outdated' });
  const answer = h('div', {});
  const run = button('Run', () => start());
  const cancel = button('Cancel', () => stop());
  cancel.disabled = true;
  run.classList.add('primary');
  const link = copyLink(() => text.value.trim());
  const box = h('div', { class: 'box' },
    h('div', { class: 'choice', role: 'group', 'aria-label': 'Examples' }, h('span', { class: 'note' }, 'Examples:'), ...examples.map(({ name, sql }) => button(name, () => fill(sql)))),
    h('label', { for: 'query-text' }, 'SQL'),
    text,
    h('p', { class: 'note', id: 'query-note' }, 'One query in DuckDB’s SQL, which only reads. Ctrl+Enter runs it.'),
    h('div', { class: 'actions' }, run, cancel, link, status),
    tablesDetails(store));
  const element = h('div', { class: 'sql' }, box, outdated, answer);

  /** What is shown, or asked for, and of which snapshot. */
  let asked: { readonly sql: string; snapshot: string } | undefined;
  let isRunning = false;

  text.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    start();
  });

  function fill(sql: string): void {
    text.value = sql;
    text.focus();
  }

  function start(): void {
    const sql = text.value.trim();
    if (sql === '') {
      status.textContent = 'There is no query yet.';
      text.focus();
      return;
    }
    void ask(sql);
    store.go({ sql });
  }

  function stop(): void {
    asker.cancel();
    answer.replaceChildren();
    finish('Cancelled.');
  }

  async function ask(sql: string): Promise<void> {
    const mine = { sql, snapshot: store.state!.overview.snapshot };
    asked = mine;
    running(true);
    status.textContent = 'Running…';
    try {
      const result = await asker.ask<QueryAnswer>('api/query', {}, { sql });
      mine.snapshot = result.snapshot;
      answer.replaceChildren(resultOf(sql, result));
      finish(statusOf(result));
    } catch (error) {
      if (!(error instanceof Overtaken)) answer.replaceChildren(failure(problemOf(error)));
      else if (asked !== mine || !isRunning) return;
      finish(error instanceof Overtaken ? 'A newer result was published meanwhile.' : '');
    }
  }

  function finish(said: string): void {
    const hadFocus = document.activeElement === cancel;
    running(false);
    if (hadFocus) run.focus();
    status.textContent = said;
    compare();
  }

  function running(is: boolean): void {
    isRunning = is;
    busy(answer, is);
    cancel.disabled = !is;
    if (is) outdated.replaceChildren();
  }

  /** Whether what is shown is of what is published now. */
  function compare(): void {
    const isEarlier = asked !== undefined && !isRunning && asked.snapshot !== store.state?.overview.snapshot;
    if (isEarlier === (outdated.childElementCount > 0)) return;
    outdated.replaceChildren(...(isEarlier ? [h('p', { role: 'status' }, 'This is of an earlier result; a newer one was published.'), button('Run again', () => {
      void ask(asked!.sql);
      run.focus();
    })] : []));
  }

  /** Once: why there are no queries, as the server says it. */
  async function lacking(): Promise<void> {
    box.hidden = true;
    try {
      await asker.ask('api/query', {}, { sql: 'SELECT 1' });
      box.hidden = false;
    } catch (error) {
      if (!(error instanceof Overtaken)) answer.replaceChildren(problemNote(problemOf(error)));
    }
  }

  function show({ overview, sql }: State): void {
    if (isOther(overview.hasSql) && !overview.hasSql) void lacking();
    if (!overview.hasSql) return;
    if (sql !== (asked?.sql ?? '')) {
      text.value = sql;
      if (sql !== '') void ask(sql);
      else clear();
    }
    compare();
  }

  function clear(): void {
    asker.cancel();
    asked = undefined;
    answer.replaceChildren();
    finish('');
  }

  return { element, show };
}

/** DuckDB points at what is wrong by a line below the query: that is for a fixed pitch. */
function failure({ code, message, hint }: Problem): HTMLElement {
  const lines = message.split('\n').map((line): string => (line === '' ? '' : visible(line)));
  return h('div', { class: 'problem', role: 'alert' },
    h('p', {}, h('code', {}, visible(code))),
    h('pre', { tabindex: '0', 'aria-label': 'What is wrong' }, lines.join('\n')),
    hint !== undefined && h('p', { class: 'hint' }, visible(hint)));
}

function button(name: string, act: () => void): HTMLButtonElement {
  const element = h('button', { type: 'button', class: 'small' }, name);
  element.addEventListener('click', act);
  return element;
}
