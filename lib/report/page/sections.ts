/** What a report says besides its charts: the headline, key figures, inputs, files, options. */
import type { RunReport } from '../report.ts';
import { h, outside, visible, type Child } from '../../page/dom.ts';
import { count, decimal, moment, number, percent, seconds, size } from '../../page/format.ts';
import { table } from '../../page/table.ts';

export function headline({ run, startedAt, version, summary, result, options }: RunReport): HTMLElement {
  const { rows, state } = summary;
  const where = options.groupBy === 'user' ? count(result.rows, 'user') : `${count(result.rows, 'row')} in ${count(result.regions.count, 'region')}`;
  const all = state && state.logs !== rows.counted ? ` With ${count(state.commit - 1, 'earlier commit')} that is ${count(state.logs, 'log')} in all.` : '';
  return h('header', {},
    h('p', { class: 'eyebrow' }, `etl-stream ${visible(version)}, run `, h('code', {}, visible(run))),
    h('h1', {}, `Run of ${moment(startedAt)}`),
    h('p', { class: 'lead' },
      `Read ${count(rows.read, 'row')} from ${count(summary.inputs, 'input')} in ${seconds(summary.seconds)} and counted ${number(rows.counted)}.${all} Published ${where} to `, outside(summary.output), '.'),
    balance(summary));
}

/** A bar of what became of the rows: the key figures say it in words. */
function balance({ rows }: RunReport['summary']): HTMLElement | undefined {
  if (rows.read === 0) return undefined;
  const part = (name: string, of: number): HTMLElement => {
    const element = h('span', { class: name });
    element.style.flexGrow = String(of / rows.read);
    return element;
  };
  return h('div', { class: 'balance', 'aria-hidden': 'true' }, ...(['counted', 'duplicates', 'rejected'] as const).filter((name) => rows[name] > 0).map((name) => part(name, rows[name])));
}

export function keyFigures({ summary, memory, result }: RunReport): HTMLElement {
  const { rows, spill, state, spark } = summary;
  const of = (part: number): string => `${percent(part, rows.read)} of rows`;
  const figures: [name: string, figure: string, note: string, kind?: string][] = [
    ['Read', number(rows.read), `rows, ${size(summary.bytes)} of text`],
    ['Counted', number(rows.counted), of(rows.counted), 'counted'],
    ['Duplicates', number(rows.duplicates), of(rows.duplicates), 'duplicates'],
    ['Rejected', number(rows.rejected), of(rows.rejected), 'rejected'],
    ['Watch time', decimal(result.total), `of ${count(result.logs, 'log')}`],
    ['Users', number(summary.users), `in ${count(summary.regions, 'region')}`],
    ['Inputs', number(summary.inputs), state && state.knownInputs > 0 ? `${number(state.knownInputs)} counted before` : `${size(summary.inputBytes)} read`],
    ['Time', seconds(summary.seconds), spark ? `on Spark, ${count(spark.cores, 'core')}` : `with ${count(summary.jobs, 'job')}`],
    ['Speed', `${number(Math.round(summary.megabytesPerSecond))} MB/s`, `${number(Math.round(summary.rowsPerSecond))} rows/s`],
    ['Peak memory', size(memory.peakBytes), spark ? `of the driver, ${size(memory.limitBytes)} of heap` : `of ${size(memory.limitBytes)}`],
    ['Spilled', spill.bytes === 0 ? 'nothing' : size(spill.bytes), spill.bytes === 0 ? 'all fit memory' : spark ? 'by Spark' : `to ${count(spill.files, 'temporary file')}`],
    ['Output', size(summary.outputBytes), `${count(summary.files, 'file')}, ${count(summary.groups, 'row')}`],
  ];
  return h('dl', { class: 'figures' }, ...figures.map(([name, figure, note, kind]) => h('div', kind ? { class: kind } : {}, h('dt', {}, name), h('dd', {}, h('strong', {}, figure), h('span', {}, note)))));
}

export function warnings({ warnings }: RunReport): HTMLElement | undefined {
  if (warnings.length === 0) return undefined;
  return h('section', { class: 'warnings', 'aria-labelledby': 'warnings' },
    h('h2', { id: 'warnings' }, count(warnings.length, 'warning')),
    h('ul', {}, ...warnings.map((warning) => h('li', {}, outside(warning)))));
}

export function inputs({ inputs: { count: all, listed }, summary: { state } }: RunReport): Child[] {
  const reasons = (by: Readonly<Record<string, number>>): string => Object.entries(by).map(([reason, rows]) => `${number(rows)} ${visible(reason)}`).join(', ');
  return [
    h('p', {}, `${count(all, 'input')} read${all > listed.length ? `, the first ${number(listed.length)} of them here; the rest is in the report's JSON` : ''}.`,
      state && state.knownInputs > 0 && ` ${count(state.knownInputs, 'input')} had been counted by earlier runs and had not changed.`),
    table('Inputs of the run', [{ name: 'Input' }, { name: 'Content' }, { name: 'Size', isFigure: true }, { name: 'Rows', isFigure: true }, { name: 'Rejected', isFigure: true }, { name: 'Reasons' }],
      listed.map(({ name, content, bytes, rows, rejected, rejectedBy }) => [
        outside(name), content ?? 'pipe', bytes === null ? '' : size(bytes), number(rows), number(rejected), reasons(rejectedBy),
      ])),
  ];
}

export function files({ files: { count: all, listed }, summary }: RunReport): Child[] {
  return [
    h('p', {}, `${count(all, 'Parquet file')}, ${size(summary.outputBytes)}, ${count(summary.groups, 'row')}`,
      all > listed.length ? `; the first ${number(listed.length)} of them here, all in ` : '; also in ', h('code', {}, '_etl/dataset.json'), '.'),
    h('details', {}, h('summary', {}, 'Show the files'),
      table('Files of the output', [{ name: 'File' }, { name: 'Rows', isFigure: true }, { name: 'Size', isFigure: true }], listed.map(({ path, rows, bytes }) => [outside(path), number(rows), size(bytes)]))),
  ];
}

/** Options in effect, and where it ran. */
export function circumstances(report: RunReport): Child[] {
  const { options, machine, node, version, run, summary, memory, endedAt, startedAt } = report;
  const { state, runs, spill, spark } = summary;
  const rows = (of: readonly (readonly [string, unknown])[]) => of.map(([name, value]) => [name, outside(shown(value))]);
  return [h('div', { class: 'beside' },
    table('Options in effect', [{ name: 'Option' }, { name: 'Value' }], rows(Object.entries(options).filter(([, value]) => value !== null))),
    table('Where and how it ran', [{ name: 'Fact' }, { name: 'Value' }], rows([
      ['run', run], ['started', startedAt], ['ended', endedAt], ['etl-stream', version], ['Node', node],
      ['machine', `${machine.platform} ${machine.arch}, ${count(machine.processors, 'processor')}, ${size(machine.memoryBytes)}`],
      ['parser', summary.parser],
      ['IP database', `${summary.geoDatabase.type}, ${summary.geoDatabase.buildDate}`],
      ...(spark ? [['Spark', `${spark.version} at ${spark.master}, ${count(spark.cores, 'core')}, ${spark.application}`], ['spilled', size(spill.bytes)]] as const : [
        ['sorted runs', `${number(runs.made)} made, ${number(runs.spilled)} spilled, ${count(runs.merges, 'merge')}`],
        ['spilled', `${size(spill.bytes)}, ${count(spill.rows, 'row')}, ${count(spill.splits, 'split')}`],
      ] as const),
      ['empty lines', number(summary.emptyLines)],
      ...(state ? [['state', `${state.folder}, commit ${number(state.commit)}, ${count(state.knownInputs, 'known input')}`] as const] : []),
    ]))),
    Object.keys(memory.budget).length > 0 && h('details', {}, h('summary', {}, 'Show the shares of memory'),
      table('Shares of memory', [{ name: 'Share' }, { name: 'Value', isFigure: true }], Object.entries(memory.budget).map(([name, value]) => [name, typeof value === 'number' ? number(value) : String(value)]))),
  ];
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join(', ') || 'none';
  if (typeof value === 'object' && value !== null) return Object.entries(value).map(([name, inner]) => `${name}: ${shown(inner)}`).join(', ') || 'none';
  return typeof value === 'number' ? number(value) : String(value);
}
