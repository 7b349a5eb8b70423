/**
 * A chart as a figure: its heading, a sentence that says what it shows, the drawing, and the same as a table. It is drawn anew
 * when its width changes. A screen reader is told the sentence and can open the table; the drawing is one picture to it.
 */
import { h, type Child } from './dom.ts';

/** Draws at a width in pixels. */
export type Draw = (width: number) => Element;

export interface Chart {
  readonly title: string;
  /** One sentence. */
  readonly message: string;
  readonly draw: readonly Draw[];
  /** Between heading and drawing. */
  readonly legend?: Child;
  readonly table: HTMLElement;
}

export function chart({ title, message, draw, legend, table }: Chart): HTMLElement {
  return h('figure', {},
    h('figcaption', {}, h('h3', {}, title), h('p', {}, message)),
    legend,
    picture(`${title}: ${message}`, ...draw),
    h('details', {}, h('summary', {}, 'Show as a table'), table));
}

/** Drawings that are one picture to a screen reader, which says what it shows: one sentence. */
export function picture(label: string, ...draw: readonly Draw[]): HTMLElement {
  const drawing = h('div', { class: 'drawing', role: 'img', 'aria-label': label });
  let width = 0;
  const redraw = (): void => {
    const now = Math.floor(drawing.clientWidth);
    if (now === width || now === 0) return;
    width = now;
    drawing.replaceChildren(...draw.map((one) => one(width)));
  };
  new ResizeObserver(redraw).observe(drawing);
  return drawing;
}
