/** What is published: watch time by region, how totals are distributed, who has the most; and what was rejected. */
import { barX, barY, gridY, pointer, pointerX, ruleX, ruleY, text, tip } from '@observablehq/plot';
import type { RunReport } from '../report.ts';
import { chart } from '../../page/chart.ts';
import { drawn } from '../../page/drawing.ts';
import { h, outside, visible } from '../../page/dom.ts';
import { compact, count, decimal, number, percent, regionName } from '../../page/format.ts';
import { table } from '../../page/table.ts';

const SHOWN_REGIONS = 20;
const MOST_LABEL = 26;

interface Bar {
  readonly label: string;
  readonly value: number;
  /** Exactly. */
  readonly told: string;
  readonly title: string;
  readonly isRest?: boolean;
}

/** Bars with a label each, from top to bottom; equal labels are bars of their own. */
function bars(of: readonly Bar[], color: string): (width: number) => Element {
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

/** None where nothing was counted. */
export function results(report: RunReport): HTMLElement[] {
  if (report.result.rows === 0) return [h('p', {}, 'Nothing was counted.')];
  return [regions(report), topUsers(report), distribution(report)];
}

function regions({ result, options, summary }: RunReport): HTMLElement {
  const { count: all, listed } = result.regions;
  const byUser = options.groupBy === 'user';
  const shown = listed.length > SHOWN_REGIONS + 1 ? listed.slice(0, SHOWN_REGIONS) : listed;
  const share = (total: string): string => percent(Number(total), Number(result.total));
  const named = (region: string): string => [region, regionName(region)].filter((part) => part !== undefined).join(' ');
  const spoken = (region: string): string => (regionName(region) === undefined ? visible(region) : `${regionName(region)} (${region})`);
  const rest = Number(result.total) - shown.reduce((sum, { total }) => sum + Number(total), 0);
  const data: Bar[] = shown.map(({ region, total }) => ({
    label: visible(named(region)), value: Number(total), told: share(total), title: `${visible(named(region))}\n${decimal(total)}`,
  }));
  if (shown.length < all) {
    const label = `${number(all - shown.length)} others`;
    const told = rest.toFixed(summary.valueScale);
    data.push({ label, value: rest, told: share(told), title: `${label}\n${decimal(told)}`, isRest: true });
  }
  const first = listed[0]!;
  return chart({
    title: byUser ? 'Watch time by main region of users' : 'Watch time by region',
    message: `${spoken(first.region)} has the most, ${decimal(first.total)} of ${decimal(result.total)} (${share(first.total)})${byUser ? ', where all of a user counts for the main region' : ''}.`,
    draw: [bars(data, 'var(--accent)')],
    table: table('Watch time by region', [{ name: 'Region' }, { name: 'Name' }, { name: 'Watch time', isFigure: true }, { name: 'Share', isFigure: true }, { name: 'Logs', isFigure: true }, { name: 'Users', isFigure: true }],
      listed.map(({ region, total, logs, rows }) => [outside(region), regionName(region) ?? '', decimal(total), share(total), number(logs), number(rows)])),
  });
}

function distribution({ result, options }: RunReport): HTMLElement {
  const buckets = result.distribution;
  const what = options.groupBy === 'user' ? 'users' : 'users in a region';
  const mode = buckets.reduce((most, bucket) => (most.rows >= bucket.rows ? most : bucket));
  const range = ({ from, to }: (typeof buckets)[0]): string => (isZero(from, to) ? '0' : `${decimal(trimmed(from))} to ${decimal(trimmed(to))}`);
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
        tip(buckets, pointerX({ x: (_: unknown, place: number) => place, y: 'rows', title: (bucket: (typeof buckets)[0]) => `${range(bucket)}\n${number(bucket.rows)} ${what}`, fill: 'var(--surface)', stroke: 'var(--muted)' })),
      ],
    });
  };
  return chart({
    title: 'Distribution of totals',
    message: `Most often a total is ${range(mode)}: that of ${number(mode.rows)} of ${number(result.rows)} ${what}.`,
    draw: [draw],
    table: table('Rows by total', [{ name: 'Watch time' }, { name: 'Rows', isFigure: true }, { name: 'Share', isFigure: true }],
      buckets.map((bucket) => [range(bucket), number(bucket.rows), percent(bucket.rows, result.rows)])),
  });
}

function topUsers({ result, options }: RunReport): HTMLElement {
  const byUser = options.groupBy === 'user';
  const data: Bar[] = result.top.map(({ user, region, total, logs }) => ({
    label: byUser ? visible(user) : `${cut(visible(user), 18)} ${visible(region)}`, value: Number(total), told: compact(Number(total)), title: `${cut(visible(user), 200)}\n${visible(region)}, ${decimal(total)}, ${count(logs, 'log')}`,
  }));
  const first = result.top[0]!;
  return chart({
    title: 'Top users',
    message: `The most, ${decimal(first.total)} by ${count(first.logs, 'log')}, has ${cut(visible(first.user), 40)}${byUser ? '' : ` in ${visible(first.region)}`}.`,
    draw: [bars(data, 'var(--reduce)')],
    table: table('Rows with the most watch time', [{ name: 'User' }, { name: byUser ? 'Main region' : 'Region' }, { name: 'Watch time', isFigure: true }, { name: 'Logs', isFigure: true }],
      result.top.map(({ user, region, total, logs }) => [outside(user), outside(region), decimal(total), number(logs)])),
  });
}

export function rejects({ summary: { rejectedBy, rows, rejectsFile } }: RunReport): HTMLElement {
  const reasons = Object.entries(rejectedBy).sort(([, a], [, b]) => b - a);
  const data: Bar[] = reasons.map(([reason, rejected]) => ({ label: visible(reason), value: rejected, told: number(rejected), title: `${visible(reason)}\n${number(rejected)}, ${percent(rejected, rows.rejected)}` }));
  if (reasons.length === 0) return h('p', { class: 'good' }, 'No row was rejected.');
  const [[reason, most]] = reasons as [[string, number]];
  return chart({
    title: 'Rejects by reason',
    message: `${number(rows.rejected)} of ${count(rows.read, 'row')} (${percent(rows.rejected, rows.read)}) were rejected, ${number(most)} of them for ${visible(reason)}; each stands in ${rejectsFile}.`,
    draw: [bars(data.slice(0, 30), 'var(--bad)')],
    table: table('Rejected rows by reason', [{ name: 'Reason' }, { name: 'Rows', isFigure: true }, { name: 'Share of rejected', isFigure: true }, { name: 'Share of read', isFigure: true }],
      reasons.map(([reason, rejected]) => [outside(reason), number(rejected), percent(rejected, rows.rejected), percent(rejected, rows.read)])),
  });
}

function cut(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`;
}

/** Without decimal places that say nothing. */
function trimmed(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** The bucket of 0 alone: nothing lies between it and the smallest unit. */
function isZero(from: string, to: string): boolean {
  return Number(from) === 0 && /^0?\.?0*1$/.test(to);
}
