/**
 * Inputs made to break a bounded run, each large against 128 MB of memory, and what must come of them. Values are chosen
 * so that a result can be told from its user id alone.
 */
import { LinearMemory } from '../../lib/kernels/linear-memory.ts';
import { loadKernel } from '../../lib/kernels/loader.ts';
import { BATCH_BYTES, BATCH_ID_LEN, BATCH_ID_LO, BATCH_ID_PTR, BATCH_ROWS, BATCH_STATUS } from '../../lib/kernels/layout.ts';
import type { PartitionKernel } from '../../lib/kernels/twins/partition.ts';
import type { Summary } from '../../lib/index.ts';

export interface Adversary {
  readonly name: string;
  /** More of the command line. */
  readonly args?: readonly string[];
  /** The CSV, header included, in pieces. */
  input(): AsyncGenerator<string> | Generator<string>;
  readonly rows: Pick<Summary['rows'], 'read' | 'duplicates' | 'rejected'>;
  /** Rows of the result, and SQL over the view `result` that is true of each of them. */
  readonly groups: number | undefined;
  readonly each: string;
  /** The paths that must have been taken. */
  readonly took: (summary: Summary) => Record<string, boolean>;
}

const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';
const PIECE_ROWS = 4096;
/** An address of one region, for what is not about regions. */
const GERMAN = '91.198.174.192';

/** What a user gets for one log: `valueOf` in SQL below. */
const valueOf = (user: number): number => user % 977;
const NUMBER = "regexp_extract(user_id, '[0-9]+$')::BIGINT";
const ONE_LOG_EACH = `log_count = 1 AND total_watch_time = ${NUMBER} % 977`;

function* csv(rows: number, row: (i: number) => string): Generator<string> {
  yield HEADER;
  for (let from = 0; from < rows; from += PIECE_ROWS) {
    let piece = '';
    for (let i = from; i < Math.min(from + PIECE_ROWS, rows); i++) piece += row(i);
    yield piece;
  }
}

const line = (id: string, user: string, ip: string, value: number): string => `${id},${user},2026-01-01T00:00:00Z,${ip},${value}\n`;
/** Addresses all over the world. */
const anyAddress = (i: number): string => `${1 + (i * 7) % 222}.${(i * 31) % 256}.${(i >> 3) % 256}.${i % 256}`;
const wide = (prefix: string, i: number): string => prefix.repeat(4096 / prefix.length) + i;

const spilled = ({ spill }: Summary): Record<string, boolean> => ({ 'rows were spilled': spill.rows > 0 });
const merged = ({ runs }: Summary): Record<string, boolean> => ({ 'runs were spilled': runs.spilled > 0, 'merged in passes': runs.merges > 1 });

export function adversaries(scale = 1): Adversary[] {
  const many = Math.round(1_500_000 * scale);
  const unique = Math.round(6_000_000 * scale);
  const long = Math.round(40_000 * scale);
  return [
    {
      name: 'all ids unique',
      input: () => csv(many, (i) => line(`id-${i}`, `user${i % 1000}`, GERMAN, valueOf(i % 1000))),
      rows: { read: many, duplicates: 0, rejected: 0 },
      groups: 1000,
      each: `log_count = ${many / 1000} AND total_watch_time = log_count * (${NUMBER} % 977)`,
      took: spilled,
    },
    {
      name: 'all ids equal',
      input: () => csv(many, (i) => line('the-one-id', `user${i}`, GERMAN, valueOf(i))),
      rows: { read: many, duplicates: many - 1, rejected: 0 },
      groups: 1,
      each: `user_id = 'user0' AND ${ONE_LOG_EACH}`,
      took: (summary) => ({ ...spilled(summary), 'one id never splits': summary.spill.splits === 0 }),
    },
    {
      name: 'all ids of one partition, each twice',
      input: async function* () {
        const ids = await idsOfOnePartition(many / 10);
        yield* csv(2 * ids.length, (i) => line(ids[i % ids.length]!, `user${i % ids.length}`, GERMAN, valueOf(i % ids.length)));
      },
      rows: { read: many / 5, duplicates: many / 10, rejected: 0 },
      groups: many / 10,
      each: ONE_LOG_EACH,
      took: (summary) => ({ 'the partition was split': summary.spill.splits > 0 }),
    },
    {
      name: 'all users unique, in one region',
      input: () => csv(unique, (i) => line(`id-${i}`, `user${i}`, GERMAN, valueOf(i))),
      rows: { read: unique, duplicates: 0, rejected: 0 },
      groups: unique,
      each: ONE_LOG_EACH,
      took: (summary) => ({ ...spilled(summary), ...merged(summary) }),
    },
    {
      name: 'one user, in every region',
      input: () => csv(many, (i) => line(`id-${i}`, 'user7', anyAddress(i), 7)),
      rows: { read: many, duplicates: 0, rejected: 0 },
      groups: undefined,
      each: `user_id = 'user7' AND total_watch_time = 7 * log_count AND (SELECT sum(log_count) FROM result) = ${many}`,
      took: spilled,
    },
    {
      name: 'ids and users of 4 KB',
      input: () => csv(long, (i) => line(wide('id', i), wide('user', i), GERMAN, valueOf(i))),
      rows: { read: long, duplicates: 0, rejected: 0 },
      groups: long,
      each: `length(user_id) > 4096 AND ${ONE_LOG_EACH}`,
      took: (summary) => ({ ...spilled(summary), 'runs were spilled': summary.runs.spilled > 0 }),
    },
    {
      name: 'users in 250 regions at once',
      input: () => csv(many, (i) => line(`id-${i}`, `user${i}`, anyAddress(i), valueOf(i))),
      rows: { read: many, duplicates: 0, rejected: 0 },
      groups: many,
      each: ONE_LOG_EACH,
      took: (summary) => ({ ...spilled(summary), 'runs were spilled': summary.runs.spilled > 0, 'many regions': summary.regions > 150 }),
    },
    {
      name: 'users in 250 regions, a row each',
      args: ['--group-by', 'user'],
      input: () => csv(many, (i) => line(`id-${i}`, `user${i}`, anyAddress(i), valueOf(i))),
      rows: { read: many, duplicates: 0, rejected: 0 },
      groups: many,
      each: ONE_LOG_EACH,
      took: (summary) => ({ ...spilled(summary), 'runs were spilled': summary.runs.spilled > 0, 'many regions': summary.regions > 150 }),
    },
    {
      name: 'a header of a million columns',
      input: function* () {
        yield HEADER.trimEnd() + ','.repeat(1e6) + '\n';
        yield line('a', 'user1', GERMAN, 1).trimEnd() + ','.repeat(1e6) + '\n';
      },
      rows: { read: 1, duplicates: 0, rejected: 0 },
      groups: 1,
      each: ONE_LOG_EACH,
      took: () => ({}),
    },
    {
      name: 'a field of 64 MB',
      args: ['--max-record', '1MiB'], // a longer one needs more memory than there is
      input: function* () {
        yield HEADER + line('a', 'user1', GERMAN, 1);
        yield 'b,"';
        for (let i = 0; i < 64; i++) yield 'x'.repeat(1e6);
        yield `",2026-01-01T00:00:00Z,${GERMAN},1\nc,`;
        for (let i = 0; i < 64; i++) yield 'y'.repeat(1e6);
        yield `,2026-01-01T00:00:00Z,${GERMAN},1\n${line('d', 'user2', GERMAN, 2)}`;
      },
      rows: { read: 4, duplicates: 0, rejected: 2 },
      groups: 2,
      each: ONE_LOG_EACH,
      took: ({ rejectedBy }) => ({ 'both were too long': rejectedBy.record_too_long === 2 }),
    },
  ];
}

/** Ids whose hash starts with ten zero bits: the first partition, however few or many there are. */
async function idsOfOnePartition(wanted: number): Promise<string[]> {
  const memory = new LinearMemory();
  const kernel = await loadKernel<PartitionKernel>('partition', memory);
  const ID_BYTES = 10;
  const batch = memory.slab(BATCH_BYTES, 'a batch');
  const texts = memory.slab(BATCH_ROWS * ID_BYTES + 64, 'ids');
  const digits = memory.bytes(texts, BATCH_ROWS * ID_BYTES);
  memory.bytes(batch + BATCH_STATUS, 4 * BATCH_ROWS).fill(0);
  memory.u32(batch + BATCH_ID_PTR, BATCH_ROWS).set(Uint32Array.from({ length: BATCH_ROWS }, (_, i) => texts + i * ID_BYTES));
  memory.u32(batch + BATCH_ID_LEN, BATCH_ROWS).fill(ID_BYTES);
  const hashes = memory.u32(batch + BATCH_ID_LO, 2 * BATCH_ROWS);
  const ids: string[] = [];
  for (let base = 0; ids.length < wanted; base += BATCH_ROWS) {
    for (let i = 0; i < BATCH_ROWS; i++) {
      for (let at = (i + 1) * ID_BYTES - 1, left = base + i; at >= i * ID_BYTES; at--, left = Math.floor(left / 10)) digits[at] = 48 + (left % 10);
    }
    kernel.hashBatch(batch, BATCH_ROWS);
    for (let i = 0; i < BATCH_ROWS; i++) {
      if (hashes[2 * i + 1]! >>> 22 === 0 && ids.length < wanted) ids.push(String(base + i).padStart(ID_BYTES, '0'));
    }
  }
  return ids;
}
