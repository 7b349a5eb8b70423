/**
 * Looks into the state of a dataset without a run. Who does has the state to himself: while a run has it, ETL_STATE_LOCKED.
 *
 * What the state holds is the same before and after, and nothing is written anywhere else. But LevelDB cannot open a
 * database for reading only: opening one moves what its log holds into a table and begins a log and a manifest of its own
 * (db_impl.cc, Recover), pages that a killed run left are removed as any run would do, and `owner.json` is there meanwhile.
 */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EtlError, withCleanupError } from '../core/errors.ts';
import { defaultState, type ColumnNames } from '../core/options.ts';
import { idFileName } from '../dedup/id-files.ts';
import { readStateMark, type StateMark } from '../dataset/state-mark.ts';
import { isThere } from '../dataset/versions.ts';
import type { CommitRecord, Head, InputRecord, RowCounts } from '../state/records.ts';
import { State } from '../state/state.ts';
import { committed, idOf, indexOf, NO_ROWS, schemaOf } from './state-content.ts';
import { assertStateOutside } from './state-folder.ts';

export type { CommitRecord, InputRecord, RowCounts } from '../state/records.ts';

/** Whose state. */
export interface StateOf {
  /** The dataset's folder, there or not. */
  readonly output: string;
  /** The state's folder. Default: where a run puts it, `.<name>.state` beside the output. */
  readonly state?: string | undefined;
}

/**
 * What there is at the output: the dataset of the last commit; that of an earlier one, or nothing (the next run publishes
 * the last); that of a later one (the state went back); or something else, which a run does not touch.
 */
export type Published = 'last' | 'earlier' | 'nothing' | 'later' | 'foreign';

/** A state, as `describeState` gives it. */
export interface StateDescription {
  /** Absolute, as are all paths. */
  readonly folder: string;
  readonly output: string;
  /** What later runs must agree with; undefined before the first commit. */
  readonly schema: { readonly columns: ColumnNames; readonly groupBy: string; readonly valueScale: number } | undefined;
  /** All, the first first. */
  readonly commits: readonly CommitRecord[];
  /** How many inputs were read, standard input aside. */
  readonly inputCount: number;
  /** In order of the commits that read them last, then of the bytes of their paths: all, or the last ones. */
  readonly inputs: readonly InputRecord[];
  /** Of all commits. */
  readonly rows: RowCounts;
  /** Distinct ids that are known, and those that were counted and forgotten. */
  readonly ids: number;
  readonly forgotten: number;
  /** On the disk. A file that is missing has none: `checkState` tells. `perId`: of ids and database, undefined without ids. */
  readonly bytes: { readonly database: number; readonly ids: number; readonly totals: number; readonly rejects: number; readonly perId: number | undefined };
  readonly published: Published;
}

/**
 * What the state of a dataset holds. `lastInputs`: at most so many of its inputs. Throws ETL_STATE_LOCKED, ETL_STATE_READ
 * (there is none), ETL_STATE_DAMAGED, ETL_STATE_WRITE, ETL_USAGE.
 */
export async function describeState(of: StateOf, { lastInputs = Infinity }: { readonly lastInputs?: number } = {}): Promise<StateDescription> {
  return withState(of, async (state, output) => {
    const { head, folder } = state;
    const commits: CommitRecord[] = [];
    for await (const commit of state.commits()) commits.push(commit);
    const { inputs, count } = await inputsOf(state, lastInputs);
    const last = head && committed(head);
    const database = await state.bytes();
    const sizes = (files: readonly { readonly file: string }[]): Promise<number> => sizesOf(files.map(({ file }) => join(folder, file)));
    const ids = head?.ids ?? 0;
    const idBytes = await idBytesOf(state);
    return {
      folder, output, commits, inputs, ids, inputCount: count, forgotten: last?.forgotten ?? 0,
      schema: head && { ...schemaOf(head) },
      rows: last?.rows ?? NO_ROWS,
      bytes: {
        database, ids: idBytes, totals: await sizes(last ? [last.totals] : []), rejects: await sizes(last?.rejects ?? []),
        perId: ids === 0 ? undefined : (database + idBytes) / ids,
      },
      published: await publishedAt(output, head),
    };
  });
}

/** What ids and database take on the disk, in bytes. Throws ETL_STATE_READ. */
export async function stateBytes(state: State): Promise<number> {
  return await state.bytes() + await idBytesOf(state);
}

async function idBytesOf(state: State): Promise<number> {
  return sizesOf(indexOf(state).files().map((file) => join(state.folder, idFileName(file))));
}

/** Opens the state, which must be there, for `work`, which is told the output's absolute path. Throws as describeState does. */
export async function withState<T>({ output, state: named }: StateOf, work: (state: State, output: string) => Promise<T>): Promise<T> {
  for (const [option, path] of [['output', output], ['state', named ?? '-']] as const) {
    if (typeof path !== 'string' || path === '') throw new EtlError('ETL_USAGE', `${option} must be the path of a folder.`);
  }
  const folder = named ?? defaultState(output);
  assertStateOutside(output, folder);
  const state = await State.open(folder);
  let result: T;
  try {
    result = await work(state, resolve(output));
  } catch (error) {
    throw await state.close().then(() => error, (extra: unknown) => withCleanupError(error, extra));
  }
  await state.close();
  return result;
}

/** What is published, by its mark. */
export async function publishedAt(output: string, head: Head | undefined): Promise<Published> {
  let mark: StateMark | undefined;
  try {
    mark = await readStateMark(output);
  } catch {
    return 'foreign'; // its mark says nothing
  }
  if (!mark) return await isThere(output) ? 'foreign' : 'nothing';
  if (!head || mark.state !== idOf(head)) return 'foreign';
  if (mark.commit === head.commit) return 'last';
  return mark.commit < head.commit ? 'earlier' : 'later';
}

/** The last ones by commit, and how many there are; in memory there are never more than twice as many as are wanted. */
async function inputsOf(state: State, most: number): Promise<{ inputs: InputRecord[]; count: number }> {
  const inputs: InputRecord[] = [];
  const cut = (): void => {
    inputs.sort((a, b) => a.commit - b.commit); // stable: of equals, in the order of paths
    if (inputs.length > most) inputs.splice(0, inputs.length - most);
  };
  let count = 0;
  for await (const input of state.inputs()) {
    count++;
    inputs.push(input);
    if (inputs.length > 2 * most + 1000) cut();
  }
  cut();
  return { inputs, count };
}

async function sizesOf(paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(paths.map((path) => stat(path).then(({ size }) => size, () => 0)));
  return sizes.reduce((sum, size) => sum + size, 0);
}
