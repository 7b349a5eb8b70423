/** Help for people: `--help` says all, `-h` what is needed most, which fits a screen of 80 by 24. */
import { Help, type Command, type Option } from 'commander';
import { optionsOf, type CommandSpec } from './options/spec.ts';

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 too many rows rejected;
129, 130, 143 stopped by SIGHUP, SIGINT, SIGTERM.
`;
/** Of the examples, how many the short help has. */
const SHORT_EXAMPLES = 2;

export class ProgramHelp extends Help {
  readonly #spec: CommandSpec;
  readonly #isShort: boolean;

  constructor(spec: CommandSpec, isShort: boolean) {
    super();
    this.#spec = spec;
    this.#isShort = isShort;
  }

  override formatHelp(command: Command, helper: Help): string {
    if (this.#isShort) return this.#short(command);
    return `${super.formatHelp(command, helper)}${examples(this.#spec.examples)}${command.parent ? '' : EXIT_CODES}`;
  }

  #short(command: Command): string {
    const common = new Set(optionsOf(this.#spec).filter(({ isCommon }) => isCommon).map(({ name }) => name));
    const options = this.visibleOptions(command)
      .filter(({ long }) => long === '--help' || common.has(long!.replace(/^--(no-)?/, '')))
      .map((option) => [this.optionTerm(option), aboutOf(this.#spec, option)] as const);
    const width = Math.max(...options.map(([term]) => term.length));
    const commands = this.visibleCommands(command).map((child) => child.name());
    return [
      `Usage: ${this.commandUsage(command)}`, '', this.boxWrap(this.commandDescription(command), 80), '',
      ...options.map(([term, about]) => `  ${term.padEnd(width)}  ${about}`),
      ...(commands.length === 0 ? [] : ['', ...this.boxWrap(`Commands: ${commands.filter((name) => name !== 'help').join(', ')}; each has its --help`, 80).split('\n')]),
    ].join('\n') + `\n${examples(this.#spec.examples.slice(0, SHORT_EXAMPLES))}`;
  }
}

function aboutOf(spec: CommandSpec, { long, negate }: Option): string {
  if (long === '--help') return 'print all there is; -h: what is needed most';
  const option = optionsOf(spec).find(({ name }) => `--${negate ? 'no-' : ''}${name}` === long)!;
  return negate ? option.negation! : option.about;
}

function examples(given: CommandSpec['examples']): string {
  const lines = given.flatMap(([line, what]) => (what === '' ? [`  $ ${line}`] : `  $ ${line}  # ${what}`.length <= 80 ? [`  $ ${line}  # ${what}`] : [`  # ${what}`, `  $ ${line}`]));
  return lines.length === 0 ? '' : `\nExamples:\n${lines.join('\n')}\n`;
}
