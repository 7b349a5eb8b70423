/** The options that say how CSV is written: the same for every command that reads it. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { DialectOptions } from '../core/dialect.ts';
import { encodings, onErrors, type Encoding, type OnError } from '../core/options.ts';

export interface DialectFlags {
  encoding?: Encoding;
  delimiter?: string;
  quote?: string;
  escape?: string;
  comment?: string;
  /** false: --no-header. */
  header?: boolean;
  columns?: string[];
  skipLines?: number;
  sniff?: boolean;
  onError?: OnError;
  maxRecord?: string;
}

export function addDialectOptions(command: Command): Command {
  return command
    .addOption(new Option('--encoding <name>', 'how text is encoded (default: auto, which goes by the byte order mark, else UTF-8)').choices(encodings))
    .option('--delimiter <text>', 'what stands between fields; \\t is a tab (default: a comma, a tab in *.tsv)', unescaped)
    .option('--quote <character>', 'what stands around fields; "none": nothing (default: ")', (text: string) => (text === 'none' ? '' : unescaped(text)))
    .option('--escape <character>', 'what stands before a quote inside quotes (default: the quote, which is doubled)', unescaped)
    .option('--comment <text>', 'what a line begins with that is no record (default: there are none)', unescaped)
    .option('--no-header', 'the first record is data: columns are named by --columns, or else are those of a log')
    .option('--columns <names>', 'names of the columns, with commas between them, for --no-header', (text: string) => text.split(','))
    .option('--skip-lines <count>', 'lines at the start of each input that are no CSV', wholeNumber)
    .option('--sniff', 'guess what is not said of delimiter, quote and header, and print the guess')
    .addOption(new Option('--on-error <what>', 'what happens to a malformed row: to the rejects with it, fail at the first, repair what can be').choices(onErrors))
    .option('--max-record <size>', 'most bytes of a record; a longer one is a reject (default: 16MB)');
}

/** What they come to; undefined is what was not said. */
export function dialectOf({ delimiter, quote, escape, comment, header, columns, skipLines }: DialectFlags): DialectOptions {
  return { delimiter, quote, escape, comment, header: header === false ? false : undefined, names: columns, skipLines };
}

/** Shells make it hard to write a tab. */
function unescaped(text: string): string {
  return text.replaceAll('\\t', '\t').replaceAll('\\0', '\0');
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
