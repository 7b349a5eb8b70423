/** All lanes in the thread that calls. */
import type { Readable } from 'node:stream';
import { surveyRanges } from '../aggregate/ranges.ts';
import type { HandedRun } from '../aggregate/runs.ts';
import type { RejectSink } from '../core/rejects.ts';
import type { SortedRun } from '../core/stage.ts';
import { SPLIT_BYTES } from '../kernels/ranges-layout.ts';
import type { StoredShare } from '../partition/share.ts';
import { LaneWorker, type LaneWorkerOptions } from './lane-worker.ts';
import type { Lanes, MadeRun } from './lanes.ts';
import { planSplitters } from './range-plan.ts';

export class OneThread implements Lanes {
  readonly encoders = undefined;
  readonly #options: LaneWorkerOptions;
  readonly #worker: LaneWorker;
  #share: StoredShare | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: LaneWorkerOptions) {
    this.#options = options;
    this.#worker = new LaneWorker(options);
  }

  async scatter(source: () => Readable, rejects: RejectSink): Promise<void> {
    this.#share = await this.#worker.scatter({ blocks: source(), rejects });
  }

  async reduce(): Promise<MadeRun[]> {
    const { memory, counters, setup: { budget: { aggregateBytes }, groupBy } } = this.#options;
    const shares = [this.#share!];
    const splitters = await planSplitters({ memory, shares, groupBy, aggregateBytes });
    const { runs, scattered } = await this.#worker.reduce({ shares, claim: counter(), splitters });
    await this.#worker.closeStore();
    if (splitters) memory.giveSlab(splitters.at, SPLIT_BYTES);
    const all: (HandedRun | SortedRun)[] = runs;
    if (splitters) {
      const made = scattered === undefined ? [] : [scattered];
      const { large, rows } = surveyRanges(memory, made, splitters.ranges, aggregateBytes);
      if (large.length > 0 || made.length === 0) all.push(...await this.#worker.reduceLarge({ scattered: made, large, claim: counter() }));
      if (rows > 0) {
        all.push(this.#worker.rangeRun(scattered!, rows));
        counters.runs++;
      }
    }
    return all.map((run) => ({ run, giveBack: (handed) => this.#worker.giveBack(handed) }));
  }

  close(): Promise<void> {
    return this.#closing ??= this.#worker.close();
  }
}

/** 0, 1, 2 ... */
function counter(): () => number {
  let next = 0;
  return () => next++;
}
