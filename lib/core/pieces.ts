/**
 * What flows where a stream's hop for each piece would cost more than what is done with it: one value for each block or
 * chunk, whose pieces are made one after the other, in the same memory, when they are asked for.
 *
 *   a stream's values   block ────────────────► pieces ─────────────► pieces ─────────────► taken until there are no more
 *   calls               made when asked for  ◄── next() ◄── mapped ◄── next() ◄── forEachPiece
 *
 * So a whole is worked on by all stages, piece after piece, while its bytes are in the CPU's cache; back-pressure is that
 * nobody makes what nobody asks for.
 */
import { Transform, type TransformCallback } from 'node:stream';
import { EtlError } from './errors.ts';

export interface Pieces<T> {
  /**
   * The next piece, which is valid until the next call; undefined after the last one, once. A promise when it has to be waited
   * for: then no further call before it is settled. Throws, or rejects, when there cannot be one; for good.
   */
  next(): T | undefined | Promise<T | undefined>;
}

/** The same pieces, each after `work`. */
export function mapped<T>(pieces: Pieces<T>, work: (piece: T) => void): Pieces<T> {
  const done = (piece: T | undefined): T | undefined => {
    if (piece) work(piece);
    return piece;
  };
  return {
    next() {
      const piece = pieces.next();
      return piece instanceof Promise ? piece.then(done) : done(piece);
    },
  };
}

/** Takes all pieces, and waits only for promises. */
export async function forEachPiece<T>(pieces: Pieces<T>, work: (piece: T) => void | Promise<void>): Promise<void> {
  for (;;) {
    const next = pieces.next();
    const piece = next instanceof Promise ? await next : next;
    if (!piece) return;
    const done = work(piece);
    if (done) await done;
  }
}

/**
 * A Transform that makes pieces: Whole in, Pieces<T> out, nothing for a whole that has none. The next whole is begun when the
 * last piece of the one before was asked for. Who takes a value takes all of it, or destroys the stream.
 */
export abstract class PieceStage<Whole, T> extends Transform {
  #whole: Whole | undefined;

  constructor() {
    super({ objectMode: true, highWaterMark: 1 });
  }

  /** Makes ready for a whole. */
  protected abstract begin(whole: Whole): void | Promise<void>;
  /** Its next piece; undefined when it has no more. */
  protected abstract piece(): T | undefined | Promise<T | undefined>;
  /** It is done with, or never will be. */
  protected abstract leave(whole: Whole): void;
  /** Gives everything back, once; `ended`: all wholes are done with. */
  protected abstract close(ended: boolean): void | Promise<void>;

  override _transform(whole: Whole, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#whole = whole;
    this.#start(whole, callback).catch(callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#close().then(() => callback(error), (failure: Error) => callback(error ?? failure));
  }

  /** The first piece is made at once: whatever waits for a whole to be begun need not wait for who takes it. */
  async #start(whole: Whole, callback: TransformCallback): Promise<void> {
    const begun = this.begin(whole);
    if (begun) await begun;
    this.#assertOpen();
    const next = this.piece();
    const first = next instanceof Promise ? await next : next;
    this.#assertOpen();
    if (first) this.push(this.#pieces(first, callback));
    else this.#end(callback);
  }

  #pieces(first: T, callback: TransformCallback): Pieces<T> {
    let ahead: T | undefined = first;
    let ended = false;
    const given = (piece: T | undefined): T | undefined => {
      if (piece) return piece;
      ended = true;
      this.#end(callback);
      return undefined;
    };
    const failed = (error: unknown): never => {
      this.destroy(error as Error);
      throw error;
    };
    return {
      next: () => {
        if (ended) throw new EtlError('ETL_INTERNAL', 'A piece was asked for after the last one.');
        this.#assertOpen();
        const piece = ahead;
        ahead = undefined;
        if (piece) return piece;
        try {
          const next = this.piece();
          return next instanceof Promise ? next.then(given).catch(failed) : given(next);
        } catch (error) {
          return failed(error);
        }
      },
    };
  }

  #end(callback: TransformCallback): void {
    this.#leave();
    callback();
  }

  async #close(): Promise<void> {
    try {
      await this.close(this.readableEnded);
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    const whole = this.#whole;
    this.#whole = undefined;
    if (whole !== undefined) this.leave(whole);
  }

  #assertOpen(): void {
    if (this.destroyed) throw new EtlError('ETL_ABORTED', 'The stage was stopped.');
  }
}
