/**
 * Whether a dataset is what a run published, and what its state says, where it has one that can be looked at: all of check-dataset.ts,
 * and all of check-state.ts. A state that a run has at the moment is left alone; the dataset is looked at without it.
 *
 * A dataset that is replaced meanwhile is looked at again: what was found of the one before may be its removal.
 */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EtlError } from '../core/errors.ts';
import { defaultState } from '../core/options.ts';
import { isOfSpark } from '../dataset/replaceable.ts';
import { readStateMark } from '../dataset/state-mark.ts';
import { DATABASE_FOLDER } from '../state/open-state.ts';
import { checkDataset, type DatasetFound } from './check-dataset.ts';
import { checkOpenState, type StateCheck } from './check-state.ts';
import { datasetAt, type DatasetPlace } from './dataset-place.ts';
import { withState } from './inspect.ts';

/** What to verify. */
export interface VerifyOptions {
  /** The dataset's folder. */
  readonly output: string;
  /** The state's folder. Default: `.<name>.state` beside the output, if it is there; false: the dataset alone. */
  readonly state?: string | false | undefined;
}

/** What became of the state. */
export type VerifiedState =
  /** It has none, or was to be looked at alone. */
  | { readonly is: 'none' }
  /** The dataset says that it has one, which is not where it should be: it was not looked at. */
  | { readonly is: 'elsewhere'; readonly folder: string }
  /** A run has it: it was not looked at. */
  | { readonly is: 'locked'; readonly folder: string; readonly message: string }
  /** It cannot be opened; a problem says why. */
  | { readonly is: 'damaged'; readonly folder: string }
  | { readonly is: 'verified'; readonly folder: string } & Omit<StateCheck['checked'], 'dataset'>;

/** What `verifyDataset` found. */
export interface Verification {
  /** Absolute, as are all folders. */
  readonly output: string;
  /** Sentences. None: nothing is wrong. */
  readonly problems: readonly string[];
  /** What of the dataset was gone over and is good. */
  readonly dataset: DatasetFound;
  readonly state: VerifiedState;
}

/** Looks again so often. */
const MOST_LOOKS = 5;

/**
 * Goes over all of a dataset and its state. Throws ETL_INPUT_NOT_FOUND when there is no dataset, ETL_STATE_READ when a state that was
 * named is not there, or cannot be read; ETL_STATE_WRITE, ETL_USAGE, ETL_MEMORY.
 */
export async function verifyDataset({ output, state }: VerifyOptions): Promise<Verification> {
  const folder = state === false ? undefined : state ?? await stateBeside(output);
  if (folder === undefined) return withoutState(output, state === false ? undefined : defaultState(output));
  try {
    return await withState({ output, state: folder }, async (open, path) => {
      const { problems, checked: { dataset, ...checked } } = await checkOpenState(open, path);
      return { output: path, problems, dataset, state: { is: 'verified', folder: open.folder, ...checked } };
    });
  } catch (error) {
    if (!(error instanceof EtlError)) throw error;
    const { code, message } = error;
    if (code !== 'ETL_STATE_LOCKED' && code !== 'ETL_STATE_DAMAGED') throw error;
    const { problems, ...alone } = await withoutState(output, undefined);
    return code === 'ETL_STATE_LOCKED'
      ? { ...alone, problems, state: { is: 'locked', folder: resolve(folder), message } }
      : { ...alone, problems: [message, ...problems], state: { is: 'damaged', folder: resolve(folder) } };
  }
}

/** `missing`: where its state should be and is not. */
async function withoutState(output: string, missing: string | undefined): Promise<Verification> {
  let place = await datasetAt(output);
  for (let looks = 1; ; looks++) {
    const problems: string[] = [];
    const tell = (problem: string): void => void problems.push(problem);
    const mark = await readStateMark(place.folder).catch((error: EtlError) => tell(error.message));
    const dataset = await checkDataset({ folder: place.folder, hasState: mark !== undefined, tell });
    const now = await datasetAt(output).catch(() => undefined);
    if (problems.length === 0 || !now || isSame(now, place) || looks === MOST_LOOKS) {
      return { output: resolve(output), problems, dataset, state: mark && missing !== undefined ? { is: 'elsewhere', folder: missing } : { is: 'none' } };
    }
    place = now;
  }
}

function isSame(a: DatasetPlace, b: DatasetPlace): boolean {
  return a.folder === b.folder && a.made === b.made;
}

/** The state where a run puts it by default; undefined when there is none, or when what Spark has written since stands in its place. */
async function stateBeside(output: string): Promise<string | undefined> {
  if (typeof output !== 'string' || output === '') return undefined; // said by who looks for the dataset
  const folder = defaultState(output);
  const isThere = await stat(join(folder, DATABASE_FOLDER)).then(() => true, () => false);
  return isThere && !(await isOfSpark(output)) ? folder : undefined;
}
