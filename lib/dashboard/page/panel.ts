/**
 * What a part of the page is: an element, and a function that makes it show a state. `show` is called for every change of the state, so
 * it first looks whether something is different that it depends on (`differs`); what the server must be asked for is an Answer, which
 * does that by itself.
 */
import type { Problem } from '../api.ts';
import { h, visible, type Child } from '../../page/dom.ts';
import { Asker, Failure, Overtaken, addressFor, type Parameters } from './load.ts';
import type { State, Store } from './store.ts';

export interface Panel {
  readonly element: HTMLElement;
  show(state: State): void;
}

/** A function that says whether its values are others than the last time, by identity. */
export function differs(): (...values: readonly unknown[]) => boolean {
  let last: readonly unknown[] | undefined;
  return (...values) => {
    const isNew = last === undefined || values.some((value, at) => value !== last![at]);
    last = values;
    return isNew;
  };
}

/** An answer of the server in a panel: says that it is busy, shows what came, or the problem with a button to try again. What it showed before stays until then. */
export class Answer<T> {
  readonly element = h('div', { class: 'answer' });
  readonly #asker: Asker;
  readonly #make: (answer: T) => readonly Child[];
  #wanted: string | undefined;

  constructor(store: Store, make: (answer: T) => readonly Child[]) {
    this.#asker = new Asker(store);
    this.#make = make;
  }

  /** Asks, unless this is what was asked last, of the same snapshot. */
  want(path: string, parameters: Parameters = {}): void {
    const wanted = addressFor(path, { ...parameters, of: this.#asker.store.state?.overview.snapshot ?? null });
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    void this.#load(path, parameters);
  }

  async #load(path: string, parameters: Parameters): Promise<void> {
    busy(this.element, true);
    try {
      const answer = await this.#asker.ask<T>(path, parameters);
      swap(this.element, ...this.#make(answer));
    } catch (error) {
      if (error instanceof Overtaken) return;
      swap(this.element, problemNote(problemOf(error), () => void this.#load(path, parameters)));
    }
    busy(this.element, false);
  }
}

export function busy(element: HTMLElement, isBusy: boolean): void {
  if (isBusy) element.setAttribute('aria-busy', 'true');
  else element.removeAttribute('aria-busy');
}

/** Of whatever was thrown. */
export function problemOf(error: unknown): Problem {
  return error instanceof Failure ? error.problem : { code: '', message: String(error) };
}

export function problemNote({ code, message, hint }: Problem, again?: () => void): HTMLElement {
  const button = again && h('button', { type: 'button', class: 'small' }, 'Try again');
  if (button && again) button.addEventListener('click', again);
  return h('div', { class: 'problem', role: 'alert' },
    h('p', {}, code !== '' && h('code', {}, visible(code)), code !== '' && ' ', visibleLines(message)),
    hint !== undefined && h('p', { class: 'hint' }, visibleLines(hint)),
    button);
}

/** Line ends stay; style.css shows them. */
function visibleLines(text: string): string {
  return text.split('\n').map((line) => (line === '' ? '' : visible(line))).join('\n');
}

const FOCUSABLE = 'a[href], button, input, select, textarea, summary, [tabindex]';

/**
 * Exchanges what is in an element. Where the same is there again, focus, what was opened and where it was scrolled to stay; and the page does not jump
 * while charts are drawn.
 */
export function swap(element: HTMLElement, ...children: readonly Child[]): void {
  const all = (selector: string): HTMLElement[] => [...element.querySelectorAll<HTMLElement>(selector)];
  const focused = all(FOCUSABLE).indexOf(document.activeElement as HTMLElement);
  const summary = (details: HTMLElement): string => details.firstElementChild?.textContent ?? '';
  const opened = all('details').map((details) => ((details as HTMLDetailsElement).open ? summary(details) : undefined));
  const scrolled = all('.scroll').map(({ scrollTop, scrollLeft }) => ({ scrollTop, scrollLeft }));
  element.style.minHeight = `${element.offsetHeight}px`;
  element.replaceChildren(...children.filter((child): child is Node | string => child !== undefined && child !== false));
  all('details').forEach((details, at) => (details as HTMLDetailsElement).open = opened[at] === summary(details));
  all('.scroll').forEach((box, at) => Object.assign(box, scrolled[at]));
  if (focused >= 0) all(FOCUSABLE)[focused]?.focus({ preventScroll: true });
  requestAnimationFrame(() => requestAnimationFrame(() => element.style.removeProperty('min-height')));
}
