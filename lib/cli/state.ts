/** `etl-stream state <output>`, and its commands `check`, `compact` and `forget`. What they say goes to stdout, problems to stderr. */
import { count, number, size } from '../core/figures.ts';
import { checkState, compactState, describeState, forgetState, type CommitRecord, type InputRecord, type Published, type StateDescription } from '../index.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit.ts';
import { tellProblem } from './messages.ts';
import { printable, printableJson } from './printable.ts';
import { moment, table } from './table.ts';

export interface StateFlags {
  readonly state?: string;
  readonly json?: boolean;
}

/** Commits and inputs that are shown to a person. */
const SHOWN = 10;

const PUBLISHED: Readonly<Record<Published, string>> = {
  last: 'is that of the last commit',
  earlier: 'is that of an earlier commit: the next run publishes the last one',
  nothing: 'is not there: the next run publishes the last commit',
  later: 'is that of a later commit: the state went back',
  foreign: 'is not of this state',
};

export async function showCommand([output = '']: readonly string[], { state, json }: StateFlags): Promise<number> {
  const description = await describeState({ output, state }, json ? {} : { lastInputs: SHOWN });
  process.stdout.write(json ? `${printableJson(description)}\n` : formatState(description));
  return EXIT_DONE;
}

export async function checkCommand([output = '']: readonly string[], { state, json }: StateFlags): Promise<number> {
  const check = await checkState({ output, state });
  const { problems, checked } = check;
  if (json) process.stdout.write(`${printableJson(check)}\n`);
  for (const problem of problems) tellProblem(problem);
  if (problems.length > 0) return EXIT_FAILED;
  if (json) return EXIT_DONE;
  const { commits, ids, pages, totals, dataset } = checked;
  process.stdout.write(
    `nothing wrong: ${count(commits, 'commit')}, ${count(ids, 'id')} in ${count(pages, 'page')}, ${count(totals, 'row')} of totals; ` +
      `the dataset has the same in ${count(dataset.files, 'file')}, ${size(dataset.bytes)}\n`,
  );
  return EXIT_DONE;
}

export async function compactCommand([output = '']: readonly string[], { state }: StateFlags): Promise<number> {
  const { folder, before, after } = await compactState({ output, state });
  process.stdout.write(`${number(before)} bytes before, ${number(after)} after: ${printable(folder)}\n`);
  return EXIT_DONE;
}

export async function forgetCommand([output = '']: readonly string[], { state, before }: StateFlags & { before: Date }): Promise<number> {
  const { folder, ids, mixed } = await forgetState({ output, state, before });
  const rest = mixed === 0 ? '' : `; ${count(mixed, 'id')} stay, in pages with older and newer ones`;
  process.stdout.write(`${count(ids, 'id')} forgotten that were counted before ${day(before)}${rest}: ${printable(folder)}\n`);
  return EXIT_DONE;
}

/** The state as aligned text for a person, ending in a line break. */
export function formatState({ folder, output, commits, inputs, inputCount, ids, forgotten, rows, bytes, published }: StateDescription): string {
  const perId = bytes.perId === undefined ? '' : `, ${bytes.perId.toFixed(1)} bytes an id`;
  const lines = table([
    ['state', printable(folder)],
    ['dataset', `${printable(output)} ${commits.length === 0 && published === 'nothing' ? 'is not there' : PUBLISHED[published]}`],
    ['commits', number(commits.length)],
    ['rows', `${number(rows.read)} read, ${number(rows.counted)} counted, ${count(rows.duplicates, 'duplicate')}, ${number(rows.rejected)} rejected`],
    ['ids', `${number(ids)}${forgotten === 0 ? '' : `, and ${number(forgotten)} forgotten`}`],
    ['inputs', number(inputCount)],
    ['on disk', `ids ${size(bytes.ids)}, LevelDB ${size(bytes.database)}${perId}`],
    ['', `totals ${size(bytes.totals)}, rejects ${size(bytes.rejects)}`],
  ], 2);
  const shown = commits.slice(-SHOWN);
  if (shown.length > 0) lines.push('', ...table([COMMIT_HEADS, ...shown.map(commitCells)], 2), ...rest(commits.length - shown.length));
  if (inputs.length > 0) lines.push('', ...table([INPUT_HEADS, ...inputs.map(inputCells)], 1), ...rest(inputCount - inputs.length));
  return lines.map((line) => `${line}\n`).join('');
}

const COMMIT_HEADS = ['commit', 'when (UTC)', 'inputs', 'read', 'counted', 'duplicates', 'rejected'];

function commitCells({ commit, when, inputs, rows }: CommitRecord): string[] {
  return [number(commit), moment(when), ...[inputs, rows.read, rows.counted, rows.duplicates, rows.rejected].map(number)];
}

const INPUT_HEADS = ['input', 'commit', 'when (UTC)', 'rows', 'bytes'];

function inputCells({ path, commit, when, rows, size: bytes }: InputRecord): string[] {
  return [printable(path), number(commit), moment(when), number(rows), number(bytes)];
}

/** Midnight is the day that begins with it. */
function day(moment: Date): string {
  return moment.toISOString().replace('T00:00:00.000Z', '');
}

function rest(earlier: number): string[] {
  return earlier > 0 ? [`and ${number(earlier)} earlier: --json has all`] : [];
}
