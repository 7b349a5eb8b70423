/**
 * A statement that was checked, under way: its columns, then its rows in batches. DuckDB itself casts every value to text, and gives its bytes, so that
 * what is shown is what it would show, and a text stays what it is to the last byte.
 */
import { isAscii } from 'node:buffer';
import type { DuckDBBlobVector, DuckDBConnection, DuckDBPreparedStatement, DuckDBResult } from '@duckdb/node-api';
import { NO_VALUE, type PackedBatch } from './messages.ts';
import type { Parameters, ResultColumn } from './source.ts';
import { QueryRefused, type CheckedStatement } from './statement.ts';

/** A batch is full with so many rows, or so many bytes. */
const BATCH_ROWS = 16_384;
const BATCH_BYTES = 1 << 20;
/** Of a column at a time. */
const SLICE_ROWS = 128;
/** A shorter text is copied faster byte by byte. */
const SHORT_BYTES = 24;
/** Chunks are freed by the garbage collector, which sees only the few bytes of their handles: after so many of theirs it is called. With four times as many, texts of 5 KB take 50 MB more. */
const GARBAGE_BYTES = 8 << 20;
const NUMBERS = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL\(.*\)|FLOAT|DOUBLE|BIGNUM)$/;

interface Chunk {
  /** Whose memory the vectors show: while a batch is made of them it must be there, which vectors alone do not see to. */
  readonly owner: unknown;
  readonly vectors: readonly DuckDBBlobVector[];
  readonly rows: number;
  at: number;
}

export class RunningQuery {
  readonly columns: readonly ResultColumn[];
  readonly #result: DuckDBResult;
  readonly #statement: CheckedStatement;
  readonly #check: () => void;
  #chunk: Chunk | undefined;
  #garbage = 0;

  private constructor(columns: readonly ResultColumn[], result: DuckDBResult, statement: CheckedStatement, check: () => void) {
    this.columns = columns;
    this.#result = result;
    this.#statement = statement;
    this.#check = check;
  }

  /** `check` is called now and then while rows are copied. Throws QueryRefused, and what DuckDB throws. */
  static async start(connection: DuckDBConnection, statement: CheckedStatement, parameters: Parameters, check: () => void): Promise<RunningQuery> {
    const columns = await columnsOf(connection, statement, parameters);
    const names = columns.map((_, index) => `c${index}`);
    const texts = names.map((name) => `encode(CAST(${name} AS VARCHAR))`).join(', ');
    // What is explained is a statement by itself: its two columns of text are known.
    const sql = statement.isExplain ? statement.sql : `SELECT ${texts} FROM (\n${statement.sql}\n) AS result(${names.join(', ')})`;
    const prepared = await prepare(connection, sql, parameters);
    const result = await prepared.stream().catch((error: unknown) => {
      throw asGiven(error, statement);
    });
    return new RunningQuery(columns, result, statement, check);
  }

  /** undefined: there are no more. Throws what DuckDB throws. */
  async next(): Promise<PackedBatch | undefined> {
    const packer = this.columns.map(() => new PackedColumn());
    let [rows, bytes] = [0, 0];
    while (rows < BATCH_ROWS && bytes < BATCH_BYTES) {
      this.#chunk ??= await this.#fetch();
      if (!this.#chunk) break;
      const { vectors, at } = this.#chunk;
      const to = Math.min(this.#chunk.rows, at + SLICE_ROWS);
      for (const [index, vector] of vectors.entries()) bytes += packer[index]!.add(vector, at, to);
      rows += to - at;
      this.#chunk.at = to;
      this.#check();
      if (to === this.#chunk.rows) this.#chunk = undefined;
    }
    this.#garbage += bytes;
    if (this.#garbage > GARBAGE_BYTES) {
      globalThis.gc?.();
      this.#garbage = 0;
    }
    return rows === 0 ? undefined : { rows, columns: packer.map((column) => column.end()) };
  }

  async #fetch(): Promise<Chunk | undefined> {
    const chunk = await this.#result.fetchChunk().catch((error: unknown) => {
      throw asGiven(error, this.#statement);
    });
    if (!chunk || chunk.rowCount === 0) return undefined;
    return { owner: chunk, vectors: this.columns.map((_, index) => chunk.getColumnVector(index) as DuckDBBlobVector), rows: chunk.rowCount, at: 0 };
  }
}

/** What DuckDB says of a statement that it was given one line further down. */
function asGiven(error: unknown, { isExplain }: CheckedStatement): unknown {
  if (isExplain || !(error instanceof Error)) return error;
  return new Error(error.message.replace(/^LINE (\d+): (.*)\n( *)\^/m, (_, number: string, line: string, indent: string) => {
    const name = String(Number(number) - 1);
    return `LINE ${name}: ${line}\n${indent.slice(number.length - name.length)}^`;
  }), { cause: error });
}

/** Of a blob, or of a text, which only EXPLAIN gives. */
function bytesAt(vector: DuckDBBlobVector, row: number): Uint8Array | null {
  if (vector.getItemBytes) return vector.getItemBytes(row);
  const text = vector.getItem(row) as unknown as string | null;
  return text === null ? null : Buffer.from(text);
}

/** Grows as it is filled: there may be thousands of them, and few rows. */
class PackedColumn {
  #bytes = Buffer.allocUnsafeSlow(1 << 10);
  #end = 0;
  #lengths = new Uint32Array(SLICE_ROWS);
  #rows = 0;

  /** Gives how many bytes they take. */
  add(vector: DuckDBBlobVector, from: number, to: number): number {
    if (this.#rows + to - from > this.#lengths.length) {
      const longer = new Uint32Array(Math.max(2 * this.#lengths.length, this.#rows + to - from));
      longer.set(this.#lengths);
      this.#lengths = longer;
    }
    const before = this.#end;
    for (let row = from; row < to; row++) {
      const value = bytesAt(vector, row);
      this.#lengths[this.#rows++] = value === null ? NO_VALUE : value.length;
      if (value !== null) this.#append(value);
    }
    return this.#end - before + 4 * (to - from);
  }

  #append(value: Uint8Array): void {
    const { length } = value;
    const at = this.#end;
    if (at + length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, at + length));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    const bytes = this.#bytes;
    if (length <= SHORT_BYTES) for (let n = 0; n < length; n++) bytes[at + n] = value[n]!;
    else bytes.set(value, at);
    this.#end = at + length;
  }

  end(): PackedBatch['columns'][number] {
    const bytes = this.#bytes.subarray(0, this.#end);
    return { bytes, lengths: this.#lengths.subarray(0, this.#rows), isAscii: isAscii(bytes) };
  }
}

/** What the statement gives, by its own names. */
async function columnsOf(connection: DuckDBConnection, { sql, isExplain }: CheckedStatement, parameters: Parameters): Promise<readonly ResultColumn[]> {
  const prepared = await prepare(connection, sql, parameters);
  try {
    return Array.from({ length: prepared.columnCount }, (_, index) => columnOf(prepared.columnName(index), String(prepared.columnType(index))));
  } catch (error) {
    // Types that depend on those of parameters are known when it runs.
    if (isExplain || prepared.parameterCount === 0) throw error;
  } finally {
    prepared.destroySync();
  }
  const empty = await prepare(connection, `SELECT * FROM (\n${sql}\n) AS result LIMIT 0`, parameters);
  const result = await empty.stream();
  return Array.from({ length: result.columnCount }, (_, index) => columnOf(result.columnName(index), String(result.columnType(index))));
}

function columnOf(name: string, type: string): ResultColumn {
  return { name, type, isNumber: NUMBERS.test(type) };
}

/** With its parameters bound. Throws QueryRefused when they are not those that it has. */
export async function prepare(connection: DuckDBConnection, sql: string, parameters: Parameters): Promise<DuckDBPreparedStatement> {
  const prepared = await connection.prepare(sql);
  const names = Array.from({ length: prepared.parameterCount }, (_, index) => prepared.parameterName(index + 1));
  for (const name of Object.keys(parameters)) if (!names.includes(name)) throw new QueryRefused(`The query has no parameter $${name}.`);
  for (const [index, name] of names.entries()) {
    if (!Object.hasOwn(parameters, name)) throw new QueryRefused(`The parameter $${name} has no value.`);
    const value = parameters[name]!;
    const at = index + 1;
    if (value === null) prepared.bindNull(at);
    else if (typeof value === 'string') prepared.bindVarchar(at, value);
    else if (typeof value === 'bigint') prepared.bindHugeInt(at, value);
    else if (Number.isSafeInteger(value)) prepared.bindBigInt(at, BigInt(value));
    else prepared.bindDouble(at, value);
  }
  return prepared;
}
