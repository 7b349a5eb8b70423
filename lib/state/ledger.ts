/**
 * The ledger: which inputs the commits have read. In the database a record each; in memory two hashes an input (some 100
 * bytes), of its path and of its record, so that a record that LevelDB does not find, or an older one that it finds
 * instead, is not taken for the truth. All of it is read once, when the state is opened.
 */
import type { Database, Operation } from './database.ts';
import { damaged } from './errors.ts';
import { inputKey, INPUTS } from './keys.ts';
import { decodeRecord, encodeRecord, type InputRecord, type StoredHead } from './records.ts';
import { sealText, type Seals } from './seal.ts';

export type LedgerSum = StoredHead['ledger'];

export interface LedgerChange {
  readonly operations: readonly Operation[];
  readonly sum: LedgerSum;
  /** To be called when they are written. */
  apply(): void;
}

export interface LedgerOptions {
  readonly database: Database;
  readonly seals: Seals;
  /** The state's, for messages. */
  readonly folder: string;
}

export class Ledger {
  readonly #options: LedgerOptions;
  /** Hash of the path -> seal of the record. */
  readonly #known = new Map<bigint, bigint>();
  #sum = 0n;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  get sum(): LedgerSum {
    return { inputs: this.#known.size, seals: sealText(this.#sum) };
  }

  /** Reads all of it. Throws ETL_STATE_DAMAGED when it is not what the head says. */
  async load(expected: LedgerSum): Promise<void> {
    const { database, seals, folder } = this.#options;
    for await (const [key, bytes] of database.iterator({ ...INPUTS, fillCache: false })) {
      const opened = seals.open(key, bytes);
      if (!opened) throw damaged(folder, 'a record of an input is not what was written');
      this.#set(seals.ofKey(key), opened.seal);
    }
    const { inputs, seals: sum } = this.sum;
    if (inputs !== expected.inputs) throw damaged(folder, `it has records of ${inputs} inputs and should have ${expected.inputs}`);
    if (sum !== expected.seals) throw damaged(folder, 'a record of an input is not the last one that was written');
  }

  /** undefined when no commit has read it. Throws ETL_STATE_DAMAGED. */
  async get(path: string): Promise<InputRecord | undefined> {
    const { database, seals, folder } = this.#options;
    const key = inputKey(path);
    const seal = this.#known.get(seals.ofKey(key));
    if (seal === undefined) return undefined;
    const bytes = await database.get(key);
    if (!bytes || seals.open(key, bytes)?.seal !== seal) throw damaged(folder, `the record of the input ${path} is not what was written`);
    return decodeRecord(seals, key, bytes, folder, `the input ${path}`);
  }

  /** All of it, by path in order of bytes, as it is now. Throws ETL_STATE_DAMAGED, maybe at the end only. */
  async *all(): AsyncGenerator<InputRecord> {
    const { database, seals, folder } = this.#options;
    const expected = this.sum;
    let [inputs, sum] = [0, 0n];
    for await (const [key, bytes] of database.iterator(INPUTS)) {
      const record = decodeRecord<InputRecord>(seals, key, bytes, folder, 'an input');
      inputs++;
      sum = BigInt.asUintN(64, sum + seals.open(key, bytes)!.seal);
      yield record;
    }
    if (inputs !== expected.inputs || sealText(sum) !== expected.seals) throw damaged(folder, 'records of inputs are missing');
  }

  /** What it takes to add these; the last of equal paths is the one. */
  change(records: Iterable<InputRecord>): LedgerChange {
    const { seals } = this.#options;
    const changed = new Map<string, InputRecord>();
    for (const record of records) changed.set(record.path, record);
    const operations: Operation[] = [];
    const hashes: [bigint, bigint][] = [];
    let [added, sum] = [0, this.#sum];
    for (const record of changed.values()) {
      const key = inputKey(record.path);
      const { seal, bytes } = encodeRecord(seals, key, record);
      const hash = seals.ofKey(key);
      const earlier = this.#known.get(hash);
      if (earlier === undefined) added++;
      sum = BigInt.asUintN(64, sum + seal - (earlier ?? 0n));
      operations.push({ type: 'put', key, value: bytes });
      hashes.push([hash, seal]);
    }
    return {
      operations,
      sum: { inputs: this.#known.size + added, seals: sealText(sum) },
      apply: () => {
        for (const [hash, seal] of hashes) this.#set(hash, seal);
      },
    };
  }

  /** What it takes to have these and no others. */
  async replacement(records: Iterable<InputRecord>): Promise<LedgerChange> {
    const { database, seals, folder } = this.#options;
    const anew = new Ledger({ database, seals, folder });
    const { operations, sum, apply } = anew.change(records);
    const kept = new Set(operations.map(({ key }) => Buffer.from(key).toString('hex')));
    const gone: Operation[] = [];
    for await (const key of database.keys(INPUTS)) {
      if (!kept.has(Buffer.from(key).toString('hex'))) gone.push({ type: 'del', key });
    }
    return {
      operations: [...operations, ...gone],
      sum,
      apply: () => {
        apply();
        this.#known.clear();
        this.#sum = 0n;
        for (const [hash, seal] of anew.#known) this.#set(hash, seal);
      },
    };
  }

  #set(hash: bigint, seal: bigint): void {
    this.#sum = BigInt.asUintN(64, this.#sum + seal - (this.#known.get(hash) ?? 0n));
    this.#known.set(hash, seal);
  }
}
