/** The tables of options in README, from the table. Written there by `npm run docs`: they are no part of the program. */
import { allCommands, optionsOf, type CommandSpec, type OptionSpec } from './spec.ts';
import { sectionOf } from './settings.ts';

/** A table for each group of a run's options, and one for each command with options of its own. */
export function optionTables(program: CommandSpec): string {
  const runs = program.groups.map(({ title, options }) => `**${title}**\n\n${tableOf(options)}`);
  const others = [...allCommands(program)].slice(1).flatMap(({ path, command }) => {
    const own = optionsOf(command).filter((option) => sectionOf(command, option) !== undefined);
    return own.length === 0 ? [] : [`**\`${path}\`**\n\n${tableOf(own)}`];
  });
  return [...runs, ...others].join('\n\n');
}

function tableOf(options: readonly OptionSpec[]): string {
  return ['| option | what it says |', '|---|---|', ...options.map(rowOf)].join('\n');
}

function rowOf({ name, short, kind, about, negation, fallback, detail }: OptionSpec): string {
  const value = kind ? ` ${kind.choices ? kind.choices.join('\\|') : kind.placeholder.toUpperCase()}` : '';
  const forms = [
    ...(kind || negation === undefined ? [`\`${short ? `-${short}, ` : ''}--${name}${value}\``] : []),
    ...(negation === undefined ? [] : [`\`--no-${name}\``]),
  ];
  const phrase = about || negation!;
  const sentence = detail ?? `${phrase.charAt(0).toUpperCase()}${phrase.slice(1)}.`;
  const preset = fallback === undefined || sentence.includes('Default:') ? '' : ` Default: ${/^[.\w"]\S*$/.test(fallback) ? `\`${fallback}\`` : fallback}.`;
  return `| ${forms.join(', ')} | ${`${sentence}${preset}`.replaceAll('|', '\\|').replaceAll('\\\\|', '\\|')} |`;
}
