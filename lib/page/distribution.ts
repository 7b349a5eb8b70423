/** How many rows have how large a total, by buckets that grow with them. */
import { barY, gridY, pointerX, ruleY, tip } from '@observablehq/plot';
import { chart } from './chart.ts';
import { drawn } from './drawing.ts';
import { compact, decimal, number, percent } from './format.ts';
import { table } from './table.ts';

/** Decimal texts; the bound that is nearer to 0 is included. */
export interface Bucket {
  readonly from: string;
  readonly to: string;
  readonly rows: number;
}

/** `all`: rows of all buckets; `what` they are, in the plural; `where`, as in ` in France (FR)`. */
export function distribution(buckets: readonly Bucket[], all: number, what: string, where = ''): HTMLElement {
  const mode = buckets.reduce((most, bucket) => (most.rows >= bucket.rows ? most : bucket));
  const range = ({ from, to }: Bucket): string => (isZero(from, to) ? '0' : `${decimal(trimmed(from))} to ${decimal(trimmed(to))}`);
  const draw = (width: number): Element => {
    const every = Math.ceil(buckets.length / (width / 46));
    return drawn({
      width: Math.min(width, 90 + 110 * buckets.length), height: 240, marginLeft: 52, marginBottom: 44, marginTop: 24,
      x: { domain: buckets.map((_, place) => place), label: 'watch time, from', labelArrow: 'none', labelAnchor: 'right', padding: 0.08, tickSize: 0, tickFormat: (place: number) => (place % every === 0 ? compact(Number(buckets[place]!.from)) : '') },
      y: { label: what, labelArrow: 'none', tickFormat: compact, ticks: 5 },
      marks: [
        gridY({ stroke: 'var(--line)', strokeOpacity: 1, ticks: 5 }),
        barY(buckets, { x: (_: unknown, place: number) => place, y: 'rows', fill: 'var(--accent)', rx: 2 }),
        ruleY([0], { stroke: 'var(--muted)' }),
        tip(buckets, pointerX({ x: (_: unknown, place: number) => place, y: 'rows', title: (bucket: Bucket) => `${range(bucket)}\n${number(bucket.rows)} ${what}`, fill: 'var(--surface)', stroke: 'var(--muted)' })),
      ],
    });
  };
  return chart({
    title: `Distribution of totals${where}`,
    message: `Most often a total is ${range(mode)}: that of ${number(mode.rows)} of ${number(all)} ${what}.`,
    draw: [draw],
    table: table('Rows by total', [{ name: 'Watch time' }, { name: 'Rows', isFigure: true }, { name: 'Share', isFigure: true }],
      buckets.map((bucket) => [range(bucket), number(bucket.rows), percent(bucket.rows, all)])),
  });
}

/** Without decimal places that say nothing. */
function trimmed(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** The bucket of 0 alone: nothing lies between it and the smallest unit. */
function isZero(from: string, to: string): boolean {
  return Number(from) === 0 && /^0?\.?0*1$/.test(to);
}
