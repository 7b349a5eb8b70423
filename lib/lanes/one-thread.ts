/** All lanes in the thread that calls. */
import type { Readable } from 'node:stream';
import type { RejectSink } from '../core/rejects.ts';
import type { StoredShare } from '../partition/share.ts';
import { LaneWorker, type LaneWorkerOptions } from './lane-worker.ts';
import type { Lanes, MadeRun } from './lanes.ts';

export class OneThread implements Lanes {
  readonly encoders = undefined;
  readonly #worker: LaneWorker;
  #share: StoredShare | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: LaneWorkerOptions) {
    this.#worker = new LaneWorker(options);
  }

  async scatter(blocks: Readable, rejects: RejectSink): Promise<void> {
    this.#share = await this.#worker.scatter({ blocks, rejects });
  }

  async reduce(): Promise<MadeRun[]> {
    let next = 0;
    const runs = await this.#worker.reduce({ shares: [this.#share!], claim: () => next++ });
    await this.#worker.closeStore();
    return runs.map((run) => ({ run, giveBack: () => this.#worker.giveBack(run) }));
  }

  close(): Promise<void> {
    return this.#closing ??= this.#worker.close();
  }
}
