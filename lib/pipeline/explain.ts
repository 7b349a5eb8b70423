/**
 * Says what a run would do, and does none of it: nothing is written, made, moved, removed or locked, no thread is started, and pipes are
 * neither read nor waited for. It decides as a run does, by the same code (decisions.ts) and in the same order, so that what a run would
 * fail with before its first row, and what it would say of a header, is thrown here, too.
 */
import { dirname, resolve } from 'node:path';
import { newCounters } from '../core/counters.ts';
import { EtlError } from '../core/errors.ts';
import type { JobOptions } from '../core/options.ts';
import { availableProcessors } from '../core/processors.ts';
import { limitText } from '../core/reject-limit.ts';
import { Resources } from '../core/resources.ts';
import { packageVersion } from '../core/version.ts';
import { Staging, standsAt } from '../dataset/staging.ts';
import { freeSpace } from '../dataset/temp-folder.ts';
import { isThere } from '../dataset/versions.ts';
import type { InputFile } from '../source/inputs.ts';
import { lookInto } from '../source/look-into.ts';
import type { JobContext } from './base.ts';
import { partsOf } from './checkpoints.ts';
import { Decisions, memoryLimit } from './decisions.ts';
import { explainInputs } from './explain-inputs.ts';
import { limitOf, rowsOf, sharesOf } from './explain-memory.ts';
import { findGround, type Ground } from './explain-state.ts';
import type { Explanation } from './explanation.ts';
import { allEmpty, inputsOf } from './job-inputs.ts';
import { newInputs } from './new-inputs.ts';
import { processBefore } from './process-before.ts';

type ExplainContext = Pick<JobContext, 'signal' | 'limits' | 'threadsFrom'>;

/** Rejects with what a run would fail with; ETL_ABORTED when `signal` stopped it. */
export async function explainJob(options: JobOptions, context: ExplainContext = {}): Promise<Explanation> {
  const { signal } = context;
  const resources = new Resources();
  let explanation: Explanation | undefined;
  let failure: unknown;
  try {
    signal?.throwIfAborted();
    explanation = await new Explainer(options, context, resources).explain();
  } catch (error) {
    failure = signal?.aborted ? new EtlError('ETL_ABORTED', 'The explanation was stopped.', { cause: signal.reason }) : error;
  }
  failure = await resources.close(failure);
  if (failure !== undefined || !explanation) throw failure;
  return explanation;
}

class Explainer {
  readonly #options: JobOptions;
  readonly #context: ExplainContext;
  readonly #resources: Resources;

  constructor(options: JobOptions, context: ExplainContext, resources: Resources) {
    this.#options = options;
    this.#context = context;
    this.#resources = resources;
  }

  async explain(): Promise<Explanation> {
    const [options, context] = [this.#options, this.#context];
    const { state, output, overwrite, checkpoint, sniff, valueScale } = options;
    const process = await processBefore(options);
    const listed = await inputsOf(options);
    const ground = state === undefined ? undefined : await findGround({ ...options, state }, this.#resources);
    const fresh = ground ? [...(await newInputs(listed, ground.ledger)).keys()] : listed;
    if (ground && fresh.length === 0) return this.#nothingNew(listed, ground);

    const parts = ground ? partsOf(fresh, checkpoint) : [fresh];
    const first = parts[0]!.map((input, number) => ({ ...input, number }));
    const decided = await Decisions.about({ options, context, process }, first, ground);
    const { linear } = decided.budget;
    await Staging.check(output, { overwrite: overwrite || ground?.last !== undefined });
    const temp = await this.#temp();
    const survey = await decided.survey({ resources: this.#resources, counters: newCounters() }, { skipsPipes: true });
    const { table, found } = survey;
    const looked = [...decided.inputs, ...await lookInto(parts.slice(1).flat())];
    const inputs = await explainInputs(looked, options, { windowBytes: decided.windowBytes, signal: context.signal });
    if (!ground?.last && inputs.every(({ columns }) => columns?.length === 0)) throw allEmpty(fresh);

    const asksPipe = first.some(({ size }) => size === undefined) && (sniff || found === undefined);
    const { jobs, limit, partitionBits } = decided.budget;
    return {
      ...await this.#common(listed, fresh, ground), temp, inputs,
      valueScale: ground?.last?.scale ?? valueScale ?? found?.scale ?? (asksPipe ? undefined : 0),
      parser: decided.parser,
      memory: { ...limitOf(limit, options), shares: sharesOf(decided, linear, survey) },
      jobs: { ...this.#asked(), got: jobs, fewer: decided.fewerJobs, isCertain: jobs === 1 || !asksPipe },
      partitions: 2 ** partitionBits,
      rows: rowsOf(decided, survey),
      parts: parts.map((part) => ({ inputs: part.length, bytes: bytesOf(part) })),
      geoDatabase: { ...table.database, regions: table.regions.length },
    };
  }

  /** Every input was counted before. */
  async #nothingNew(listed: readonly InputFile[], ground: Ground): Promise<Explanation> {
    return {
      ...await this.#common(listed, [], ground), temp: await this.#temp(), inputs: [], valueScale: ground.last!.scale, parser: 'kernel',
      memory: { ...limitOf(memoryLimit(this.#options), this.#options), shares: [] },
      jobs: { ...this.#asked(), got: 1, fewer: undefined, isCertain: true },
      partitions: undefined, rows: undefined, parts: [], geoDatabase: undefined,
    };
  }

  async #common(listed: readonly InputFile[], fresh: readonly InputFile[], ground: Ground | undefined) {
    const { output, columns, groupBy, compression, maxRejects, onError, rejectsFormat, rules } = this.#options;
    const isFresh = new Set(fresh);
    const effect = await this.#effect(fresh.length > 0, ground);
    return {
      version: packageVersion(),
      knownInputs: listed.filter((input) => !isFresh.has(input)).map(({ name, size }) => ({ name, bytes: size! })),
      bytes: bytesOf(fresh),
      columns,
      state: ground && { folder: ground.folder, isThere: ground.isThere, commit: ground.commit, isAfresh: ground.isAfresh, ids: ground.ids, forgets: ground.forgets },
      output: { folder: output, effect, groupBy, compression },
      rejects: { limit: onError === 'fail' ? '0' : limitText(maxRejects), onError, format: rejectsFormat },
      rules: rules.map(({ column, name }) => `${column}:${name}`),
    };
  }

  /** What becomes of what is at the output. */
  async #effect(isNew: boolean, ground: Ground | undefined): Promise<Explanation['output']['effect']> {
    if (ground?.last) return isNew ? 'continued' : ground.isUnpublished ? 'published' : 'kept';
    return await isThere(await standsAt(this.#options.output)) ? 'replaced' : 'new';
  }

  async #temp(): Promise<Explanation['temp']> {
    const { temp, output, maxSpill } = this.#options;
    const folder = temp ?? dirname(resolve(output));
    return { folder, free: await freeSpace(folder), most: maxSpill };
  }

  #asked(): Pick<Explanation['jobs'], 'asked' | 'from'> {
    const { jobs } = this.#options;
    return { asked: jobs ?? availableProcessors(), from: jobs === undefined ? 'processors' : 'option' };
  }
}

function bytesOf(inputs: readonly InputFile[]): number {
  return inputs.reduce((sum, { size = 0 }) => sum + size, 0);
}
