/** A failing case made small: fewer options, files, lines, bytes, as long as it still fails. */
import type { FuzzCase, FuzzOptions } from './random-case.ts';

/** Shrinking ends after so long, however far it got. */
const MOST_MILLISECONDS = 60_000;

/** `fails` tells whether a candidate still shows the fault. Gives the smallest case found. */
export async function shrink(found: FuzzCase, fails: (candidate: FuzzCase) => Promise<boolean>): Promise<FuzzCase> {
  let best = found;
  const end = Date.now() + MOST_MILLISECONDS;
  const accept = async (candidate: FuzzCase): Promise<boolean> => {
    if (!(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  const withFile = (place: number, parts: string[]): FuzzCase => ({
    ...best, files: best.files.map((file, i) => (i === place ? { ...file, bytes: Buffer.from(parts.join(''), 'latin1') } : file)),
  });

  await removeParts([...best.files], end, async (files) => files.length > 0 && accept({ ...best, files }));
  for (const cut of [lines, single]) {
    for (let place = 0; place < best.files.length; place++) {
      await removeParts(cut(best.files[place]!.bytes.toString('latin1')), end, (parts) => accept(withFile(place, parts)));
    }
  }
  for (const option of Object.keys(best.options) as (keyof FuzzOptions)[]) {
    const { [option]: _, ...options } = best.options;
    await accept({ ...best, options });
  }
  return best;
}

/** Tries to leave out ever shorter runs of parts. */
async function removeParts<T>(parts: T[], end: number, accept: (parts: T[]) => Promise<boolean>): Promise<void> {
  for (let run = parts.length; run >= 1; run = Math.floor(run / 2)) {
    for (let at = 0; at < parts.length && Date.now() < end; ) {
      const candidate = [...parts.slice(0, at), ...parts.slice(at + run)];
      if (await accept(candidate)) parts = candidate;
      else at += run;
    }
  }
}

/** With their ends. */
function lines(text: string): string[] {
  return text.match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$/g) ?? [];
}

function single(text: string): string[] {
  return text.split('');
}
