/** A rule that a field breaks, as a sentence. */
import type { Rule } from '../core/rules.ts';
import { MAX_CHECKED_BYTES } from './field-checks.ts';

const TYPES = { integer: 'a whole number', number: 'a decimal number', timestamp: 'a date or time as ISO 8601 writes it', ip: 'an IP address' } as const;
/** Characters of a pattern or list that are told. */
const SHOWN = 200;

/** `shown`: the field, or what it begins with, in quotes; `bytes`: how many it has. */
export function ruleMessage({ column, check }: Rule, shown: string, bytes: number): string {
  const field = `The column ${JSON.stringify(column)} has ${shown}, which`;
  if (bytes > MAX_CHECKED_BYTES && check.kind !== 'one-of') return `${field} has ${bytes} bytes; rules are tried on ${MAX_CHECKED_BYTES} at most.`;
  switch (check.kind) {
    case 'required':
      return `The column ${JSON.stringify(column)} is empty.`;
    case 'type':
      return `${field} is not ${TYPES[check.type]}.`;
    case 'min':
      return `${field} is not at least ${check.bound}.`;
    case 'max':
      return `${field} is not at most ${check.bound}.`;
    case 'pattern':
      return `${field} does not match ${short(check.pattern)}.`;
    case 'one-of':
      return `${field} is none of ${short(check.values.join(', '))}.`;
    case 'optional':
      throw new Error('nothing breaks it');
  }
}

function short(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
