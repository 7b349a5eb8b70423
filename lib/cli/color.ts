/** Whether text has colors: decided here for all that is printed. */
import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];
/** Gives `text` in a style, or as it is. */
export type Paint = (style: Style, text: string) => string;

export interface ColorContext {
  /** false: --no-color. */
  readonly flag?: boolean | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Where the text goes. */
  readonly stream?: { readonly isTTY?: boolean | undefined };
}

/** By --no-color, else FORCE_COLOR, else NO_COLOR (no-color.org), else whether a terminal shows it that takes them. */
export function hasColors({ flag, environment = process.env, stream = process.stderr }: ColorContext = {}): boolean {
  const { FORCE_COLOR, NO_COLOR } = environment;
  if (flag === false) return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  return !NO_COLOR && takesControls(stream, environment);
}

/** Whether `stream` is a terminal that can be told where to write. */
export function takesControls(stream: ColorContext['stream'], { TERM }: Readonly<Record<string, string | undefined>>): boolean {
  return stream?.isTTY === true && TERM !== 'dumb';
}

export function painter(colors: boolean): Paint {
  if (!colors) return (_, text) => text;
  // Later Nodes would decide by themselves, and look at standard output.
  const styled = styleText as (style: Style, text: string, options: object) => string;
  return (style, text) => styled(style, text, { validateStream: false });
}
