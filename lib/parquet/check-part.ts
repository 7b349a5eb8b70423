/**
 * Goes over a Parquet file: its columns are what a dataset has, its rows are in order of users, none of whom is there twice,
 * and what it says of them (for readers that leave out what they need not read) is so. Memory: a row group.
 */
import { PARTITION_COLUMN } from './hive-path.ts';
import { heldIntegers, heldTexts, shown, wrongBounds, type HeldValues } from './check-bounds.ts';
import { DECIMAL_PRECISION } from './footer.ts';
import { readBounds } from './read-bounds.ts';
import type { Part, PartColumn } from './read-part.ts';
import { COLUMNS } from './writer-settings.ts';

export interface CheckPartOptions {
  readonly path: string;
  readonly part: Part;
  /** Spark wrote it. */
  readonly isOfSpark?: boolean;
  /** Of the totals. */
  readonly scale: number;
  /** The last user of the part before, if there is one. */
  readonly after: Uint8Array | undefined;
  /** Is told what is wrong, as clauses. */
  readonly tell: (problem: string) => void;
  /** Is given each row. */
  readonly add: (region: string, user: Uint8Array, total: bigint, logs: bigint) => void;
}

/** Bytes of both bounds of a row group that parquet-java leaves out (ParquetMetadataConverter, MAX_STATS_SIZE). */
const SPARK_LONGEST_BOUNDS = 4096;

/** Gives the last user. Throws what keeps the file from being read. */
export async function checkPart({ path, part, isOfSpark = false, scale, after, tell, add }: CheckPartOptions): Promise<Uint8Array | undefined> {
  const byUser = part.region === undefined;
  const wanted = publishedColumns(byUser, scale);
  const [is, should] = [part.columns, wanted].map(describe);
  if (is !== should) throw new Error(`its columns are ${is}, and should be ${should}`);
  const bounds = await readBounds(path);
  let last = after;
  let rowsBefore = 0;
  let isOrdered = true;
  for (const [number, group] of part.rowGroups.entries()) {
    const users = await group.texts(COLUMNS.user);
    const [totals, logs] = [await group.integers(COLUMNS.total), await group.integers(COLUMNS.count)];
    const regions = byUser ? await group.texts(PARTITION_COLUMN) : undefined;
    let areSorted = true;
    for (const [row, user] of users.entries()) {
      const order = last ? Buffer.compare(last, user) : -1;
      if (order >= 0) {
        areSorted = false;
        if (isOrdered) tell(disorder(rowsBefore + row, user, order === 0));
        isOrdered = false;
      }
      last = user;
    }
    const held = [heldTexts(users, areSorted), heldIntegers(totals), heldIntegers(logs), ...(regions ? [heldTexts(regions, false)] : [])];
    checkBounds(number, bounds[number] ?? [], wanted, held, isOfSpark ? SPARK_LONGEST_BOUNDS : undefined, tell);
    if (group.sortedBy !== undefined && group.sortedBy !== COLUMNS.user) tell(`its row group ${number + 1} is said to be sorted by ${group.sortedBy}`);
    const names = new Map<Uint8Array, string>();
    for (const [row, user] of users.entries()) add(part.region ?? nameOf(regions![row]!, names), user, totals[row]!, logs[row]!);
    rowsBefore += group.rows;
  }
  if (rowsBefore !== part.rows) throw new Error(`it has ${rowsBefore} rows in its row groups, and should have ${part.rows}`);
  return last;
}

function checkBounds(number: number, bounds: Awaited<ReturnType<typeof readBounds>>[0], columns: readonly PartColumn[], held: readonly HeldValues[], longest: number | undefined, tell: (problem: string) => void): void {
  for (const [column, values] of held.entries()) {
    const said = bounds[column];
    const wrong = said ? wrongBounds(said, values, longest) : 'it has no bounds';
    if (wrong !== undefined) tell(`its row group ${number + 1}, column ${columns[column]!.name}: ${wrong}`);
  }
}

function disorder(row: number, user: Uint8Array, isTwice: boolean): string {
  return isTwice ? `its row ${row + 1} has the user of the row before it again, ${shown(user)}` : `its row ${row + 1}, of the user ${shown(user)}, is not behind the one before it`;
}

/** A dictionary gives the same bytes for the same text, mostly. */
function nameOf(bytes: Uint8Array, names: Map<Uint8Array, string>): string {
  let name = names.get(bytes);
  if (name === undefined) names.set(bytes, (name = Buffer.from(bytes).toString()));
  return name;
}

/** Those of a dataset's files. */
export function publishedColumns(byUser: boolean, scale: number): PartColumn[] {
  const column = (name: string, type: string): PartColumn => ({ name, type, isRequired: true });
  return [
    column(COLUMNS.user, 'STRING'), column(COLUMNS.total, scale > 0 ? `DECIMAL(${DECIMAL_PRECISION}, ${scale})` : 'INT64'), column(COLUMNS.count, 'INT64'),
    ...(byUser ? [column(PARTITION_COLUMN, 'STRING')] : []),
  ];
}

function describe(columns: readonly PartColumn[]): string {
  return columns.map(({ name, type, isRequired }) => `${name} ${type}${isRequired ? '' : ' or nothing'}`).join(', ');
}
