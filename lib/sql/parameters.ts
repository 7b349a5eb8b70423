/** What may be bound: said before it is sent. */
import { EtlError } from '../core/errors.ts';
import type { Parameters, ParameterValue } from './source.ts';

/** As they are sent. Throws ETL_SQL for what is none. */
export function checkedParameters(parameters: Parameters = {}): Parameters {
  for (const [name, value] of Object.entries(parameters)) {
    if (!isBindable(value)) throw new EtlError('ETL_SQL', `The parameter $${name} must be a text, a number, a whole number of at most 128 bits, or null.`, { hint: 'Other values are made of texts: $name::DATE.' });
  }
  return { ...parameters };
}

function isBindable(value: ParameterValue): boolean {
  return value === null || typeof value === 'string' || typeof value === 'number' || (typeof value === 'bigint' && BigInt.asIntN(128, value) === value);
}
