/**
 * The one process of its kind that may be there at a time: whoever asks of another snapshot waits until those before him are answered, then
 * the process is ended and one for his snapshot started. So memory is that of one process, whatever is published meanwhile, and a request has
 * its snapshot until it is answered. First come, first served; more than `mostWaiting` are refused.
 */
import type { Limits, QuerySession, StartSession } from './engine.ts';
import { Refusal } from './problems.ts';
import type { Snapshot } from './snapshots.ts';

/** Milliseconds. A browser may take as long as it likes for a file. */
const PATIENCE = 15_000;

export interface SlotOptions {
  /** Asked for when a process is started. */
  limits(): Limits;
  readonly mostWaiting: number;
  readonly start: StartSession;
}

/** A session that is somebody's until he gives it back. */
export interface Lease {
  readonly session: QuerySession;
  /** Idempotent. */
  release(): void;
}

interface Open {
  readonly snapshot: Snapshot;
  readonly session: QuerySession;
  leases: number;
  /** Is called when the last lease is given back. */
  onIdle: (() => void) | undefined;
}

export class SessionSlot {
  readonly #options: SlotOptions;
  #open: Open | undefined;
  /** The last of those who wait. */
  #turn: Promise<unknown> = Promise.resolve();
  #asking = 0;
  #isClosed = false;

  constructor(options: SlotOptions) {
    this.#options = options;
  }

  /** Does `work` with a session of the snapshot. */
  async use<T>(snapshot: Snapshot, work: (session: QuerySession) => Promise<T>): Promise<T> {
    const { session, release } = await this.lease(snapshot);
    try {
      return await work(session);
    } finally {
      release();
    }
  }

  /** Throws a Refusal when too many wait, and what starting a session throws. */
  async lease(snapshot: Snapshot): Promise<Lease> {
    if (this.#isClosed) throw new Refusal(503, 'The dashboard ends.', { code: 'ETL_ABORTED' });
    if (this.#asking >= this.#options.mostWaiting) throw new Refusal(429, 'Too much is asked at a time.', { hint: 'Ask again when other queries have ended.' });
    this.#asking++;
    const turn = this.#turn.then(() => this.#opened(snapshot));
    this.#turn = turn.catch(() => undefined);
    let open: Open;
    try {
      open = await turn;
    } catch (error) {
      this.#asking--;
      throw error;
    }
    let isGiven = false;
    return {
      session: open.session,
      release: () => {
        if (isGiven) return;
        isGiven = true;
        this.#asking--;
        open.leases--;
        if (open.leases === 0) open.onIdle?.();
      },
    };
  }

  /** Ends the process, whatever it does. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#open?.session.close();
    await this.#turn;
    await this.#open?.session.close(); // one that was just being started
  }

  /** The session of the snapshot, with one lease more. Nobody else is in here meanwhile. */
  async #opened(snapshot: Snapshot): Promise<Open> {
    if (this.#isClosed) throw new Refusal(503, 'The dashboard ends.', { code: 'ETL_ABORTED' });
    if (this.#open && this.#open.snapshot !== snapshot) await this.#end(this.#open);
    this.#open ??= { snapshot, session: await this.#options.start(snapshot, this.#options.limits()), leases: 0, onIdle: undefined };
    // A process is started by the folder's name, at which another dataset may stand by now.
    if (!(await snapshot.isThere())) throw new Refusal(404, 'The files of this result are there no more.', { code: 'ETL_INPUT_NOT_FOUND' });
    this.#open.leases++;
    return this.#open;
  }

  async #end(open: Open): Promise<void> {
    if (open.leases > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PATIENCE);
        open.onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#open = undefined;
    await open.session.close();
  }
}
