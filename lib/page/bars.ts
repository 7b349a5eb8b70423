/** Bars that lie, from top to bottom, with a label each before and a figure after. */
import { barX, pointer, ruleX, text, tip } from '@observablehq/plot';
import { drawn } from './drawing.ts';

const MOST_LABEL = 26;

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Exactly. */
  readonly told: string;
  readonly title: string;
  readonly isRest?: boolean;
}

/** Bars with a label each, from top to bottom; equal labels are bars of their own. */
export function bars(of: readonly Bar[], color: string): (width: number) => Element {
  return (width) => {
    const places = of.map((_, place) => place);
    const most = width < 500 ? 14 : MOST_LABEL;
    const label = (place: number): string => cut(of[place]!.label, most);
    const widest = Math.max(0, ...places.map((place) => label(place).length));
    return drawn({
      width, height: 24 * of.length + 8, marginLeft: 16 + 7 * widest, marginRight: 24 + 7 * Math.max(0, ...of.map(({ told }) => told.length)), marginBottom: 4, marginTop: 4,
      x: { axis: null }, y: { domain: places, label: null, tickSize: 0, tickFormat: label },
      marks: [
        barX(of, { x: 'value', y: (_: Bar, place: number) => place, fill: ({ isRest }: Bar) => (isRest ? 'var(--muted)' : color), insetTop: 2, insetBottom: 2, rx: 2 }),
        text(of, { x: ({ value }: Bar) => Math.max(value, 0), y: (_: Bar, place: number) => place, text: 'told', textAnchor: 'start', dx: 6, fill: 'var(--ink)' }),
        ruleX([0], { stroke: 'var(--muted)' }),
        tip(of, pointer({ x: 'value', y: (_: Bar, place: number) => place, title: 'title', fill: 'var(--surface)', stroke: 'var(--muted)', lineWidth: 24 })),
      ],
    });
  };
}

/** Not longer than so many characters. */
export function cut(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`;
}
