/**
 * What the page shows, in one place. A part of it stands in the address (`?region=US&find=ab`): who has the address sees the same, and
 * the browser's back button undoes a step. The rest is what the server has said of the current snapshot. Whoever listens is told once
 * for all changes of a moment, and only after there is an overview.
 */
import type { Overview, Problem, Selection } from '../api.ts';

/** What stands in the address. */
export interface View {
  /** Null: all of them. */
  readonly region: string | null;
  /** What the users that are looked for begin with. */
  readonly find: string;
  readonly sort: 'total' | 'user';
  /** Of rejects; null: all. */
  readonly reason: string | null;
  readonly sql: string;
}

export type Loaded<T> =
  | { readonly status: 'loading' }
  | { readonly status: 'ready'; readonly value: T }
  | { readonly status: 'failed'; readonly problem: Problem; again(): void };

export interface State extends View {
  readonly overview: Overview;
  /** Of the region that is picked, or of all. */
  readonly selection: Loaded<Selection>;
}

type Facts = Omit<State, keyof View>;

const NOTHING: View = { region: null, find: '', sort: 'total', reason: null, sql: '' };

export class Store {
  #view = viewOf(location.search);
  #facts: Facts | undefined;
  #isToTell = false;
  readonly #listeners: ((state: State) => void)[] = [];

  constructor() {
    addEventListener('popstate', () => {
      this.#view = viewOf(location.search);
      this.#tellSoon();
    });
  }

  get view(): View {
    return this.#view;
  }

  /** None before the first overview. */
  get state(): State | undefined {
    return this.#facts && { ...this.#facts, ...this.#view };
  }

  listen(listener: (state: State) => void): void {
    this.#listeners.push(listener);
  }

  /** A step that the back button undoes; or, for what changes with every key, none of its own: `isStep: false`. */
  go(change: Partial<View>, { isStep = true } = {}): void {
    const next = { ...this.#view, ...change };
    const address = addressOf(next);
    if (address === addressOf(this.#view)) return;
    this.#view = next;
    history[isStep ? 'pushState' : 'replaceState'](null, '', `${location.pathname}${address}`);
    this.#tellSoon();
  }

  /** The server has said something. */
  know(facts: Partial<Facts> & Pick<Facts, 'selection'>): void {
    const overview = facts.overview ?? this.#facts?.overview;
    if (overview === undefined) throw new Error('the first thing to know is the overview');
    this.#facts = { overview, selection: facts.selection };
    this.#tellSoon();
  }

  #tellSoon(): void {
    if (this.#isToTell) return;
    this.#isToTell = true;
    queueMicrotask(() => {
      this.#isToTell = false;
      const { state } = this;
      if (state !== undefined) for (const listener of this.#listeners) listener(state);
    });
  }
}

function viewOf(search: string): View {
  const parameters = new URLSearchParams(search);
  return {
    region: parameters.get('region'), find: parameters.get('find') ?? '', sort: parameters.get('sort') === 'user' ? 'user' : 'total',
    reason: parameters.get('reason'), sql: parameters.get('sql') ?? '',
  };
}

/** Names only what is not as it is anyway. */
function addressOf(view: View): string {
  const parameters = new URLSearchParams();
  for (const name of Object.keys(NOTHING) as (keyof View)[]) {
    const value = view[name];
    if (value !== null && value !== NOTHING[name]) parameters.set(name, value);
  }
  return parameters.size === 0 ? '' : `?${parameters}`;
}
