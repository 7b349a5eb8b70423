/**
 * The kinds of values that options have: what people call them, how text becomes a value, what a configuration file may hold
 * instead of text, and what a shell completes. `where` is what the value was said by: `--memory`, `ETL_STREAM_MEMORY`, a key of a file.
 */
import { parseRule } from '../../core/rules.ts';
import { EtlError } from '../../core/errors.ts';
import { parseDate, parseDuration } from '../duration.ts';
import { parseMaxRejects } from '../max-rejects.ts';
import { parseSize } from '../size.ts';

export interface Kind {
  /** In angle brackets: `--memory <size>`. */
  readonly placeholder: string;
  /** What JSON may say it by; `list` is one of texts. */
  readonly json: 'text' | 'text or number' | 'list';
  /** Throws ETL_USAGE. Without it a text stays as it is. */
  parse?(text: string, where: string): unknown;
  /** The only texts there are. */
  readonly choices?: readonly string[];
  /** What a shell proposes; a path in a file is one from the file's folder. */
  readonly completes?: 'files' | 'folders';
  /** The option may come again, and has a list of all values. In a variable there is one a line. */
  readonly isRepeatable?: boolean;
}

/** Any text, or what `parse` makes of it. */
export function text(placeholder: string, parse?: Kind['parse']): Kind {
  return { placeholder, json: 'text', ...(parse && { parse }) };
}

export const name = text('name');
export const folder: Kind = { placeholder: 'folder', json: 'text', completes: 'folders' };
export const file: Kind = { placeholder: 'file', json: 'text', completes: 'files' };
export const size: Kind = { placeholder: 'size', json: 'text or number', parse: parseSize };
export const duration: Kind = { placeholder: 'time', json: 'text', parse: parseDuration };
export const date: Kind = { placeholder: 'date', json: 'text', parse: parseDate };
export const limit: Kind = { placeholder: 'limit', json: 'text or number', parse: parseMaxRejects };
export const rule: Kind = { placeholder: 'column:rule', json: 'list', parse: parseRule, isRepeatable: true };
export const sparkConf: Kind = {
  placeholder: 'key=value', json: 'list', isRepeatable: true,
  parse(given, where) {
    if (/^spark\.[^=\s]+=/.test(given)) return given;
    throw new EtlError('ETL_USAGE', `${where} must be KEY=VALUE, with a key that begins with "spark.", not ${JSON.stringify(given)}.`);
  },
};
export const character = text('character', unescaped);
export const names: Kind = { placeholder: 'names', json: 'list', parse: (given) => given.split(',') };

export function whole(placeholder = 'count'): Kind {
  return {
    placeholder, json: 'text or number',
    parse(given, where) {
      if (/^\d{1,15}$/.test(given)) return Number(given);
      throw new EtlError('ETL_USAGE', `${where} must be a whole number, not ${JSON.stringify(given)}.`);
    },
  };
}

export const share: Kind = {
  placeholder: 'share', json: 'text or number',
  parse(given, where) {
    if (/^\d*\.?\d+$/.test(given)) return Number(given);
    throw new EtlError('ETL_USAGE', `${where} must be a number such as 0.08, not ${JSON.stringify(given)}.`);
  },
};

export function oneOf(placeholder: string, choices: readonly string[]): Kind {
  return {
    placeholder, json: 'text', choices,
    parse(given, where) {
      if (choices.includes(given)) return given;
      throw new EtlError('ETL_USAGE', `${where} must be one of ${choices.join(', ')}, not ${JSON.stringify(given)}.`);
    },
  };
}

/** Shells make it hard to write a tab. */
export function unescaped(given: string): string {
  return given.replaceAll('\\t', '\t').replaceAll('\\0', '\0');
}
