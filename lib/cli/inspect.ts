/** `etl-stream inspect <output>`: what a dataset is, as aligned text of 80 columns where names are not too long for it, or as JSON. */
import { count, grouped, number, size } from '../core/figures.ts';
import { letHeapGrow } from '../core/resident.ts';
import { inspectDataset, type DatasetInspection, type InspectedFile } from '../index.ts';
import { EXIT_DONE } from './exit.ts';
import { printable, printableJson } from './printable.ts';
import { moment, table } from './table.ts';

export interface InspectFlags {
  readonly json?: boolean;
}

/** Regions that are shown to a person, and characters of their names. */
const SHOWN = 20;
const NAME = 28;
/** Runs that are shown, the last ones. */
const RUNS = 10;

export async function inspectCommand([output = '']: readonly string[], { json }: InspectFlags): Promise<number> {
  letHeapGrow();
  const inspection = await inspectDataset(output);
  process.stdout.write(json ? `${printableJson(inspection)}\n` : formatInspection(inspection));
  return EXIT_DONE;
}

/** Ends in a line break. */
export function formatInspection(inspection: DatasetInspection): string {
  const parts = [overview(inspection), schema(inspection), regions(inspection), runs(inspection)].filter((lines) => lines.length > 0);
  return parts.map((lines) => lines.map((line) => `${line}\n`).join('')).join('\n');
}

function overview({ output, version, engine, state, geoDatabase, read, totals, compression, files }: DatasetInspection): string[] {
  const { rowGroups, bytes, rows, logs, watchTime } = totals;
  const largest = files.reduce<InspectedFile | undefined>((most, file) => (most && most.bytes >= file.bytes ? most : file), undefined);
  const smallest = files.reduce<InspectedFile | undefined>((least, file) => (least && least.bytes <= file.bytes ? least : file), undefined);
  const named = ({ path, rows: of, bytes: in_ }: InspectedFile): string => `${short(path, 40)}, ${count(of, 'row')}, ${size(in_)}`;
  return table([
    ['dataset', printable(output)],
    ['written by', `etl-stream ${printable(version)}${engine === 'spark' ? ', on Apache Spark' : ''}`],
    ['geo database', `${printable(geoDatabase.type)}, built ${printable(geoDatabase.buildDate.slice(0, 10))}`],
    ...stateRows(state, engine),
    ['read', `${count(read.read, 'row')}: ${number(read.counted)} counted, ${count(read.duplicates, 'duplicate')}, ${number(read.rejected)} rejected`],
    ['totals', `${count(rows, 'row')}, ${count(logs, 'log')}, watch time ${grouped(watchTime)}`],
    ['files', `${number(files.length)}, ${size(bytes)}, ${count(rowGroups, 'row group')}${compression.length === 0 ? '' : `, ${printable(compression.join(', '))}`}`],
    ...(largest && smallest && largest !== smallest ? [['  largest', named(largest)], ['  smallest', named(smallest)]] : []),
  ], 2);
}

function stateRows(state: DatasetInspection['state'], engine: DatasetInspection['engine']): string[][] {
  if (!state) return [['state', engine === 'spark' ? 'none: Spark keeps none' : 'none']];
  return [
    ['state', `commit ${number(state.commit)} of ${printable(state.id)}`],
    ['', `${printable(state.folder)}${state.isThere ? '' : ' is not there'}`],
  ];
}

function schema({ columns, groupBy, sortedBy, partitionedBy, inputColumns, valueScale }: DatasetInspection): string[] {
  const from: Readonly<Record<string, string | undefined>> = {
    user_id: inputColumns.user, total_watch_time: `sum of ${inputColumns.value}`, log_count: `different ${inputColumns.id}`, geo_region: `from ${inputColumns.ip}`,
  };
  const cells = (name: string, type: string): string[] => [printable(name), printable(type), short(from[name] ?? '', 40)];
  const about = [
    groupBy === 'region' ? 'a row for each region and user' : 'a row for each user, with the region that has most of it',
    `sorted by ${sortedBy.join(', ')}`,
    ...(valueScale > 0 ? [count(valueScale, 'decimal place')] : []),
  ];
  return [
    ...table([['column', 'type', 'what'], ...columns.map(({ name, type }) => cells(name, type)), ...partitionedBy.map((name) => cells(name, 'name of folder'))], 3),
    about.join('; '),
  ];
}

function regions({ regions: all }: DatasetInspection): string[] {
  if (all.length === 0) return [];
  const rows = all.slice(0, SHOWN).map(({ region, rows: of, logs, watchTime, share, bytes }) => [
    region === '' ? '(empty)' : short(region, NAME), number(of), number(logs), grouped(watchTime), `${(100 * share).toFixed(1)} %`, ...(bytes === undefined ? [] : [size(bytes)]),
  ]);
  const heads = ['region', 'rows', 'logs', 'watch time', 'share', ...(all[0]!.bytes === undefined ? [] : ['on disk'])];
  const rest = all.length - rows.length;
  return [...table([heads, ...rows], 1), ...(rest > 0 ? [`and ${count(rest, 'region')} with less: --json has all`] : [])];
}

function runs({ runs: all, damagedReports }: DatasetInspection): string[] {
  const shown = all.slice(-RUNS).map(({ startedAt, inputs, rows, seconds }) => [
    printable(moment(startedAt)), ...[inputs, rows.read, rows.counted, rows.duplicates, rows.rejected].map(number), seconds.toFixed(1),
  ]);
  const earlier = all.length - shown.length;
  return [
    ...(shown.length > 0 ? table([['run (UTC)', 'inputs', 'read', 'counted', 'duplicates', 'rejected', 'seconds'], ...shown], 1) : []),
    ...(earlier > 0 ? [`and ${number(earlier)} earlier: --json has all`] : []),
    ...damagedReports.map((file) => `_etl/reports/${short(file, 40)} is no report`),
  ];
}

/** The beginning of a name that is too long for its column. */
function short(text: string, most: number): string {
  const characters = [...printable(text)];
  return characters.length <= most ? characters.join('') : `${characters.slice(0, most - 3).join('')}...`;
}
