/** Whether a state, the dataset at a run's output and the run's options belong together, and what the run then goes on from. */
import { EtlError } from '../core/errors.ts';
import type { JobOptions } from '../core/options.ts';
import { readStateMark, type StateMark } from '../dataset/state-mark.ts';
import type { Head } from '../state/records.ts';
import { committed, idOf, schemaOf, type Committed } from './state-content.ts';

export interface ToAgree {
  readonly options: JobOptions;
  /** The state's. */
  readonly folder: string;
  /** Its last commit. */
  readonly head: Head | undefined;
  /** Of the dataset at the output: which commit of which state it is. */
  readonly mark: StateMark | undefined;
  /** Something is there. */
  readonly outputExists: boolean;
}

export interface Standing {
  /** The last commit; undefined when there is none, or when the run begins afresh. */
  readonly last: Committed | undefined;
  /** What the state has counts no more. */
  readonly isAfresh: boolean;
  /** The dataset is not what the last commit says. */
  readonly isUnpublished: boolean;
}

/** What a run goes on from, in the `first` of its parts or a later one. Throws ETL_STATE_MISMATCH, ETL_STATE_DAMAGED, ETL_OUTPUT_EXISTS. */
export function standingOf(all: ToAgree, first: boolean): Standing {
  const { options: { overwrite }, head, mark } = all;
  if (first && !overwrite) assertAgree(all);
  const afresh = overwrite && first;
  const last = head && !afresh ? committed(head) : undefined;
  return { last, isAfresh: afresh && head !== undefined, isUnpublished: last !== undefined && mark?.commit !== last.commit };
}

/** Of the dataset at `path`; with `overwrite` one that says nothing is none. Throws ETL_OUTPUT_EXISTS. */
export async function markAt(path: string, { overwrite }: JobOptions): Promise<StateMark | undefined> {
  return readStateMark(path).catch((error: unknown) => {
    if (!overwrite) throw error;
    return undefined;
  });
}

function assertAgree({ options, folder, head, mark, outputExists }: ToAgree): void {
  const { output } = options;
  if (mark && mark.state !== (head && idOf(head))) {
    throw mismatch(`The dataset ${output} was not made with the state ${folder}`, 'Name its own state with --state, or another output with -o. If that state is gone, --overwrite begins afresh.');
  }
  if (!head) return;
  if (mark && mark.commit > head.commit) {
    throw new EtlError('ETL_STATE_DAMAGED', `The dataset ${output} is commit ${mark.commit} of the state ${folder}, whose last commit is ${head.commit}.`, {
      hint: 'The state went back: put back the folder that belongs to the dataset, or rebuild both from all logs with --overwrite.',
    });
  }
  if (!mark && outputExists) {
    throw new EtlError('ETL_OUTPUT_EXISTS', `The output ${output} exists already, and was not made with the state ${folder}.`, {
      hint: 'Add --overwrite to begin afresh, with all inputs. Or name another output with -o and this state with --state: what it has is published there.',
    });
  }
  const { columns, groupBy, valueScale } = schemaOf(head);
  for (const role of Object.keys(columns) as (keyof typeof columns)[]) {
    if (columns[role] !== options.columns[role]) throw differs(`--${role}-column`, columns[role]);
  }
  if (groupBy !== options.groupBy) throw differs('--group-by', groupBy);
  if (options.valueScale !== undefined && options.valueScale !== valueScale) throw differs('--value-scale', valueScale);
}

function differs(option: string, value: string | number): EtlError {
  return mismatch(`Earlier runs over this state had ${option} ${JSON.stringify(value)}`, 'Give the same, or rebuild the dataset from all logs with --overwrite.');
}

function mismatch(what: string, hint: string): EtlError {
  return new EtlError('ETL_STATE_MISMATCH', `${what}.`, { hint });
}
