import { EtlError } from '../core/errors.ts';
import type { MaxRejects } from '../core/options.ts';

/** `100`: so many rows; `0.5%`: a share of all. Throws ETL_USAGE naming the option. */
export function parseMaxRejects(text: string, option = '--max-rejects'): MaxRejects {
  const [, number, percent] = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(text.trim()) ?? [];
  if (number !== undefined && percent === '%' && Number(number) <= 100) return { share: Number(number) / 100 };
  if (number !== undefined && percent === '' && /^\d{1,15}$/.test(number)) return { rows: Number(number) };
  throw new EtlError('ETL_USAGE', `${option} must be a number of rows, or a share such as 5%, not ${JSON.stringify(text)}.`);
}
