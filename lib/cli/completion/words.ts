/** What there is to complete after a command's name: the same for all shells. */
import { allCommands, optionsOf, type CommandSpec, type OptionSpec } from '../options/spec.ts';

/** As a shell types it: `--output` and `-o`, or `--no-state`. */
export interface Word {
  /** The long form first. */
  readonly forms: readonly string[];
  readonly about: string;
  readonly value: Completes | undefined;
}

/** What an option's or argument's value is completed by; `anything`: by nobody. */
export type Completes = 'files' | 'folders' | 'anything' | readonly string[];

export interface CommandWords {
  /** Without the program's name: '' is a run, else `state check`. */
  readonly path: string;
  readonly about: string;
  readonly words: readonly Word[];
  readonly commands: readonly CommandSpec[];
  /** Of its arguments; undefined: it has none. */
  readonly argument: Completes | undefined;
}

/** Every command, the program itself first. */
export function commandWords(program: CommandSpec): CommandWords[] {
  return [...allCommands(program)].map(({ path, command }) => ({
    path: path.slice(program.name.length).trim(),
    about: command.about,
    words: [...optionsOf(command).flatMap(wordsOf), ...common(command === program)],
    commands: command.commands ?? [],
    argument: command.arguments[0]?.completes,
  }));
}

function wordsOf({ name, short, kind, about, negation }: OptionSpec): Word[] {
  const words: Word[] = [];
  const value = kind && (kind.choices ?? kind.completes ?? 'anything');
  if (kind !== undefined || negation === undefined) words.push({ forms: [`--${name}`, ...(short ? [`-${short}`] : [])], about, value });
  if (negation !== undefined) words.push({ forms: [`--no-${name}`], about: negation, value: undefined });
  return words;
}

function common(isProgram: boolean): Word[] {
  const help: Word = { forms: ['--help', '-h'], about: 'print what there is', value: undefined };
  return isProgram ? [help, { forms: ['--version', '-V'], about: 'print the version', value: undefined }] : [help];
}
