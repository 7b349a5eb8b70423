/** What `explain` says: plain data, which `--explain --json` prints as it is. Sizes are in bytes, paths absolute unless they were named by the caller. */
import type { ColumnNames, Encoding } from '../core/options.ts';
import type { Content } from '../source/content.ts';
import type { FewerJobs } from './decisions.ts';

export interface ExplainedInput {
  readonly name: string;
  /** On the disk; undefined: a pipe, of which nothing is known until it is read. */
  readonly bytes: number | undefined;
  /** By its first bytes: text in UTF-8, text in another encoding, or compressed; undefined: a pipe. */
  readonly content: Content | undefined;
  /** As it was said; `auto`: by a byte order mark, else UTF-8. */
  readonly encoding: Encoding;
  /** In words: delimiter, quote, header; undefined: a pipe's, which is guessed when it is read. */
  readonly dialect: string | undefined;
  /** Nothing was said of it, and it was guessed by the input's beginning. */
  readonly isGuessed: boolean;
  /** Names, in order; undefined: unknown until it is read. */
  readonly columns: readonly string[] | undefined;
}

/** Who gets a share of the memory. `left`: what nobody needs. */
export type ShareName =
  | 'process' | 'heap' | 'state' | 'decompression' | 'encoder' | 'threads' | 'regions' | 'linear tables' | 'linear pages' | 'linear main' | 'linear threads' | 'left';

export interface Explanation {
  readonly version: string;
  /** Those that a run would read, in order. */
  readonly inputs: readonly ExplainedInput[];
  /** Those that earlier runs have counted, and that have not changed. */
  readonly knownInputs: readonly { readonly name: string; readonly bytes: number }[];
  /** Of all inputs that would be read, pipes aside. */
  readonly bytes: number;
  /** Which columns are the id, the user, the address and the value. */
  readonly columns: ColumnNames;
  /** Decimal places of the value; undefined: a pipe says. */
  readonly valueScale: number | undefined;
  readonly parser: 'kernel' | 'csv-parse';
  readonly memory: {
    readonly limit: number;
    /** `least`: the default would be less than a run needs. */
    readonly from: 'option' | 'machine' | 'control group' | 'least';
    /** What the machine or the control group has. */
    readonly available: number;
    /** They add up to the limit. Empty when nothing would be read. */
    readonly shares: readonly { readonly name: ShareName; readonly bytes: number }[];
  };
  readonly jobs: {
    readonly asked: number;
    readonly from: 'option' | 'processors';
    readonly got: number;
    readonly fewer: FewerJobs | undefined;
    /** false: one, if pipes turn out to be short. */
    readonly isCertain: boolean;
  };
  /** Slices of the ids; undefined when nothing would be read. */
  readonly partitions: number | undefined;
  /** What rows take that are kept by partition, at their most; undefined: unknown, since a pipe is read, or nothing. An estimate by a sample. */
  readonly rows: {
    readonly count: number;
    readonly bytes: number;
    /** So many of these bytes can stay in memory: more, and all of them go to temporary files. */
    readonly kept: number;
    readonly spilled: number;
  } | undefined;
  /** Each ends with a commit; one without a state. */
  readonly parts: readonly { readonly inputs: number; readonly bytes: number }[];
  /** What the run would continue from; undefined without a state. */
  readonly state: {
    readonly folder: string;
    readonly isThere: boolean;
    /** Of the last one; 0: none. */
    readonly commit: number;
    /** What was counted is given up. */
    readonly isAfresh: boolean;
    readonly ids: number;
    /** Ids that are forgotten by the run. */
    readonly forgets: number;
  } | undefined;
  readonly temp: { readonly folder: string; /** undefined: the system does not say. */ readonly free: number | undefined; readonly most: number | undefined };
  readonly output: {
    readonly folder: string;
    /**
     * What is there now, and what becomes of it. `new`: nothing is there. `replaced`: by this run's dataset. `continued`: replaced by one with
     * what it has and what is new. `published`: it lacks what is committed, which is published. `kept`: nothing is new.
     */
    readonly effect: 'new' | 'replaced' | 'continued' | 'published' | 'kept';
    readonly groupBy: string;
    readonly compression: string;
  };
  /** undefined when nothing would be read. */
  readonly geoDatabase: { readonly path: string; readonly type: string; readonly buildDate: string; readonly regions: number } | undefined;
  readonly rejects: { readonly limit: string; readonly onError: string; readonly format: string };
  /** As `--rule` has them, the default bounds of the value included. */
  readonly rules: readonly string[];
}
