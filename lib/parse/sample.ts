/**
 * What a run wants to know before its first row is read, from the start of the first input: how many decimal places the
 * value column has, and what nearly all users begin with. It looks at a fixed number of bytes, so the answer does not depend on
 * how an input is cut into blocks.
 */
import { RFC_4180, type Dialect } from '../core/dialect.ts';
import { MAX_VALUE_SCALE, type ColumnNames } from '../core/options.ts';
import { SAMPLE_BYTES } from '../core/stage.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { ENTRY_BAD, ENTRY_POSITION } from '../kernels/parse-layout.ts';
import { createParseTwin, type ParseKernel } from '../kernels/twins/parse.ts';
import { headerNames, mapHeader, type HeaderMap } from './header.ts';
import { fieldText, isQuoted } from './field-text.ts';
import { INPUT_START } from './cut.ts';
import { Scanner } from './scanner.ts';
import { UserPrefix } from './user-prefix.ts';

export interface SampleFindings {
  /**
   * The most significant decimal places (trailing zeros not counted) that any value has, at most MAX_VALUE_SCALE.
   */
  readonly scale: number;
  /** See UserPrefix. */
  readonly userPrefix: Uint8Array;
  /** Such records, the bytes of the sample, all of it, and of their users. */
  readonly seen: { readonly rows: number; readonly bytes: number; readonly userBytes: number };
}

export interface SampleOptions {
  /** Default RFC_4180. */
  readonly dialect?: Dialect | undefined;
  /** What error messages call the input. */
  readonly name?: string;
  /** The sample is all of the input. Default: it is if it is shorter than SAMPLE_BYTES. */
  readonly whole?: boolean;
  /** Where the sample is parsed; default: a memory of its own, by the kernel's twin. */
  readonly memory?: LinearMemory;
  readonly kernel?: ParseKernel;
}

const POINT = 0x2e;
/** The scan takes 64 bytes at a time. */
const KERNEL_READS_PAST = 128;

/**
 * What `sample` says, by its whole records with the right number of fields and a well-formed value field. `sample` is the
 * start of an input: bytes past SAMPLE_BYTES are not looked at, and a shorter sample is taken for the whole input. undefined
 * when there is no such record, so that nothing can be told. Throws ETL_HEADER, as the stage would.
 */
export function readSample(sample: Uint8Array, columns: ColumnNames, options: SampleOptions = {}): SampleFindings | undefined {
  const { name = 'the input', dialect = RFC_4180 } = options;
  return scanSample(sample, options, (scanner, whole) => findingsOf(scanner, whole, columns, name, dialect, Math.min(sample.length, SAMPLE_BYTES)));
}

/** Scans a sample from its start, behind lines that are skipped. */
export function scanSample<T>(sample: Uint8Array, options: SampleOptions, scan: (scanner: Scanner, whole: boolean) => T): T {
  const { dialect = RFC_4180, memory = new LinearMemory(), kernel = createParseTwin(memory) } = options;
  const bytes = sample.subarray(0, SAMPLE_BYTES);
  const { whole = bytes.length < SAMPLE_BYTES } = options;
  const slabBytes = bytes.length + KERNEL_READS_PAST;
  const ptr = memory.slab(slabBytes, 'sample');
  let scanner: Scanner | undefined;
  try {
    memory.bytes(ptr, bytes.length).set(bytes);
    scanner = new Scanner({ memory, kernel, recordLimit: SAMPLE_BYTES, delimiter: dialect.delimiter, quote: dialect.quote });
    scanner.open(ptr, bytes.length, whole, { ...INPUT_START, skip: dialect.skipLines });
    return scan(scanner, whole);
  } finally {
    scanner?.close();
    memory.giveSlab(ptr, slabBytes);
  }
}

function findingsOf(scanner: Scanner, whole: boolean, columns: ColumnNames, name: string, dialect: Dialect, bytes: number): SampleFindings | undefined {
  const { quote } = dialect;
  let header: HeaderMap | undefined = dialect.header ? undefined : mapHeader(dialect.names, columns, name);
  scanner.expected = header?.fields ?? 0;
  scanner.oneRecord = !header;
  let scale: number | undefined;
  let [rows, userBytes] = [0, 0];
  const users = new UserPrefix();
  while (scanner.scan(whole) === 'records') {
    const { record, index, window } = scanner;
    /** Where the field in this place of the record begins. */
    const startOf = (place: number): number => (place === 0 ? record.start : (index[record.first + place - 1]! & ENTRY_POSITION) + 1);
    while (scanner.next()) {
      if (!header) {
        header = mapHeader(headerNames(scanner, name, quote), columns, name);
        scanner.expected = header.fields;
        scanner.oneRecord = false;
        scanner.scanAgain();
      } else if (record.next - record.first === header.fields) {
        const value = index[record.first + header.value]!;
        if ((value & ENTRY_BAD) !== 0) continue;
        const [from, to] = [startOf(header.value), value & ENTRY_POSITION];
        const places = hasPoint(window, from, to) ? decimals(fieldText(window, from, to, value, quote)) : 0;
        scale = Math.max(scale ?? 0, places);
        const user = index[record.first + header.user]!;
        const quotes = isQuoted(user) ? 1 : 0;
        const [userFrom, userTo] = [startOf(header.user) + quotes, (user & ENTRY_POSITION) - quotes];
        rows++;
        userBytes += userTo - userFrom;
        users.add(window, userFrom, userTo);
      }
    }
  }
  return scale === undefined ? undefined : { scale: Math.min(scale, MAX_VALUE_SCALE), userPrefix: users.choose(), seen: { rows, bytes, userBytes } };
}

function hasPoint(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] === POINT) return true;
  return false;
}

/** Significant decimal places of a value; 0 when it is none. */
export function decimals(text: string): number {
  const places = /^[ \t]*[+-]?(?:\d+\.|\.(?=\d))(\d*)[ \t]*$/.exec(text)?.[1] ?? '';
  let significant = places.length;
  while (significant > 0 && places[significant - 1] === '0') significant--; // a regular expression would be quadratic
  return significant;
}
