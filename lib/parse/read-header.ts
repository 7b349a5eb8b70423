/** The columns of an input, by its beginning alone, as the stage would find them. */
import { isKernelDialect, type Dialect } from '../core/dialect.ts';
import { readGeneralHeader } from './general-sample.ts';
import { headerNames } from './header.ts';
import { scanSample, type SampleOptions } from './sample.ts';

/**
 * The names in the header of an input that begins with `sample`, of which at most SAMPLE_BYTES are looked at; those of the dialect where
 * there is none. undefined: not all of it is there, or it cannot be read. Throws ETL_HEADER when its quotes are malformed.
 */
export async function readHeader(sample: Uint8Array, options: SampleOptions & { readonly dialect: Dialect }): Promise<readonly string[] | undefined> {
  const { dialect, name = 'the input' } = options;
  if (!dialect.header) return dialect.names;
  if (!isKernelDialect(dialect)) return readGeneralHeader(sample, dialect, options.whole);
  return scanSample(sample, options, (scanner, whole) => {
    scanner.oneRecord = true;
    while (scanner.scan(whole) === 'records') if (scanner.next()) return [...headerNames(scanner, name, dialect.quote)];
    return undefined;
  });
}
