/**
 * Runs over time, the oldest left: what became of their rows, how much watch time there was after each, how fast they were and how much
 * memory they had. Every run has one place, whatever time lies between two of them: so one, two and a hundred runs can be read, and
 * charts that stand above one another compare. Places are labelled by the time of their run.
 */
import { barY, gridY, pointerX, ruleY, stackY, tickY, tip, type Markish } from '@observablehq/plot';
import { chart } from '../../page/chart.ts';
import { h } from '../../page/dom.ts';
import { drawn } from '../../page/drawing.ts';
import { compact, count, decimal, moment, number, percent, seconds, size } from '../../page/format.ts';
import { table, type Column } from '../../page/table.ts';
import type { Run } from '../api.ts';

const HEIGHT = 210;
/** Pixels that a label of two lines takes, and a run at most. */
const LABEL = 62;
const MOST_PLACE = 110;
const AXIS = 52;
/** So many the server tells of, the last ones. */
const MOST_RUNS = 100;
const FATES = ['counted', 'duplicates', 'rejected'] as const;
const COLOURS = { counted: 'var(--accent)', duplicates: 'var(--duplicates)', rejected: 'var(--bad)' } as const;

/** Of a region that is picked: its code, and how it is called in a sentence. */
export interface Picked {
  readonly region: string;
  readonly called: string;
}

/** Of at least one run. */
export function runCharts(runs: readonly Run[], picked: Picked | undefined): HTMLElement[] {
  return [rows(runs), watchTime(runs, picked), speed(runs), memory(runs)];
}

function rows(runs: readonly Run[]): HTMLElement {
  const parts = runs.flatMap(({ rows }, place) => FATES.map((fate) => ({ place, fate, rows: rows[fate] })));
  const sum = (of: 'read' | (typeof FATES)[number]): number => runs.reduce((all, { rows }) => all + rows[of], 0);
  const was = (of: (typeof FATES)[number], what: string): string => `${number(sum(of))} ${sum(of) === 1 ? 'was' : 'were'} ${what}`;
  return chart({
    title: 'Rows by run',
    message: `${subject(runs)} read ${count(sum('read'), 'row')}: ${was('counted', 'counted')}, ${was('duplicates', sum('duplicates') === 1 ? 'a duplicate' : 'duplicates')} and ${was('rejected', 'rejected')}.`,
    legend: h('ul', { class: 'legend' }, ...FATES.map((fate) => h('li', { class: fate }, fate))),
    draw: [overRuns(runs, 'rows', {
      top: ({ rows }) => rows.read,
      title: ({ rows: { read, counted, duplicates, rejected } }) => `${count(read, 'row')} read\n${number(counted)} counted\n${count(duplicates, 'duplicate')}\n${number(rejected)} rejected`,
      marks: [barY(parts, stackY({ x: 'place', y: 'rows', fill: ({ fate }: (typeof parts)[0]) => COLOURS[fate], order: parts.map(({ fate }) => FATES.indexOf(fate)) }))],
    })],
    table: runTable('Rows by run', runs, ['Inputs', 'Read', 'Counted', 'Duplicates', 'Rejected'],
      ({ inputs, rows: { read, counted, duplicates, rejected } }) => [inputs, read, counted, duplicates, rejected].map(number)),
  });
}

/** What a dataset had after each; of a region, of those runs whose reports tell of it. */
function watchTime(runs: readonly Run[], picked: Picked | undefined): HTMLElement {
  const total = (run: Run): string | undefined => (picked === undefined ? run.watchTime : Object.hasOwn(run.regions, picked.region) ? run.regions[picked.region] : undefined);
  const where = picked === undefined ? '' : ` in ${picked.called}`;
  const title = 'Watch time after runs';
  const telling = runs.filter((run) => total(run) !== undefined);
  if (telling.length === 0) return h('figure', {}, h('figcaption', {}, h('h3', {}, title), h('p', {}, `No report tells of watch time${where}.`)));
  const [first, last] = [total(telling[0]!)!, total(telling.at(-1)!)!];
  const untold = telling.length < runs.length ? ` Of ${count(runs.length, 'report')} ${number(telling.length)} ${telling.length === 1 ? 'tells' : 'tell'} of it.` : '';
  return chart({
    title,
    message: `After the last run there were ${decimal(last)}${where}${telling.length > 1 ? `, after the first ${decimal(first)}` : ''}.${untold}`,
    draw: [overRuns(runs, 'watch time', {
      top: (run) => Number(total(run) ?? 0),
      title: (run) => decimal(total(run) ?? 'not told'),
      marks: [bars(runs, (run) => Number(total(run) ?? 0), 'var(--accent)')],
    })],
    table: runTable(title, runs, ['Watch time'], (run) => [decimal(total(run) ?? 'not told')]),
  });
}

function speed(runs: readonly Run[]): HTMLElement {
  const last = runs.at(-1)!;
  const rate = ({ megabytesPerSecond: of }: Run): string => `${of < 10 ? Number(of.toPrecision(2)) : number(Math.round(of))}\u00a0MB/s`;
  const fastest = runs.reduce((most, run) => (run.megabytesPerSecond > most.megabytesPerSecond ? run : most));
  return chart({
    title: 'Speed by run',
    message: `The ${runs.length === 1 ? '' : 'last '}run read ${rate(last)} of text, ${number(Math.round(last.rowsPerSecond))} rows/s, and took ${seconds(last.seconds)}${fastest === last ? '' : `; the fastest read ${rate(fastest)}`}.`,
    draw: [overRuns(runs, 'MB/s', {
      top: ({ megabytesPerSecond }) => megabytesPerSecond,
      title: (run) => `${rate(run)}\n${compact(run.rowsPerSecond)} rows/s\n${seconds(run.seconds)}`,
      marks: [bars(runs, ({ megabytesPerSecond }) => megabytesPerSecond, 'var(--scatter)')],
    })],
    table: runTable('Speed by run', runs, ['Time', 'MB/s', 'Rows/s'],
      ({ seconds: took, megabytesPerSecond, rowsPerSecond }) => [seconds(took), megabytesPerSecond.toFixed(1), number(Math.round(rowsPerSecond))]),
  });
}

function memory(runs: readonly Run[]): HTMLElement {
  const { peak, limit } = runs.reduce((most, run) => (run.memory.peak > most.memory.peak ? run : most)).memory;
  return chart({
    title: 'Memory by run',
    message: `${runs.length === 1 ? 'The run' : 'The largest run'} had at most ${size(peak)} resident, ${percent(peak, limit)} of the ${size(limit)} that it was allowed.`,
    legend: h('ul', { class: 'legend' }, h('li', { class: 'reduce' }, 'peak'), h('li', { class: 'limit' }, 'limit')),
    draw: [overRuns(runs, 'MB', {
      top: ({ memory: { peak } }) => peak / 1e6,
      title: ({ memory: { peak, limit } }) => `${size(peak)}\nof ${size(limit)}`,
      marks: [
        bars(runs, ({ memory: { peak } }) => peak / 1e6, 'var(--reduce)'),
        tickY(runs, { x: places, y: ({ memory: { limit } }: Run) => limit / 1e6, stroke: 'var(--bad)', strokeWidth: 2 }),
      ],
    })],
    table: runTable('Memory by run', runs, ['Peak', 'Limit', 'Share'], ({ memory: { peak, limit } }) => [size(peak), size(limit), percent(peak, limit)]),
  });
}

interface Drawing {
  /** Where a run's tip points to, and what stands in it below the run's time. */
  readonly top: (run: Run) => number;
  readonly title: (run: Run) => string;
  readonly marks: readonly Markish[];
}

function overRuns(runs: readonly Run[], label: string, { top, title, marks }: Drawing): (width: number) => Element {
  const labels = labelsOf(runs);
  return (available) => {
    const width = Math.min(available, AXIS + 20 + MOST_PLACE * runs.length);
    const every = Math.ceil(runs.length / Math.max(1, (width - AXIS - 20) / LABEL));
    return drawn({
      width, height: HEIGHT, marginLeft: AXIS, marginRight: 20, marginBottom: 40, marginTop: 26,
      x: { domain: runs.map((_, place) => place), label: null, tickSize: 0, padding: runs.length > 40 ? 0.1 : 0.25, tickFormat: (place: number) => ((runs.length - 1 - place) % every === 0 ? labels[place] : '') },
      y: { label, labelArrow: 'none', tickFormat: compact, ticks: 5, zero: true, nice: true },
      marks: [
        gridY({ stroke: 'var(--line)', strokeOpacity: 1, ticks: 5 }),
        ...marks,
        ruleY([0], { stroke: 'var(--muted)' }),
        tip(runs, pointerX({ x: places, y: top, title: (run: Run) => `${moment(run.startedAt)}\n${title(run)}`, fill: 'var(--surface)', stroke: 'var(--muted)', lineWidth: 24 })),
      ],
    });
  };
}

function places(_: unknown, place: number): number {
  return place;
}

function bars(runs: readonly Run[], of: (run: Run) => number, fill: string): Markish {
  return barY(runs, { x: places, y: of, fill, rx: 2 });
}

function runTable(label: string, runs: readonly Run[], figures: readonly string[], of: (run: Run) => readonly string[]): HTMLElement {
  const columns: Column[] = [{ name: 'Run' }, ...figures.map((name) => ({ name, isFigure: true }))];
  return table(label, columns, runs.map((run) => [moment(run.startedAt), ...of(run)]));
}

function subject(runs: readonly Run[]): string {
  return runs.length === 1 ? 'The run' : `The ${runs.length >= MOST_RUNS ? 'last ' : ''}${number(runs.length)} runs`;
}

/** Day and time, UTC, in two lines; to the second where two runs began in one minute. */
function labelsOf(runs: readonly Run[]): string[] {
  const minutes = runs.map(({ startedAt }) => startedAt.slice(0, 16));
  const hasSeconds = minutes.some((minute, place) => minute === minutes[place - 1]);
  return runs.map(({ startedAt }) => {
    const date = new Date(startedAt);
    const day = date.toLocaleDateString('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short' });
    return `${day}\n${date.toLocaleTimeString('en-GB', { timeZone: 'UTC', hour: '2-digit', minute: '2-digit', ...(hasSeconds && { second: '2-digit' }) })}`;
  });
}
