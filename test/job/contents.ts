import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { isReport } from '../../lib/dataset/reports.ts';

/** Path -> hash of every file below a folder, but for reports: they tell of one run. */
export function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(files.map((entry) => {
    const path = join(entry.parentPath, entry.name);
    return [relative(folder, path), createHash('sha256').update(readFileSync(path)).digest('hex')] as const;
  }).filter(([path]) => !isReport(path.slice(path.lastIndexOf('_etl/')))).sort());
}
