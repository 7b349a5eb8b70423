/** A failing case made small: fewer options, files, lines, bytes, as long as it still fails. */
import type { FuzzCase, FuzzFile, FuzzOptions } from './random-case.ts';

/** Runs that shrinking may take. */
const MOST_TRIALS = 2500;

/** `fails` tells whether a candidate still shows the fault. Gives the smallest case found. */
export async function shrink(found: FuzzCase, fails: (candidate: FuzzCase) => Promise<boolean>): Promise<FuzzCase> {
  let best = found;
  let trials = 0;
  const accept = async (candidate: FuzzCase): Promise<boolean> => {
    if (trials++ >= MOST_TRIALS || !(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  const withFile = (place: number, bytes: Buffer): FuzzCase => ({
    ...best, files: best.files.map((file, i) => (i === place ? { ...file, bytes } : file)),
  });

  await removeParts([...best.files], (files: FuzzFile[]) => files.length > 0 ? accept({ ...best, files }) : Promise.resolve(false));
  for (const cut of [lines, single]) {
    for (let place = 0; place < best.files.length; place++) {
      await removeParts(cut(best.files[place]!.bytes), (parts) => accept(withFile(place, Buffer.concat(parts))));
    }
  }
  for (const option of Object.keys(best.options) as (keyof FuzzOptions)[]) {
    const { [option]: _, ...options } = best.options;
    await accept({ ...best, options });
  }
  return best;
}

/** Tries to leave out ever shorter runs of parts. */
async function removeParts<T>(parts: T[], accept: (parts: T[]) => Promise<boolean>): Promise<void> {
  for (let run = parts.length; run >= 1; run = Math.floor(run / 2)) {
    for (let at = 0; at < parts.length; ) {
      const candidate = [...parts.slice(0, at), ...parts.slice(at + run)];
      if (await accept(candidate)) parts = candidate;
      else at += run;
    }
  }
}

function lines(bytes: Buffer): Buffer[] {
  return (bytes.toString('latin1').match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$/g) ?? []).map((line) => Buffer.from(line, 'latin1'));
}

function single(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte));
}
