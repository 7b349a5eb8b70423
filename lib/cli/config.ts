/** `etl-stream config`: the effective value of each option of a run, and who says it. */
import { EXIT_DONE } from './exit.ts';
import { pathOf, variableOf } from './options/settings.ts';
import { keyOf, type CommandContext, type Origin, type Setting } from './options/spec.ts';
import { program } from './options/table.ts';
import { printable, printableJson } from './printable.ts';
import { table } from './table.ts';

export async function configCommand(_: readonly string[], { json }: { readonly json?: boolean }, { settings }: CommandContext): Promise<number> {
  const shown = settings.filter(({ option }) => !option.isCommandLineOnly && option.name !== 'json');
  process.stdout.write(json ? `${printableJson(Object.fromEntries(shown.map(described)))}\n` : formatSettings(shown));
  return EXIT_DONE;
}

function described({ option, value, origin }: Setting): [string, object] {
  return [keyOf(option), { value: value ?? null, default: option.fallback ?? null, ...origin, variable: variableOf(program, option), key: pathOf(program, option) }];
}

/** As aligned text for a person, ending in a line break. */
export function formatSettings(settings: readonly Setting[]): string {
  const rows = settings.map(({ option, value, origin }) => [keyOf(option), printable(valueText(value, option.fallback)), printable(originText(origin))]);
  return table([['option', 'value', 'said by'], ...rows], 3).map((line) => `${line}\n`).join('');
}

function valueText(value: unknown, fallback: string | undefined): string {
  if (value === undefined) return fallback ?? '-';
  if (typeof value === 'string') return JSON.stringify(value);
  return Array.isArray(value) || typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function originText(origin: Origin): string {
  switch (origin.from) {
    case 'flag': return 'the command line';
    case 'environment': return origin.variable;
    case 'file': return origin.file;
    default: return '';
  }
}
