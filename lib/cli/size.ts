import { EtlError } from '../core/errors.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1, B: 1, K: 1e3, KB: 1e3, M: 1e6, MB: 1e6, G: 1e9, GB: 1e9, T: 1e12, TB: 1e12, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40,
};

/** Bytes of a size such as `1GB` (1000^3), `256MiB` (1024^2), `1.5G` or `4096`. Throws ETL_USAGE naming the option. */
export function parseSize(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = UNITS[(match?.[2] ?? '').toUpperCase()];
  const bytes = match && unit !== undefined ? Math.round(Number(match[1]) * unit) : NaN;
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new EtlError('ETL_USAGE', `${option} must be a size such as 500MB, 1.5GB or 256MiB, not ${JSON.stringify(text)}.`);
}
