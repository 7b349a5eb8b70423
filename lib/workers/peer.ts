/**
 * Calls between two threads: each side names what it answers to and calls what the other side does, by messages over one
 * port. Results and arguments are plain data (structured clone). A call costs some 50 us: for batches, not for rows.
 */
import type { Transferable } from 'node:worker_threads';
import { EtlError } from '../core/errors.ts';
import { fromWire, toWire, type WireError } from './wire-errors.ts';

/** What one side answers to: functions of one argument, that may take their time. */
export type Calls = Record<string, (argument: never) => unknown>;

/** A result that comes with memory which is to be moved, not copied. */
export class Moved<T> {
  readonly result: T;
  readonly transfer: readonly Transferable[];

  constructor(result: T, transfer: readonly Transferable[]) {
    this.result = result;
    this.transfer = transfer;
  }
}

type Message =
  | { readonly kind: 'call'; readonly id: number; readonly name: string; readonly argument: unknown }
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: WireError };

/** What a port and a Worker have in common. */
export interface Port {
  postMessage(message: unknown, transfer?: readonly Transferable[]): void;
  on(event: 'message', listener: (message: Message) => void): unknown;
}

type Unmoved<T> = T extends Moved<infer Result> ? Result : T;

/** `Theirs`: what the other side answers to. */
export class Peer<Theirs extends Calls> {
  readonly #port: Port;
  readonly #handlers: Calls;
  readonly #pending = new Map<number, { resolve(result: unknown): void; reject(error: unknown): void }>();
  #next = 0;
  #failure: unknown;

  /** Answers from now on. */
  constructor(port: Port, handlers: Calls) {
    this.#port = port;
    this.#handlers = handlers;
    port.on('message', (message) => void this.#take(message));
  }

  /** Rejects with what the other side threw, or with what ended it. */
  call<Name extends keyof Theirs & string>(
    name: Name, argument: Parameters<Theirs[Name]>[0], transfer: readonly Transferable[] = [],
  ): Promise<Unmoved<Awaited<ReturnType<Theirs[Name]>>>> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const id = this.#next++;
      this.#pending.set(id, { resolve: resolve as (result: unknown) => void, reject });
      this.#post({ kind: 'call', id, name, argument }, transfer);
    });
  }

  /** The other side is gone: all calls fail, those under way and those to come. */
  fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
  }

  async #take(message: Message): Promise<void> {
    if (message.kind === 'call') return this.#answer(message.id, message.name, message.argument);
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.kind === 'result') pending?.resolve(message.result);
    else pending?.reject(fromWire(message.error));
  }

  async #answer(id: number, name: string, argument: unknown): Promise<void> {
    try {
      const handler = this.#handlers[name];
      if (!handler) throw new EtlError('ETL_INTERNAL', `A thread was asked for ${JSON.stringify(name)}, which it does not know.`);
      const result = await handler(argument as never);
      if (result instanceof Moved) this.#post({ kind: 'result', id, result: result.result }, result.transfer);
      else this.#post({ kind: 'result', id, result }, []);
    } catch (error) {
      this.#post({ kind: 'error', id, error: toWire(error) }, []);
    }
  }

  #post(message: Message, transfer: readonly Transferable[]): void {
    this.#port.postMessage(message, transfer);
  }
}
