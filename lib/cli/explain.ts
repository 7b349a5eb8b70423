/** `etl-stream [inputs...] --explain`: what a run would do. It is what was asked for, so it goes to stdout. */
import { count, number, size } from '../core/figures.ts';
import { explain, type ExplainedInput, type Explanation, type RunOptions, type ShareName } from '../index.ts';
import { EXIT_DONE, untilSignalled } from './exit.ts';
import { printable, printableJson } from './printable.ts';
import { table, wrapped } from './table.ts';

/** Inputs, and names of columns and rules, that are shown to a person. */
const SHOWN = 20;
const WIDTH = 80;
const LABEL = 12;
const LONGEST_NAME = 48;
/** Bytes of a share. */
const SHOWN_FROM = 50_000;

export async function explainCommand(options: RunOptions, { json }: { readonly json?: boolean | undefined }): Promise<number> {
  const explanation = await untilSignalled((signal) => explain(options, { signal }));
  process.stdout.write(json ? `${printableJson(explanation)}\n` : formatExplanation(explanation));
  return EXIT_DONE;
}

/** As text for a person, at most 80 columns wide but for what is longer in one word; ends in a line break. */
export function formatExplanation(explanation: Explanation): string {
  const { inputs, partitions, parts, parser, rejects, rules } = explanation;
  const isNothing = inputs.length === 0;
  const lines = [
    ...entry('would', wouldOf(explanation)),
    ...(isNothing ? [] : ['', ...inputLines(inputs), '']),
    ...formsOf(explanation).flatMap(({ dialect, columns }) => [...entry('dialect', dialect), ...entry('columns', columns)]),
    ...entry('value', valueOf(explanation)),
    ...(isNothing ? [] : entry('parser', PARSERS[parser])),
    ...entry('jobs', jobsOf(explanation)),
    ...(partitions === undefined ? [] : entry('partitions', number(partitions))),
    ...entry('memory', memoryOf(explanation)),
    ...shareLines(explanation),
    ...(isNothing ? [] : entry('spill', spillOf(explanation))),
    ...(parts.length > 1 ? entry('parts', `${number(parts.length)}, each ends with a commit: the first reads ${count(parts[0]!.inputs, 'input')}, ${size(parts[0]!.bytes)}; what is said of memory and jobs is said of it`) : []),
    ...entry('temporary', temporaryOf(explanation)),
    ...entry('state', stateOf(explanation)),
    ...entry('output', outputOf(explanation)),
    ...entry('regions', regionsOf(explanation)),
    ...entry('rejects', `at most ${rejects.limit}${rejects.limit.endsWith('%') ? ' of all rows' : ' rows'}; a malformed row: ${rejects.onError}; written as ${rejects.format}`),
    ...entry('rules', firstOf(rules)),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function wouldOf({ inputs, knownInputs, bytes, output }: Explanation): string {
  const known = knownInputs.length === 0 ? '' : `${count(knownInputs.length, 'input')} ${knownInputs.length === 1 ? 'was' : 'were'} counted before: left out`;
  if (inputs.length === 0) return `read nothing: ${known}`;
  const pipes = inputs.filter((input) => input.bytes === undefined).length;
  const files = inputs.length - pipes;
  const read = [...(files > 0 ? [`${count(files, 'file')}, ${size(bytes)} on the disk`] : []), ...(pipes > 0 ? [`${count(pipes, 'pipe')}, unknown until read`] : [])];
  return `read ${read.join(', and ')}, and publish the totals at ${output.folder}${known === '' ? '' : `; ${known}`}`;
}

function inputLines(inputs: readonly ExplainedInput[]): string[] {
  const rows = inputs.slice(0, SHOWN).map(({ name, bytes, content, encoding }) => [
    short(printable(name)),
    content === undefined ? 'pipe' : content === 'transcoded' ? (encoding === 'auto' ? 'UTF-16' : encoding) : content === 'text' ? 'UTF-8' : content,
    bytes === undefined ? '' : size(bytes),
  ]);
  const rest = inputs.length - SHOWN;
  return [...table([['input', 'content', 'size'], ...rows], 2), ...(rest > 0 ? [`and ${number(rest)} more: --json has all`] : [])].map((line) => `  ${line}`);
}

/** Dialects and columns, each with the inputs that have them. */
function formsOf({ inputs, columns: { id, user, ip, value } }: Explanation): { dialect: string; columns: string }[] {
  const roles: Readonly<Record<string, string>> = { [id]: 'id', [user]: 'user', [ip]: 'IP address', [value]: 'value' };
  const forms = new Map<string, ExplainedInput[]>();
  for (const input of inputs) {
    const form = JSON.stringify([input.dialect, input.isGuessed, input.columns]);
    forms.set(form, [...forms.get(form) ?? [], input]);
  }
  return [...forms.values()].slice(0, SHOWN).map((alike) => {
    const { name, dialect, isGuessed, columns } = alike[0]!;
    const others = alike.length === 1 ? '' : ` and ${number(alike.length - 1)} more`;
    const names = columns?.map((column) => (roles[column] === undefined ? column : `${column} (${roles[column]})`));
    return {
      dialect: `${dialect ?? 'unknown until it is read'}${isGuessed ? ', guessed' : ''}${forms.size === 1 ? '' : ` (${name}${others})`}`,
      columns: names === undefined ? 'unknown until it is read' : names.length === 0 ? 'none: it is empty' : firstOf(names),
    };
  });
}

function valueOf({ valueScale, columns }: Explanation): string {
  return valueScale === undefined ? 'decimal places are unknown until the pipe is read' : `${columns.value} with ${count(valueScale, 'decimal place')}`;
}

const PARSERS: Readonly<Record<Explanation['parser'], string>> = {
  kernel: 'the kernel',
  'csv-parse': 'csv-parse, in one thread, some 15 MB/s: the kernel takes one-byte delimiters and quotes, doubled quotes, and no --comment',
};

const FEWER: Readonly<Record<NonNullable<Explanation['jobs']['fewer']>, string>> = {
  parser: 'csv-parse takes one thread',
  small: 'so little input is done before threads have started',
  memory: 'the memory is for no more',
  ids: 'with more, known ids of a partition would not fit',
  regions: 'the IP database leaves memory for no more',
};

function jobsOf({ jobs: { asked, from, got, fewer, isCertain }, inputs }: Explanation): string {
  if (inputs.length === 0) return 'one';
  const asking = from === 'option' ? `--jobs ${number(asked)}` : `${count(asked, 'processor')}`;
  return `${number(got)} (${asking})${fewer && got < asked ? `: ${FEWER[fewer]}` : ''}${isCertain ? '' : '; one, if the pipe turns out to be short'}`;
}

function memoryOf({ memory: { limit, from, available } }: Explanation): string {
  const half = `half of the ${size(available)} that the ${from} has, from 128 MB to 2 GB`;
  const why = { option: '--memory', machine: half, 'control group': half, least: 'the least that a run takes here' }[from];
  return `${size(limit)}: ${why}${limit > available ? `. That is more than there is, ${size(available)}: the system may kill the run` : ''}`;
}

const SHARES: Readonly<Record<ShareName, string>> = {
  process: 'the process before the run',
  heap: 'heap and code',
  state: 'the state: LevelDB, index of ids',
  decompression: 'decompression',
  encoder: 'Parquet encoder',
  threads: 'heaps and stacks of threads',
  regions: 'names and files of regions',
  'linear tables': 'linear memory: blocks, tables, buffers',
  'linear pages': 'linear memory: pages of rows and groups',
  'linear main': 'linear memory of the main thread',
  'linear threads': 'linear memory of all other threads',
  left: 'left over',
};

function shareLines({ memory: { shares } }: Explanation): string[] {
  if (shares.length === 0) return [];
  return table(shares.filter(({ bytes }) => bytes >= SHOWN_FROM).map(({ name, bytes }) => [SHARES[name], size(bytes)]), 1).map((line) => `${' '.repeat(LABEL)}${line}`);
}

function spillOf({ rows }: Explanation): string {
  if (!rows) return 'unknown until the inputs are read';
  const { count: all, bytes, kept, spilled } = rows;
  const some = `by a sample, some ${number(all)} rows take ${size(bytes)}, and ${size(kept)} can stay in memory`;
  return spilled === 0 ? `none expected: ${some}` : `about ${size(spilled)}: ${some}`;
}

function temporaryOf({ temp: { folder, free, most } }: Explanation): string {
  return `${folder}${free === undefined ? '' : `: ${size(free)} free`}${most === undefined ? '' : `, at most ${size(most)} of it (--max-spill)`}`;
}

function stateOf({ state }: Explanation): string {
  if (!state) return 'none: all inputs are read, and nothing is kept for later runs';
  const { folder, commit, isAfresh, ids, forgets } = state;
  if (isAfresh) return `${folder}: ${count(commit, 'commit')}, given up (--overwrite)`;
  if (commit === 0) return `${folder}: begun by this run`;
  return `${folder}: ${count(commit, 'commit')}, ${count(ids, 'id')} known${forgets === 0 ? '' : `, ${number(forgets)} forgotten (--dedup-window)`}`;
}

const EFFECTS: Readonly<Record<Explanation['output']['effect'], string>> = {
  new: 'nothing is there yet',
  replaced: 'what is there is replaced, when the new one is complete',
  continued: 'what is counted before and what is new is published together',
  published: 'it lacks what was committed, which is published',
  kept: 'it stays as it is',
};

function outputOf({ output: { folder, effect, groupBy, compression } }: Explanation): string {
  return `${folder}: ${EFFECTS[effect]}; by ${groupBy}, ${compression}`;
}

function regionsOf({ geoDatabase }: Explanation): string {
  if (!geoDatabase) return 'the IP database is not needed';
  const { path, type, buildDate, regions } = geoDatabase;
  return `${number(regions)}, by the IP database ${path}: ${type}, built ${buildDate.slice(0, 10)}`;
}

/** Names, the first ones if there are many. */
function firstOf(names: readonly string[]): string {
  const rest = names.length - SHOWN;
  return `${names.slice(0, SHOWN).join(', ')}${rest > 0 ? ` and ${number(rest)} more` : ''}`;
}

/** The end of a long path says more than its beginning. */
function short(name: string): string {
  return name.length > LONGEST_NAME ? `…${name.slice(1 - LONGEST_NAME)}` : name;
}

/** A label, and text wrapped beside it. */
function entry(label: string, text: string): string[] {
  const [first = '', ...rest] = wrapped(printable(text), { indent: LABEL, width: WIDTH });
  return [label.padEnd(LABEL) + first, ...rest];
}
