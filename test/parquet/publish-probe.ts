/**
 * A process of its own that publishes row groups of random users and says what it took:
 * `publish-probe.ts <tier> <writesAtOnce> <groups> <rows> <bytes of a user>`. Run by memory.test.ts.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setFlagsFromString } from 'node:v8';
import '../../lib/parquet/encoder.ts'; // what Node reads modules with is WASM too: not to be seen below
import { loadWriter, type EncoderTier } from '../../lib/parquet/parquet-wasm.ts';
import { createParquetStage } from '../../lib/parquet/stage.ts';
import { random } from '../random.ts';
import { stageOptions } from './dataset.ts';

export interface ProbeResult {
  /** SHA-256 of each file. */
  readonly hashes: readonly string[];
  /** The most bytes of array buffers that were seen, the input's among them. */
  readonly arrayBuffers: number;
  /** Of the encoder. */
  readonly wasmBytes: number;
  readonly outputBytes: number;
}

const [tier, ...numbers] = process.argv.slice(2);
const [writesAtOnce, groups, rows, userBytes] = numbers.map(Number) as [number, number, number, number];
const next = random(5);
const noise = new Uint8Array(rows * userBytes + 4096);
for (let i = 0; i < noise.length; i++) noise[i] = 33 + Math.floor(next() * 90);

/** One area of columns, as the merge has them: the next batch waits for the release of the one before. */
async function* batches() {
  const buffer = new SharedArrayBuffer(rows * (userBytes + 20) + 8);
  const area = new Uint8Array(buffer);
  const totals = new BigInt64Array(buffer, 0, rows);
  const counts = new BigInt64Array(buffer, rows * 8, rows);
  const userOffsets = new Int32Array(buffer, rows * 16, rows + 1);
  const users = new Uint8Array(buffer, rows * 20 + 4, rows * userBytes);
  const view = new DataView(buffer, users.byteOffset);
  for (let row = 0; row < rows; row++) {
    totals[row] = BigInt(row % 5003);
    counts[row] = 3n;
    userOffsets[row + 1] = (row + 1) * userBytes;
  }
  for (let group = 0; group < groups; group++) {
    users.set(noise.subarray(group * 61 % 4096, group * 61 % 4096 + users.length));
    // In order, by three digits of 64 values: ASCII.
    for (let row = 0; row < rows; row++) view.setUint32(row * userBytes, 0x30303030 + ((row >> 12) << 16) + (((row >> 6) & 63) << 8) + (row & 63));
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    yield { region: `R${Math.floor(group / 8)}`, rows, userOffsets, userBytes: users, totals, counts, topRegions: undefined, area, release };
    await released;
  }
}

const folder = mkdtempSync(join(tmpdir(), 'etl-stream-test-'));
try {
  const options = stageOptions(folder, { writesAtOnce, tier: tier as EncoderTier });
  const stage = createParquetStage(options);
  await loadWriter(options.tier);
  setFlagsFromString('--trace-wasm-compilation-times'); // V8 writes a line for each function, to standard output
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  await pipeline(async function* () {
    for await (const batch of batches()) {
      yield batch;
      most = Math.max(most, process.memoryUsage().arrayBuffers);
    }
  }, stage);
  const result: ProbeResult = {
    hashes: stage.files.map(({ path }) => createHash('sha256').update(readFileSync(join(folder, path))).digest('hex')),
    arrayBuffers: most - before,
    wasmBytes: (await loadWriter()).memoryBytes,
    outputBytes: options.counters.outputBytes,
  };
  console.log(`\n${JSON.stringify(result)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
