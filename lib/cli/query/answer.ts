/** One statement and its result, to wherever that goes. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { EtlError } from '../../core/errors.ts';
import type { DatasetQueries } from '../../index.ts';
import type { Paint } from '../color.ts';
import { StoppedBySignal } from '../exit.ts';
import { csvWriter } from './csv.ts';
import type { Destination } from './destination.ts';
import { writeResult, type Format, type MakeWriter, type TextFormat } from './format.ts';
import { jsonWriter } from './json.ts';
import { tableWriter } from './table.ts';

export interface AnswerOptions {
  readonly format: Format;
  readonly destination: Pick<Destination, 'write' | 'take'>;
  /** It goes to a terminal. */
  readonly isShown: boolean;
  readonly paint: Paint;
  readonly seconds?: number | undefined;
  readonly signal: AbortSignal;
}

/** Gives the number of rows. Rejects with ETL_SQL, ETL_SQL_LIMIT, what the destination throws, and ETL_ABORTED when the signal stopped it. */
export async function answer(queries: DatasetQueries, sql: string, { format, destination, isShown, paint, seconds, signal }: AnswerOptions): Promise<number> {
  const options = { signal, ...(seconds !== undefined && { seconds }) };
  try {
    if (format === 'parquet') {
      const path = join(queries.temp, `result-${randomBytes(4).toString('hex')}.parquet`);
      const { rows } = await queries.exportParquet(sql, path, options);
      await destination.take(path);
      return rows;
    }
    return await writeResult(await queries.query(sql, options), makeWriter(format, isShown, paint), (text) => destination.write(text));
  } catch (error) {
    throw signal.aborted ? stopped(signal) : error;
  }
}

function makeWriter(format: TextFormat, isShown: boolean, paint: Paint): MakeWriter {
  return { table: () => tableWriter({ isShown, paint }), csv: () => csvWriter(isShown), json: () => jsonWriter }[format]();
}

/** As told by whatever was under way, the error may be any. */
function stopped({ reason }: AbortSignal): EtlError {
  const by = reason instanceof StoppedBySignal ? ` by ${reason.signal}` : '';
  return new EtlError('ETL_ABORTED', `The query was stopped${by}.`, { cause: reason, hint: 'Nothing was changed: queries only read.' });
}
