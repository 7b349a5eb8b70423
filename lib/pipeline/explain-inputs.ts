/** What the beginning of each input says to a person: its dialect, its columns. Pipes are not touched. */
import { RFC_4180, type Dialect } from '../core/dialect.ts';
import type { JobOptions } from '../core/options.ts';
import { ruledColumns } from '../core/rules.ts';
import { SAMPLE_BYTES } from '../core/stage.ts';
import { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import { mapHeader } from '../parse/header.ts';
import { readHeader } from '../parse/read-header.ts';
import { describeDialect, SNIFF_BYTES } from '../parse/sniff.ts';
import type { InputFile } from '../source/inputs.ts';
import { TextReader } from '../source/text-reader.ts';
import type { ExplainedInput } from './explanation.ts';
import { Sniffer } from './sniffed.ts';

/** Of inputs that were looked into, in order. Throws ETL_HEADER, as the run would that comes to that input, and ETL_INPUT_READ. */
export async function explainInputs(inputs: readonly InputFile[], options: JobOptions, { windowBytes, signal }: { readonly windowBytes: number; readonly signal: AbortSignal | undefined }): Promise<ExplainedInput[]> {
  const memory = new LinearMemory();
  const kernel = await loadKernel<ParseKernel>('parse', memory);
  const { columns, rules, sniff, dialect: given } = options;
  const sniffer = sniff ? new Sniffer(options) : undefined;
  const isGuessed = sniff && (given.delimiter === undefined || given.quote === undefined || given.header === undefined);
  const wanted = { ...columns, ruled: ruledColumns(rules, columns) };
  const explained: ExplainedInput[] = [];
  for (const input of inputs) {
    signal?.throwIfAborted();
    const { name, size: bytes, content, encoding = 'auto' } = input;
    let dialect = input.dialect ?? RFC_4180;
    let names: readonly string[] | undefined = dialect.header ? undefined : dialect.names;
    if (bytes !== undefined) {
      const beginning = await beginningOf(input, SNIFF_BYTES, windowBytes);
      if (sniffer && beginning.length > 0) dialect = sniffer.guess(input, beginning);
      const namesIn = (sample: Uint8Array, most: number): ReturnType<typeof readHeader> => readHeader(sample, { dialect, name, memory, kernel, whole: sample.length < most });
      names = beginning.length === 0 ? [] : await namesIn(beginning, SNIFF_BYTES);
      if (!names && beginning.length === SNIFF_BYTES) names = await namesIn(await beginningOf(input, SAMPLE_BYTES, windowBytes), SAMPLE_BYTES);
    }
    if (names && names.length > 0) mapHeader(names, wanted, name);
    explained.push({ name, bytes, content, encoding, dialect: isGuessed && bytes === undefined ? undefined : wordsOf(dialect), isGuessed, columns: names });
  }
  return explained;
}

/** The first bytes of its text, at most so many. */
async function beginningOf(input: InputFile, most: number, windowBytes: number): Promise<Uint8Array> {
  const reader = new TextReader(input, windowBytes);
  const buffer = new Uint8Array(most);
  try {
    return buffer.subarray(0, await reader.fill(buffer));
  } finally {
    await reader.close();
  }
}

function wordsOf(dialect: Dialect): string {
  const { quote, escape, comment, skipLines } = dialect;
  const more = [...(escape === quote ? [] : [`escape ${escape}`]), ...(comment === '' ? [] : [`comment ${comment}`]), ...(skipLines === 0 ? [] : [`${skipLines} lines skipped`])];
  return [describeDialect(dialect), ...more].join(', ');
}
