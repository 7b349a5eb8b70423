/** Crews of threads: what they answer comes back as it was, and a thread that ends is noticed by everyone who waits. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EtlError } from '../../lib/core/errors.ts';
import { Crew } from '../../lib/workers/crew.ts';
import type { TestCalls } from './thread.ts';

const entry = new URL('./thread.ts', import.meta.url);

async function withCrew<T>(threads: number, use: (crew: Crew<TestCalls>, failures: EtlError[]) => Promise<T>): Promise<T> {
  const failures: EtlError[] = [];
  const crew = new Crew<TestCalls>({
    entry, threads,
    handlers: (thread) => ({ double: (value: number) => 2 * value + 100 * thread }),
    failed: (error) => failures.push(error),
    limits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
  });
  try {
    return await use(crew, failures);
  } finally {
    await crew.close();
  }
}

describe('Crew', () => {
  test('calls go to the right thread, and results come back, in any number at once', async () => {
    await withCrew(3, async (crew, failures) => {
      assert.deepEqual(await crew.all('echo', (thread) => ({ thread, list: new Float64Array([thread]) })), [0, 1, 2].map((thread) => ({ thread, list: new Float64Array([thread]) })));
      assert.equal(new Set(await crew.all('thread', () => undefined)).size, 3);
      const many = await Promise.all(Array.from({ length: 500 }, (_, i) => crew.peers[i % 3]!.call('echo', i)));
      assert.deepEqual(many, many.map((_, i) => i));
      assert.deepEqual(await crew.all('asks', (thread) => thread), [1, 103, 205], 'a thread asks back');
      const bytes = await crew.peers[0]!.call('bytes', 1000);
      assert.ok(bytes.length === 1000 && bytes.every((byte) => byte === 7));
      assert.deepEqual(failures, []);
    });
  });

  test('errors arrive with code, hint, cause and what went wrong besides; the thread goes on', async () => {
    await withCrew(1, async (crew) => {
      const peer = crew.peers[0]!;
      const error = await peer.call('fails', 'ETL_MEMORY').catch((reason: unknown) => reason);
      assert.ok(error instanceof EtlError);
      assert.deepEqual({ code: error.code, message: error.message, hint: error.hint }, { code: 'ETL_MEMORY', message: 'Too little.', hint: 'More.' });
      assert.equal((error.cause as Error).message, 'underneath');
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'EIO');
      assert.deepEqual(error.suppressed.map((extra) => (extra as Error).message), ['while cleaning up']);
      assert.match(error.stack!, /thread\.ts/);
      await assert.rejects(peer.call('fails', 'system'), { code: 'ENOENT', message: 'no such file' });
      await assert.rejects(peer.call('fails', 'string'), { message: 'only a string' });
      await assert.rejects(peer.call('fails', 'ring'), { code: 'ETL_MEMORY' });
      await assert.rejects(peer.call('nothing' as 'echo', 1), { code: 'ETL_INTERNAL', message: /"nothing"/ });
      assert.equal(await peer.call('echo', 5), 5);
    });
  });

  for (const how of ['throw', 'exit', 'trap', 'heap'] as const) {
    test(`a thread that ends by itself (${how}) fails every call, to the others too, and is told once`, async () => {
      await withCrew(2, async (crew, failures) => {
        const waiting = [crew.peers[0]!.call('dies', how), crew.peers[1]!.call('dies', 'never' as 'exit')];
        for (const call of waiting) await assert.rejects(call, { code: 'ETL_WORKER', message: /^Thread 0 of 2 ended before its work was done/ });
        await assert.rejects(crew.peers[1]!.call('echo', 1), { code: 'ETL_WORKER' });
        assert.equal(failures.length, 1);
        if (how === 'heap') assert.match(failures[0]!.hint!, /heap was too small/);
      });
    });
  }

  test('close ends threads that are busy for ever, and the calls that wait for them', async () => {
    const call = await withCrew(2, async (crew, failures) => {
      await crew.all('echo', () => 1);
      const spinning = crew.peers[0]!.call('spins', undefined).catch((error: unknown) => error);
      await crew.close();
      assert.deepEqual(failures, [], 'an end that was asked for is no failure');
      return { spinning: await spinning };
    });
    assert.equal((call.spinning as EtlError).code, 'ETL_ABORTED');
  });

  test('a module that cannot be loaded is a thread that ended', async () => {
    const error = await new Promise<EtlError>((resolve) => {
      const crew = new Crew({ entry: new URL('./missing.ts', import.meta.url), threads: 1, handlers: () => ({}), failed: (reason) => resolve(reason) });
      assert.equal(crew.peers.length, 1);
    });
    assert.equal(error.code, 'ETL_WORKER');
  });
});
