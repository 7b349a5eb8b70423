/** What the beginnings of a run's inputs say before a row is read: decimal places, what users begin with, and guesses at dialects. */
import { isKernelDialect, RFC_4180, type Dialect } from '../core/dialect.ts';
import type { ColumnNames } from '../core/options.ts';
import type { LinearMemory } from '../kernels/linear-memory.ts';
import { loadKernel } from '../kernels/loader.ts';
import type { ParseKernel } from '../kernels/twins/parse.ts';
import { readGeneralSample } from '../parse/general-sample.ts';
import { readSample, type SampleFindings } from '../parse/sample.ts';
import type { BlockSource } from '../source/blocks.ts';
import type { Sniffer } from './sniffed.ts';

/**
 * What the first input says that has a row to tell by. A sniffer is shown all of them. `skipsPipes`: pipes are not touched; what stands
 * behind one then says nothing, since it is for the pipe to say. Throws ETL_HEADER, ETL_INPUT_READ.
 */
export async function sampleOf(
  source: BlockSource, columns: ColumnNames, memory: LinearMemory, { sniffer, skipsPipes = false }: { sniffer?: Sniffer | undefined; skipsPipes?: boolean } = {},
): Promise<SampleFindings | undefined> {
  const kernel = await loadKernel<ParseKernel>('parse', memory);
  let found: SampleFindings | undefined;
  let isSilent = false;
  for await (const { input, bytes } of source.samples({ skipsPipes })) {
    if (skipsPipes && input.size === undefined) isSilent = true;
    if (bytes.length === 0) continue;
    if (sniffer) (input as { dialect?: Dialect }).dialect = sniffer.guess(input, bytes); // whoever reads the input is handed this object later
    if (isSilent && !sniffer) break;
    const { name, dialect = RFC_4180 } = input;
    if (!isSilent) found ??= isKernelDialect(dialect) ? readSample(bytes, columns, { name, dialect, memory, kernel }) : await readGeneralSample(bytes, columns, dialect, name);
    if (found && !sniffer) break;
  }
  return found;
}
