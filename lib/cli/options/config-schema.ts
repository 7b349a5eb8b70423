/** The schema of a configuration file, made from the table: what may stand in it, and of which type. */
import * as z from 'zod';
import { keyOf, optionsOf, allCommands, type OptionSpec } from './spec.ts';
import { sectionOf } from './settings.ts';
import { program } from './table.ts';

/** Strict: it takes no key that is no option. */
export function configSchema(): z.ZodObject {
  const sections = new Map<string, Record<string, z.ZodType>>();
  const top: Record<string, z.ZodType> = { $schema: z.string().optional() };
  for (const { command } of allCommands(program)) {
    for (const option of optionsOf(command)) {
      if (option.isCommandLineOnly) continue;
      const section = sectionOf(command, option);
      if (section !== undefined && !sections.has(section)) sections.set(section, {});
      (section === undefined ? top : sections.get(section)!)[keyOf(option)] ??= valueSchema(option).optional().describe(option.about || option.negation!);
    }
  }
  for (const [name, options] of sections) top[name] = z.strictObject(options).optional().describe(`Options of etl-stream ${name} alone.`);
  return z.strictObject(top);
}

/** The same as JSON Schema, for editors. */
export function configJsonSchema(): object {
  return { title: 'etl-stream.config.json', ...z.toJSONSchema(configSchema()) };
}

function valueSchema({ kind, negation }: OptionSpec): z.ZodType {
  if (kind === undefined) return z.boolean();
  const text = kind.choices ? z.enum(kind.choices as [string, ...string[]]) : z.string();
  const value = kind.json === 'text' ? [text] : [text, kind.json === 'list' ? z.array(z.string()) : z.number()];
  const accepted = negation === undefined ? value : [...value, z.literal(false)];
  if (accepted.length === 1) return text;
  return z.union(accepted, { error: `it must be a ${kind.json === 'list' ? 'text or a list of texts' : kind.json}${negation === undefined ? '' : ', or false'}` });
}
