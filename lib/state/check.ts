/**
 * Goes over all that the state holds, and says in sentences what is not as it should be. Nothing is changed.
 *
 * Everything is read by the ways it is read in a run, each of which may fail alone: LevelDB searches a range by its tables'
 * indices, a key by their filters too, and verifies neither. Then all keys are gone over, for what does not belong.
 */
import { messageOf } from '../core/errors.ts';
import type { Database } from './database.ts';
import { COMMITS, commitKey, HEAD_KEY, INDEX_KEY, INPUTS, isIn, keyText } from './keys.ts';
import { tryDecodeRecord, type CommitRecord, type StoredHead } from './records.ts';
import { sealText, type Seals } from './seal.ts';

/** More are counted only. */
const MAX_PROBLEMS = 100;

export interface CheckOptions {
  readonly database: Database;
  readonly seals: Seals;
  readonly head: StoredHead;
}

/** Never throws for what the database does. Nothing may be written meanwhile. */
export async function checkAll(options: CheckOptions): Promise<string[]> {
  const problems = new Problems();
  for (const check of [checkCommits, checkInputs, checkIndex, checkKeys]) {
    await check(options, problems).catch((error: unknown) => problems.add(`Going over the state failed: ${messageOf(error)}.`));
  }
  return problems.list();
}

class Problems {
  readonly #sentences: string[] = [];
  #more = 0;

  add(sentence: string): void {
    if (this.#sentences.length < MAX_PROBLEMS) this.#sentences.push(sentence);
    else this.#more++;
  }

  list(): string[] {
    return this.#more === 0 ? this.#sentences : [...this.#sentences, `There are ${this.#more} problems more.`];
  }
}

async function checkCommits({ database, seals, head }: CheckOptions, problems: Problems): Promise<void> {
  for (let commit = 1; commit <= head.commit; commit++) {
    const key = commitKey(commit);
    const bytes = await database.get(key);
    if (!bytes) problems.add(`The record of commit ${commit} is not found.`);
    else if (!seals.open(key, bytes)) problems.add(`The record of commit ${commit} is damaged.`);
  }
  let commits = 0;
  for await (const [key, bytes] of database.iterator(COMMITS)) {
    if (tryDecodeRecord<CommitRecord>(seals, key, bytes)?.commit === commits + 1) commits++;
  }
  if (commits !== head.commit) problems.add(`There are good records of ${commits} commits one after the other, and there should be ${head.commit}.`);
}

async function checkInputs({ database, seals, head }: CheckOptions, problems: Problems): Promise<void> {
  let [inputs, sum] = [0, 0n];
  for await (const [key, bytes] of database.iterator({ ...INPUTS, fillCache: false })) {
    const seal = seals.open(key, bytes)?.seal;
    inputs++;
    sum = BigInt.asUintN(64, sum + (seal ?? 0n));
    if (seal === undefined) {
      problems.add(`A record of an input is damaged: it has the key ${keyText(key)}.`);
      continue;
    }
    const found = await database.get(key);
    if (!found || seals.open(key, found)?.seal !== seal) problems.add(`The record of an input is there and not found: it has the key ${keyText(key)}.`);
  }
  if (inputs !== head.ledger.inputs) problems.add(`There are records of ${inputs} inputs, and there should be ${head.ledger.inputs}.`);
  else if (sealText(sum) !== head.ledger.seals) problems.add('The records of inputs are not the last ones that were written.');
}

async function checkIndex({ database, seals, head }: CheckOptions, problems: Problems): Promise<void> {
  const bytes = await database.get(INDEX_KEY);
  const opened = bytes && seals.open(INDEX_KEY, bytes);
  if (!opened || sealText(opened.seal) !== head.index) problems.add('The index of the pages of ids is not that of the last commit.');
}

async function checkKeys({ database }: CheckOptions, problems: Problems): Promise<void> {
  const known = new Set([HEAD_KEY, INDEX_KEY].map(keyText));
  for await (const key of database.keys({ fillCache: false })) {
    if (known.has(keyText(key)) || isIn(COMMITS, key) || isIn(INPUTS, key)) continue;
    problems.add(`There is a record with the unknown key ${keyText(key)}.`);
  }
}
