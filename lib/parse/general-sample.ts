/** What the start of an input says, as sample.ts, in a dialect that the kernel does not take. */
import type { Dialect } from '../core/dialect.ts';
import { MAX_VALUE_SCALE, type ColumnNames } from '../core/options.ts';
import { SAMPLE_BYTES } from '../core/stage.ts';
import { Framer, type Frame } from './framer.ts';
import { loadFieldReader, textOf, type FieldReader } from './general-fields.ts';
import { fieldsOf } from './general-records.ts';
import { mapHeader, type HeaderMap } from './header.ts';
import { Preamble } from './preamble.ts';
import { decimals, type SampleFindings } from './sample.ts';
import { UserPrefix } from './user-prefix.ts';

/** Whose fields are in memory at a time. */
const RECORDS = 512;

/** As readSample; a header that csv-parse cannot read is told later, by the stage. Throws ETL_HEADER. */
export async function readGeneralSample(
  sample: Uint8Array, columns: ColumnNames, dialect: Dialect, name: string,
): Promise<SampleFindings | undefined> {
  const users = new UserPrefix();
  let header: HeaderMap | undefined = dialect.header ? undefined : mapHeader(dialect.names, columns, name);
  let scale: number | undefined;
  const bytes = Math.min(sample.length, SAMPLE_BYTES);
  let [rows, userBytes] = [0, 0];
  for (const fields of recordsOf(sample, dialect, await loadFieldReader(dialect))) {
    if (!header) {
      if (!fields) return undefined; // the stage says what is wrong with it
      header = mapHeader(fields.map(textOf), columns, name);
    } else if (fields?.length === header.fields) {
      scale = Math.max(scale ?? 0, decimals(fields[header.value]!));
      const user = Buffer.from(fields[header.user]!, 'latin1');
      rows++;
      userBytes += user.length;
      users.add(user, 0, user.length);
    }
  }
  return scale === undefined ? undefined : { scale: Math.min(scale, MAX_VALUE_SCALE), userPrefix: users.choose(), seen: { rows, bytes, userBytes } };
}

/** The names in the header of an input that begins with `sample`; undefined when it cannot be read, or not all of it is there. */
export async function readGeneralHeader(sample: Uint8Array, dialect: Dialect, whole?: boolean): Promise<string[] | undefined> {
  for (const fields of recordsOf(sample, dialect, await loadFieldReader(dialect), whole)) return fields?.map(textOf);
  return undefined;
}

/** Fields of each record, as latin1; undefined of a malformed one. */
function* recordsOf(sample: Uint8Array, dialect: Dialect, read: FieldReader, whole = sample.length < SAMPLE_BYTES): Generator<string[] | undefined> {
  const text = new Preamble(dialect.skipLines).rest(sample.subarray(0, SAMPLE_BYTES), true);
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
  const framer = new Framer(dialect, SAMPLE_BYTES);
  let at = 0;
  for (let frames: Frame[] = []; ; frames = []) {
    for (let frame; frames.length < RECORDS && (frame = framer.next(bytes, at, bytes.length, whole)); at = frame.next) frames.push(frame);
    if (frames.length === 0) return;
    yield* fieldsOf(bytes, frames, read);
  }
}
