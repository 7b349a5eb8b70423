/** A thread for the tests of crews: does as it is told, good or bad. */
import { parentPort, threadId } from 'node:worker_threads';
import { EtlError } from '../../lib/core/errors.ts';
import { Moved, Peer, type Port } from '../../lib/workers/peer.ts';

export type TestCalls = {
  echo: (value: unknown) => unknown;
  thread: () => number;
  bytes: (length: number) => Moved<Uint8Array<ArrayBuffer>>;
  fails: (code: 'ETL_MEMORY' | 'system' | 'string' | 'ring') => never;
  dies: (how: 'throw' | 'exit' | 'heap' | 'trap') => Promise<never>;
  spins: () => never;
  asks: (value: number) => Promise<number>;
};

const main: Peer<{ double: (value: number) => number }> = new Peer(parentPort as Port, {
  echo: (value: unknown) => value,
  thread: () => threadId,
  bytes: (length: number) => {
    const bytes = new Uint8Array(length).fill(7);
    return new Moved(bytes, [bytes.buffer]);
  },
  fails: (code: string) => {
    if (code === 'string') throw 'only a string';
    if (code === 'system') throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    const cause = Object.assign(new TypeError('underneath'), { code: 'EIO' });
    if (code === 'ring') cause.cause = cause;
    const error = new EtlError('ETL_MEMORY', 'Too little.', { hint: 'More.', cause });
    error.suppressed.push(new Error('while cleaning up'));
    throw error;
  },
  dies: (how: string) => {
    if (how === 'throw') setImmediate(() => { throw new Error('nobody catches this'); });
    if (how === 'exit') process.exit(3);
    if (how === 'trap') setImmediate(() => { (undefined as unknown as () => void)(); });
    const heap: string[] = [];
    while (how === 'heap') heap.push('x'.repeat(10) + heap.length);
    return new Promise<never>(() => undefined);
  },
  spins: () => { for (;;); },
  asks: async (value: number): Promise<number> => 1 + (await main.call('double', value)),
});
