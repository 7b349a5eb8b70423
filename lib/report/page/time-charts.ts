/** How fast a run was, and how much memory it had, from its beginning to its end; and how long its phases took. */
import { areaY, barX, gridY, lineY, pointerX, rect, ruleX, ruleY, text, tip, type Markish, type PlotOptions } from '@observablehq/plot';
import type { Phase, Sample } from '../../progress.ts';
import type { RunReport } from '../report.ts';
import { chart } from '../../page/chart.ts';
import { drawn } from '../../page/drawing.ts';
import { h } from '../../page/dom.ts';
import { compact, number, percent, seconds, size } from '../../page/format.ts';
import { table } from '../../page/table.ts';

const PHASES: Readonly<Record<Phase, string>> = { plan: 'look at the inputs', scatter: 'read, parse, locate', reduce: 'deduplicate, add up', publish: 'merge, write files' };
const ORDER = Object.keys(PHASES) as Phase[];
/** What threads count is told so often: over less, a rate says when it was told, and not how fast it was. */
const TOLD_SECONDS = 0.09;
const MOST_STEPS = 120;
const HEIGHT = 190;
const colorOf = (phase: Phase): string => `var(--${phase})`;

/** A stretch of time, and what was done in it by the second. */
interface Step {
  readonly from: number;
  readonly to: number;
  readonly phase: Phase;
  readonly bytes: number;
  readonly rows: number;
  readonly resident: number;
  readonly spilled: number;
}

/** Between two samples, or some of a phase: what ends less than a span after another one of its phase is one with it. */
function stepsOf(samples: readonly Sample[]): Step[] {
  const span = Math.max(TOLD_SECONDS, (samples.at(-1)?.seconds ?? 0) / MOST_STEPS);
  const cuts: Sample[] = samples.slice(0, 1);
  for (const [at, sample] of samples.entries()) {
    const last = cuts.at(-1)!;
    const isLast = samples[at + 1]?.phase !== sample.phase;
    if (sample.seconds <= last.seconds || (!isLast && sample.seconds - last.seconds < span)) continue;
    if (sample.seconds - last.seconds < span && cuts.length > 1 && last.phase === sample.phase) cuts.pop();
    cuts.push(sample);
  }
  return cuts.slice(1).map((sample, at) => {
    const before = cuts[at]!;
    const took = sample.seconds - before.seconds;
    return {
      from: before.seconds, to: sample.seconds, phase: sample.phase, bytes: (sample.bytes - before.bytes) / took, rows: (sample.read - before.read) / took,
      resident: sample.resident, spilled: sample.spilledBytes,
    };
  });
}

/** Stretches of one phase. */
function stretches(steps: readonly Step[]): { from: number; to: number; phase: Phase }[] {
  const found: { from: number; to: number; phase: Phase }[] = [];
  for (const { from, to, phase } of steps) {
    const last = found.at(-1);
    if (last?.phase === phase) last.to = to;
    else found.push({ from, to, phase });
  }
  return found;
}

/** Bands behind a chart over time. */
function bands(steps: readonly Step[]): Markish[] {
  const parts = stretches(steps);
  return [
    rect(parts, { x1: 'from', x2: 'to', fill: ({ phase }: Step) => colorOf(phase), fillOpacity: 0.12 }),
    ruleX(parts.slice(1), { x: 'from', stroke: 'var(--line)' }),
  ];
}

function legend(steps: readonly Step[]): HTMLElement {
  const shown = ORDER.filter((phase) => steps.some((step) => step.phase === phase));
  return h('ul', { class: 'legend' }, ...shown.map((phase) => h('li', { class: phase }, `${phase}: ${PHASES[phase]}`)));
}

function overTime(width: number, label: string, end: number, marks: readonly Markish[], more: PlotOptions = {}): Element {
  return drawn({
    width, height: HEIGHT, marginLeft: 52, marginBottom: 34,
    x: { domain: [0, end], label: 'seconds', labelAnchor: 'right', labelArrow: 'none', ticks: width < 500 ? 5 : 10 },
    y: { label, labelArrow: 'none', tickFormat: compact, ticks: 5, zero: true, nice: true },
    marks: [gridY({ stroke: 'var(--line)', strokeOpacity: 1, ticks: 5 }), ...marks],
    ...more,
  });
}

export function throughput({ samples, summary }: RunReport): HTMLElement {
  const steps = stepsOf(samples);
  if (steps.length === 0) return h('p', {}, 'The run was too short to be looked at while it ran.');
  const end = steps.at(-1)?.to ?? 0;
  const most = Math.max(0, ...steps.map(({ bytes }) => bytes));
  const draw = (label: string, of: (step: Step) => number) => (width: number): Element => overTime(width, label, end, [
    ...bands(steps),
    rect(steps, { x1: 'from', x2: 'to', y1: 0, y2: of, fill: 'var(--accent)', fillOpacity: 0.35 }),
    lineY(steps.flatMap((step) => [{ x: step.from, y: of(step) }, { x: step.to, y: of(step) }]), { x: 'x', y: 'y', stroke: 'var(--accent)', strokeWidth: 1.75 }),
    ruleY([0], { stroke: 'var(--muted)' }),
    tip(steps, pointerX({
      x: ({ from, to }: Step) => (from + to) / 2, y: of, title: (step: Step) => `${seconds(step.to)}, ${step.phase}\n${compact(of(step))} ${label}`, fill: 'var(--surface)', stroke: 'var(--muted)',
    })),
  ]);
  return chart({
    title: 'Throughput',
    message: `The run read ${number(Math.round(summary.megabytesPerSecond))} MB/s of text and ${number(Math.round(summary.rowsPerSecond))} rows/s over its ${seconds(summary.seconds)}, at most ${number(Math.round(most / 1e6))} MB/s.`,
    legend: legend(steps),
    draw: [draw('MB/s', ({ bytes }) => bytes / 1e6), draw('rows/s', ({ rows }) => rows)],
    table: table('Throughput over time', [{ name: 'Until' }, { name: 'Phase' }, { name: 'MB/s', isFigure: true }, { name: 'Rows/s', isFigure: true }],
      steps.map(({ to, phase, bytes, rows }) => [seconds(to), phase, (bytes / 1e6).toFixed(1), number(Math.round(rows))])),
  });
}

/** None without steps: that is said where throughput would be. */
export function memory({ samples, memory: { limitBytes, peakBytes } }: RunReport): HTMLElement | undefined {
  const steps = stepsOf(samples);
  if (steps.length === 0) return undefined;
  const points = samples.map(({ seconds, resident, phase }) => ({ seconds, phase, megabytes: resident / 1e6 }));
  const limit = limitBytes / 1e6;
  const draw = (width: number): Element => overTime(width, 'MB', steps.at(-1)?.to ?? 0, [
    ...bands(steps),
    areaY(points, { x: 'seconds', y: 'megabytes', fill: 'var(--accent)', fillOpacity: 0.35 }),
    lineY(points, { x: 'seconds', y: 'megabytes', stroke: 'var(--accent)', strokeWidth: 1.75 }),
    ruleY([limit], { stroke: 'var(--bad)', strokeWidth: 1.5, strokeDasharray: '6 4' }),
    text([limit], { y: (value: number) => value, frameAnchor: 'right', textAnchor: 'end', dy: -8, text: () => `limit ${size(limitBytes)}`, fill: 'var(--bad)' }),
    ruleY([0], { stroke: 'var(--muted)' }),
    tip(points, pointerX({ x: 'seconds', y: 'megabytes', title: (point: { seconds: number; phase: string; megabytes: number }) => `${seconds(point.seconds)}, ${point.phase}\n${size(point.megabytes * 1e6)}`, fill: 'var(--surface)', stroke: 'var(--muted)' })),
  ], { marginTop: 28 });
  return chart({
    title: 'Memory',
    message: `The process had at most ${size(peakBytes)} resident, ${percent(peakBytes, limitBytes)} of the ${size(limitBytes)} that it may have.`,
    legend: legend(steps),
    draw: [draw],
    table: table('Resident memory over time', [{ name: 'At' }, { name: 'Phase' }, { name: 'Resident', isFigure: true }, { name: 'Spilled to disk', isFigure: true }],
      steps.map(({ to, phase, resident, spilled }) => [seconds(to), phase, size(resident), size(spilled)])),
  });
}

export function phases({ summary }: RunReport): HTMLElement {
  const parts = ORDER.map((phase) => ({ phase, seconds: summary.phases[phase] }));
  const longest = parts.reduce((most, part) => (part.seconds > most.seconds ? part : most));
  const draw = (width: number): Element => drawn({
    width, height: 150, marginLeft: 64, marginRight: 76, marginTop: 6, marginBottom: 6,
    x: { axis: null }, y: { domain: ORDER, label: null, tickSize: 0 },
    marks: [
      barX(parts, { x: 'seconds', y: 'phase', fill: ({ phase }: { phase: Phase }) => colorOf(phase), insetTop: 2, insetBottom: 2, rx: 2 }),
      ruleX([0], { stroke: 'var(--muted)' }),
      text(parts, { x: 'seconds', y: 'phase', text: (part: { seconds: number }) => seconds(part.seconds), textAnchor: 'start', dx: 6, fill: 'var(--ink)' }),
    ],
  });
  return chart({
    title: 'Time by phase',
    message: `The longest phase, ${longest.phase} (${PHASES[longest.phase]}), took ${seconds(longest.seconds)} of ${seconds(summary.seconds)}.`,
    draw: [draw],
    table: table('Seconds by phase', [{ name: 'Phase' }, { name: 'Does' }, { name: 'Time', isFigure: true }, { name: 'Share', isFigure: true }],
      parts.map(({ phase, seconds: took }) => [phase, PHASES[phase], seconds(took), percent(took, summary.seconds)])),
  });
}
