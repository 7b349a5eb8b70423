/**
 * Opens the database of a state and looks whether it is what its last commit left. What LevelDB does not tell is looked
 * for here: it opens without a word after it lost the end of a log or of its manifest, and then has an earlier state (log_reader.cc
 * takes a cut record for one that was being written; db_impl.cc drops damaged ones). Found when it is opened:
 *
 *   damaged tables               before LevelDB looks at them: level-tables.ts
 *   the head went back           by a commit's record, the index or records of inputs that are newer
 *   the head is missing          by anything else that is there
 *   an index of another commit   by its seal in the head
 *   records of inputs            all of them, by their number and the sum of their seals in the head
 *
 * A commit's record is looked at when it is read. That all of it went back is for its owner to find, who has something newer.
 */
import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { withCleanupError } from '../core/errors.ts';
import { makeFolder } from '../core/make-folder.ts';
import { syncFolder } from '../core/sync-folder.ts';
import { lookAt, openLevel, type Database, type OpenDatabase } from './database.ts';
import { damaged, isLocked, noState, stateError } from './errors.ts';
import { COMMITS, commitKey, HEAD_KEY, INDEX_KEY } from './keys.ts';
import { Ledger } from './ledger.ts';
import { NotLevel } from './level-bytes.ts';
import { copyLevel } from './level-copy.ts';
import { damageOfTables } from './level-tables.ts';
import { isOwned, locked, removeOwnerFile, writeOwnerFile } from './owner-file.ts';
import { decodeRecord, encodeRecord, FORMAT, type CommitRecord, type StoredHead } from './records.ts';
import { Seals, sealText } from './seal.ts';

export interface StateOptions {
  /** Makes one where there is none. Default: false. */
  readonly create?: boolean;
  /**
   * Reads all of it into memory and leaves the folder as it is, or not there: what is written then is written nowhere. It is not locked, and
   * that of another process is found by the mark it leaves (owner-file.ts).
   */
  readonly copy?: boolean;
  /** Default: LevelDB. */
  readonly openDatabase?: OpenDatabase;
}

export interface OpenState {
  /** As it was named, made absolute. */
  readonly folder: string;
  readonly database: Database;
  readonly seals: Seals;
  readonly head: StoredHead;
  readonly index: Uint8Array;
  readonly ledger: Ledger;
  /** Makes the names of the database's files durable. */
  syncNames(): Promise<void>;
  /** Ends it: another process may have it then. */
  release(): Promise<void>;
}

/**
 * Folders that this process has open, without links. LevelDB must not even be asked for one of them again: its lock is the
 * process's, and lost when any descriptor of the file LOCK is closed (fcntl(2); env_posix.cc, LockFile).
 */
const openFolders = new Set<string>();

/** Throws ETL_STATE_LOCKED, ETL_STATE_DAMAGED, ETL_STATE_READ, ETL_STATE_WRITE. */
export async function openState(name: string, options: StateOptions): Promise<OpenState> {
  const folder = resolve(name);
  const { create = false, copy = false, openDatabase = copy ? copyLevel : openLevel } = options;
  const path = prepare(folder, create, copy);
  if (openFolders.has(path) || (copy && isOwned(path))) throw locked(folder);
  if (!copy) openFolders.add(path);
  const databaseFolder = databaseIn(path);
  let database: Database | undefined;
  const release = async (): Promise<void> => {
    try {
      if (database && !copy) removeOwnerFile(path);
      await database?.close();
    } catch (error) {
      throw stateError(folder, 'Writing', error);
    } finally {
      if (!copy) openFolders.delete(path);
    }
  };
  try {
    const damage = lookAt(databaseFolder) === 'database' ? await damageOfTables(databaseFolder) : undefined;
    // Another process may be writing what was read.
    if (damage !== undefined) throw isOwned(path) ? locked(folder) : damaged(folder, damage);
    database = await openDatabase(databaseFolder).catch((error: unknown) => {
      if (error instanceof NotLevel) throw damaged(folder, `in level/, ${error.message}`);
      throw isLocked(error) ? locked(folder, error) : error;
    });
    if (!copy) {
      writeOwnerFile(path);
      await syncNames(databaseFolder);
      await syncNames(path);
    }
    const seals = await Seals.load();
    const loaded = await load(folder, database, seals, create);
    if (copy && isOwned(path)) throw locked(folder); // meanwhile
    return { folder, database, seals, syncNames: () => syncNames(databaseFolder), release, ...loaded };
  } catch (error) {
    const failure = copy && isOwned(path) ? locked(folder) : stateError(folder, 'Opening', error);
    throw await release().then(() => failure, (extra: unknown) => withCleanupError(failure, extra));
  }
}

/** LevelDB does so for new manifests, not for new logs (google/leveldb#196). Where the system cannot, it is no failure. */
async function syncNames(folder: string): Promise<void> {
  await syncFolder(folder).catch(() => undefined);
}

/** LevelDB's own, in the state's folder. */
export const DATABASE_FOLDER = 'level';

/** LevelDB's own folder. */
export function databaseIn(folder: string): string {
  return join(folder, DATABASE_FOLDER);
}

/** The folder without links, with a folder for the database in it, unless it is for a copy. */
function prepare(folder: string, create: boolean, copy: boolean): string {
  try {
    const found = lookAt(databaseIn(folder));
    if (found === 'remains') throw damaged(folder, 'the file level/CURRENT is missing');
    if (found === 'nothing') {
      if (!create) throw noState(folder);
      if (copy) return folder;
      makeFolder(databaseIn(folder));
    }
    return realpathSync(folder);
  } catch (error) {
    throw stateError(folder, 'Opening', error);
  }
}

async function load(folder: string, database: Database, seals: Seals, create: boolean): Promise<Pick<OpenState, 'head' | 'index' | 'ledger'>> {
  const ledger = new Ledger({ database, seals, folder });
  const head = await loadHead(folder, database, seals) ?? await makeHead(folder, database, seals, ledger, create);
  if (head.format !== FORMAT) {
    throw damaged(folder, `it has format ${String(head.format)}, of another version of etl-stream, and this one reads format ${FORMAT}`);
  }
  const index = await loadIndex(folder, database, seals, head);
  await checkNewest(folder, database, seals, head.commit);
  await ledger.load(head.ledger);
  return { head, index, ledger };
}

async function loadHead(folder: string, database: Database, seals: Seals): Promise<StoredHead | undefined> {
  const bytes = await database.get(HEAD_KEY);
  return bytes && decodeRecord<StoredHead>(seals, HEAD_KEY, bytes, folder, 'the last commit');
}

/** The head of a state without commits: it has one before it has anything else. */
async function makeHead(folder: string, database: Database, seals: Seals, ledger: Ledger, create: boolean): Promise<StoredHead> {
  if (await hasKeys(database, {})) throw damaged(folder, 'the record of the last commit is missing');
  if (!create) throw noState(folder);
  const index = seals.seal(INDEX_KEY, new Uint8Array(0));
  const head: StoredHead = { format: FORMAT, commit: 0, ledger: ledger.sum, index: sealText(index.seal) };
  await database.batch([
    { type: 'put', key: INDEX_KEY, value: index.bytes },
    { type: 'put', key: HEAD_KEY, value: encodeRecord(seals, HEAD_KEY, head).bytes },
  ], { sync: true });
  return head;
}

async function loadIndex(folder: string, database: Database, seals: Seals, head: StoredHead): Promise<Uint8Array> {
  const bytes = await database.get(INDEX_KEY);
  const opened = bytes && seals.open(INDEX_KEY, bytes);
  if (!opened || sealText(opened.seal) !== head.index) throw damaged(folder, `the index of pages is not that of commit ${head.commit}`);
  return opened.value;
}

/** That nothing is newer than the head says. */
async function checkNewest(folder: string, database: Database, seals: Seals, commit: number): Promise<void> {
  if (await hasKeys(database, { gt: commitKey(commit), lt: COMMITS.lt })) {
    throw damaged(folder, `its last commit is said to be number ${commit}, and there is something of a later one`);
  }
  if (commit === 0) return;
  const bytes = await database.get(commitKey(commit));
  if (!bytes) throw damaged(folder, `the record of commit ${commit} is missing`);
  decodeRecord<CommitRecord>(seals, commitKey(commit), bytes, folder, `commit ${commit}`);
}

async function hasKeys(database: Database, range: Parameters<Database['keys']>[0]): Promise<boolean> {
  for await (const _ of database.keys({ ...range, limit: 1 })) return true;
  return false;
}
