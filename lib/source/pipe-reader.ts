/**
 * Reads a pipe, a socket or a terminal on the event loop. A read by `fs.read` would hold a thread of the pool for as
 * long as the producer is idle, and the process could not even exit before it ends; this one can be left at any time.
 * Bytes go straight to the caller's memory, but for the first piece of each `fill`, which is copied.
 */
import type { Stats } from 'node:fs';
import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net';
import { isatty, ReadStream } from 'node:tty';
import { EtlError } from '../core/errors.ts';

/** What a pipe holds. */
const SPARE_BYTES = 64 << 10;
const NOTHING = new Uint8Array(0);

/** Whether the descriptor is read this way. Not on Windows, where a read that was begun writes to its memory also after the end. */
export function isPipe(fd: number, info: Stats): boolean {
  return process.platform !== 'win32' && (info.isFIFO() || info.isSocket() || (fd === 0 && isatty(fd)));
}

export class PipeReader {
  readonly #socket: Socket;
  /** Where a piece goes that nobody has asked for yet: the next buffer must be named when `fill` is done. */
  readonly #spare = new Uint8Array(SPARE_BYTES);
  /** The part of `#spare` that is still to be given. */
  #rest: Uint8Array = NOTHING;
  #target: Uint8Array = NOTHING;
  #filled = 0;
  #waiting: { resolve(bytes: number): void; reject(error: Error): void } | undefined;
  /** Set at the end of the input, or with what went wrong. */
  #ended: true | Error | undefined;

  /** Owns `fd` from here on (standard input stays open); if it throws, the caller still does. */
  constructor(fd: number) {
    const onread: OnReadOpts = { buffer: () => this.#next(), callback: (bytes, buffer) => this.#take(bytes, buffer) };
    // The types have `onread` for sockets that connect only.
    const options = { readable: true, writable: false, onread } as SocketConstructorOpts;
    this.#socket = isatty(fd) ? new ReadStream(fd, options) : new Socket({ ...options, fd });
    this.#socket.on('end', () => this.#end(true)).on('error', (error) => this.#end(error));
  }

  /** Fills `target` from its start; short only at the end of the input. One at a time. Throws what the system says. */
  fill(target: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#target = target;
      this.#filled = 0;
      this.#giveRest();
      if (this.#filled === target.length || this.#ended) this.#settle();
      else this.#socket.resume();
    });
  }

  /** Stops at once: `target` is the caller's again, and the `fill` under way rejects with ETL_ABORTED. Idempotent. */
  async close(): Promise<void> {
    this.#socket.destroy();
    this.#end(new EtlError('ETL_ABORTED', 'Reading was stopped.'));
    if (!this.#socket.closed) await new Promise((resolve) => this.#socket.once('close', resolve));
  }

  #next(): Uint8Array {
    return this.#filled < this.#target.length ? this.#target.subarray(this.#filled) : this.#spare;
  }

  /** Takes a piece that was read into `buffer`; false stops reading until the next `fill`. */
  #take(bytes: number, buffer: Uint8Array): boolean {
    if (buffer === this.#spare) {
      this.#rest = this.#spare.subarray(0, bytes);
      this.#giveRest();
    } else {
      this.#filled += bytes;
    }
    if (this.#filled < this.#target.length) return true;
    this.#settle();
    return false;
  }

  #giveRest(): void {
    const given = this.#rest.subarray(0, this.#target.length - this.#filled);
    this.#target.set(given, this.#filled);
    this.#filled += given.length;
    this.#rest = this.#rest.subarray(given.length);
  }

  #end(how: true | Error): void {
    this.#ended ??= how;
    this.#settle();
  }

  #settle(): void {
    const waiting = this.#waiting;
    const filled = this.#filled;
    const full = filled === this.#target.length;
    this.#waiting = undefined;
    this.#target = NOTHING;
    this.#filled = 0;
    if (this.#ended instanceof Error && !full) waiting?.reject(this.#ended);
    else waiting?.resolve(filled);
  }
}
