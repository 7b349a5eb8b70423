import { count, number, size } from '../core/figures.ts';
import { isUrl } from '../core/options.ts';
import type { GroupBy, Summary } from '../index.ts';
import { printable } from './printable.ts';
import { wrapped } from './table.ts';

const LABEL = 11;
/** What a row of the result is. */
const DEFAULT_GROUP: GroupBy = 'region';

/** The summary as aligned text for a person, ending in a line break. `groupBy`: what the run was told. */
export function formatSummary(summary: Summary, groupBy: GroupBy = DEFAULT_GROUP): string {
  const { state } = summary;
  if (state && summary.inputs === 0) {
    const again = state.isRepublished ? '; the output was not there, and is published again' : '';
    return `nothing new: ${count(state.knownInputs, 'input')} ${state.knownInputs === 1 ? 'was' : 'were'} counted before, ${number(state.logs)} logs by ${count(state.commit, 'commit')}: ${printable(summary.output)}${again}\n`;
  }
  if (state?.isUnchanged) {
    return `nothing new: ${count(summary.rows.read, 'row')} read, all counted or rejected before, ${number(state.logs)} logs by ${count(state.commit, 'commit')}: ${printable(summary.output)}\n`;
  }
  const { read, duplicates, rejected, counted } = summary.rows;
  const of = (part: number): string => (read === 0 ? '' : `${((100 * part) / read).toFixed(2)} %`);
  const rows: [string, string, string][] = [
    ['read', number(read), `${number(summary.inputs)} ${summary.inputs === 1 ? 'input' : 'inputs'}, ${size(summary.bytes)}`],
    ['duplicates', number(duplicates), of(duplicates)],
    ['rejected', number(rejected), rejected === 0 ? '' : `${of(rejected)}: ${reasons(summary)}, see ${summary.output}/${summary.rejectsFile}${scaleHint(summary)}`],
    ['counted', number(counted), of(counted)],
    ['users', number(summary.users), ''],
    ['regions', number(summary.regions), summary.unknownRegion === 0 ? '' : `${number(summary.unknownRegion)} logs without a region are in ZZ`],
    ['seconds', summary.seconds.toFixed(2), `${number(Math.round(summary.megabytesPerSecond))} MB/s, ${number(Math.round(summary.rowsPerSecond))} rows/s`],
    ['peak RSS', size(summary.memory.peakRss), `of ${size(summary.memory.limit)}`],
    ['output', number(summary.groups), `${summary.groups === 1 ? 'row' : 'rows'} in ${count(summary.files, 'file')}, ${size(summary.outputBytes)}: ${summary.output}`],
  ];
  const { spill, runs, leftBehind, parser, spark } = summary;
  if (parser === 'csv-parse') {
    rows[0]![2] += ', parsed by csv-parse, one thread, some 15 MB/s: the kernel takes one-byte delimiters and quotes, doubled quotes, and no --comment';
  }
  if (state) {
    const known = state.knownInputs === 0 ? '' : `, ${count(state.knownInputs, 'input')} counted before`;
    rows.splice(4, 0, ['in all', number(state.logs), `logs by ${count(state.commit, 'commit')}${known}: ${state.folder}`]);
    if (state.forgotten > 0) rows.splice(5, 0, ['forgot', number(state.forgotten), 'ids that were counted before the --dedup-window: logs that come with them again count again']);
  }
  if (spark) {
    rows.splice(-2, 1, ['driver', size(summary.memory.peakRss), `resident, ${size(summary.memory.limit)} of heap`], ['spark', number(spark.cores), `${spark.cores === 1 ? 'core' : 'cores'} of Spark ${spark.version} at ${spark.master}`]);
  }
  if (spill.bytes > 0) {
    const what = [count(spill.rows, 'row'), count(spill.splits, 'split'), count(runs.spilled, 'run'), count(runs.merges, 'merge')];
    rows.splice(-1, 0, ['spilled', size(spill.bytes), spark ? 'by Spark' : `to ${count(spill.files, 'temporary file')}: ${what.filter((part) => !part.startsWith('0 ')).join(', ')}`]);
  }
  if (leftBehind.length > 0) {
    rows.push(['removed', number(leftBehind.length), `${leftBehind.length === 1 ? 'folder' : 'folders'} that killed runs left: ${leftBehind.join(', ')}`]);
  }
  const width = Math.max(...rows.map(([, figure]) => figure.length));
  return aligned(rows, width) + whatNext(summary, groupBy);
}

function aligned(rows: readonly (readonly [string, string, string])[], width: number): string {
  return rows.map(([label, figure, note]) => {
    const text = printable(note);
    // Reasons are many; a path is one word, and nobody wants to look for it in the next line.
    const lines = label === 'rejected' ? wrapped(text, { indent: LABEL + width + 2 }) : [text];
    return `${label.padEnd(LABEL)}${figure.padStart(width)}  ${lines.join('\n')}`.trimEnd() + '\n';
  }).join('');
}

/** Where to look, how to query it, and what to look at twice. */
function whatNext({ output, report, groups }: Summary, groupBy: GroupBy): string {
  const lines: string[] = [];
  if (report) lines.push(entry('report', printable(`${output}/${report.page}`)));
  // Queries are of this machine. Quotes and what a pattern or a shell takes for its own would need more of them than anybody can read.
  if (groups > 0 && !isUrl(output) && /^[\w./@%+,:=][\w./@%+,:=-]*$/.test(output)) lines.push(...query(output, groupBy));
  for (const warning of report?.warnings ?? []) {
    const [first = '', ...rest] = wrapped(printable(warning), { indent: LABEL });
    lines.push(entry('warning', first), ...rest);
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** In two lines, for most terminals: a shell takes it as it stands. */
function query(output: string, groupBy: GroupBy): string[] {
  const [select, rest] = groupBy === 'region'
    ? ['SELECT geo_region, sum(total_watch_time)', 'FROM watch_time GROUP BY 1 ORDER BY 2 DESC']
    : ['SELECT user_id, total_watch_time', 'FROM watch_time ORDER BY 2 DESC LIMIT 10'];
  return [entry('query', `etl-stream query ${output} "${select}`), entry('', `${rest}"`)];
}

function entry(label: string, text: string): string {
  return `${label.padEnd(LABEL)}${text}`;
}

function reasons(summary: Summary): string {
  return Object.entries(summary.rejectedBy).map(([code, rows]) => `${number(rows)} ${code}`).join(', ');
}

/** Decimals in a later input than the first are the one kind of reject that an option can mend. */
function scaleHint({ rejectedBy, valueScale }: Summary): string {
  return rejectedBy.value_precision ? `; values had ${valueScale} decimal places at the start, see --value-scale` : '';
}
