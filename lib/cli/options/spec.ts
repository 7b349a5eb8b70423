/**
 * What the one table of commands and options (table.ts) is made of. Help, man page, completion, the schema of configuration files,
 * environment variables and the tables of README are made from it, so that none of them can say something else.
 */
import type { Kind } from './kinds.ts';

export interface OptionSpec {
  /** As on the command line, without dashes: `max-rejects`. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** What its value is; undefined: it has none, and is said or not. */
  readonly kind?: Kind;
  /** A phrase for `--help`. */
  readonly about: string;
  /** Of `--no-NAME`. Without a kind there is only that: the option is on unless it is said. */
  readonly negation?: string;
  /** What holds when nothing is said, for people; undefined: nothing. */
  readonly fallback?: string;
  /** The same for a command that wants a value. */
  readonly value?: unknown;
  /** More than `about` for README and the man page: Markdown of one paragraph, without links. */
  readonly detail?: string;
  /** Shown by the short help, `-h`. */
  readonly isCommon?: boolean;
  /** Not to be said in a configuration file, or by an environment variable. */
  readonly isCommandLineOnly?: boolean;
  /** Of one command alone, though another has one of its name: in a file it stands in the command's section. */
  readonly isOwn?: boolean;
  /** The command has to be told. */
  readonly isRequired?: boolean;
}

/** Options under a heading. */
export interface OptionGroup {
  readonly title: string;
  readonly options: readonly OptionSpec[];
}

export interface ArgumentSpec {
  /** `inputs`, `folder`. */
  readonly name: string;
  readonly about: string;
  readonly isOptional?: boolean;
  readonly isVariadic?: boolean;
  readonly completes: 'files' | 'folders' | readonly string[];
}

export interface CommandSpec {
  /** The last word of its name; that of the program for the command without a name. */
  readonly name: string;
  readonly about: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly groups: readonly OptionGroup[];
  /** Commands with what they do. */
  readonly examples: readonly (readonly [command: string, what: string])[];
  readonly commands?: readonly CommandSpec[];
  /** Reads standard input when no input is named: on a terminal, that is a mistake. */
  readonly readsStandardInput?: boolean;
  /** Does the work: loaded when it is wanted. */
  load(): Promise<Handler>;
}

/** A method, so that a command may say which flags it takes. Gives the exit code. */
export interface Handler {
  run(values: readonly string[], flags: object, context: CommandContext): Promise<number>;
}

/** What a command is told besides its arguments and flags. */
export interface CommandContext {
  /** Of each option that has one: the effective value and where it comes from. */
  readonly settings: readonly Setting[];
}

/** An option's effective value. */
export interface Setting {
  readonly option: OptionSpec;
  /** As it was said, or parsed; undefined: nothing was. */
  readonly value: unknown;
  readonly origin: Origin;
}

/** Where a value comes from, the strongest first. */
export type Origin =
  | { readonly from: 'flag' }
  | { readonly from: 'environment'; readonly variable: string }
  | { readonly from: 'file'; readonly file: string; readonly key: string }
  | { readonly from: 'default' };

/** `max-rejects` is `maxRejects` among flags, and in a configuration file. */
export function keyOf({ name }: OptionSpec): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** All options of a command, in the order of its groups. */
export function optionsOf({ groups }: CommandSpec): OptionSpec[] {
  return groups.flatMap(({ options }) => options);
}

/** The command and all below it, with their full names. */
export function* allCommands(command: CommandSpec, before = ''): Generator<{ readonly path: string; readonly command: CommandSpec }> {
  const path = `${before}${command.name}`;
  yield { path, command };
  for (const child of command.commands ?? []) yield* allCommands(child, `${path} `);
}
