/** `etl-stream generate <folder>`. */
import { count, number } from '../core/figures.ts';
import { generateLogs } from '../index.ts';
import { EXIT_DONE, untilSignalled } from './exit.ts';
import { tellBlock } from './messages.ts';
import { printable } from './printable.ts';

export interface GenerateFlags {
  files: number;
  /** Bytes. */
  size: number;
  users: number;
  duplicates: number;
  badRows: number;
  seed: number;
  overwrite?: boolean;
  quiet?: boolean;
}

export async function generateCommand([folder = '']: readonly string[], flags: GenerateFlags): Promise<number> {
  const { files: fileCount, size, users, duplicates: copies, badRows, seed, overwrite, quiet } = flags;
  const started = performance.now();
  const { files, rows, duplicates, bad } = await untilSignalled((signal) => (
    generateLogs({ folder, files: fileCount, size, users, duplicates: copies, badRows, seed, overwrite: overwrite ?? false, signal })
  ));
  const seconds = (performance.now() - started) / 1000;
  if (!quiet) {
    const text = `${count(rows, 'row')} (${count(duplicates, 'duplicate')}, ${number(bad)} bad) in ${count(files.length, 'file')} in ${printable(folder)}: ` +
      `${seconds.toFixed(2)} s, ${Math.round(size / 1e6 / seconds)} MB/s\n`;
    tellBlock(text, 'generated', { folder, files, rows, duplicates, bad, seconds });
  }
  return EXIT_DONE;
}
