/** All that there is below a folder, with contents and times of change: equal before and after what must touch nothing. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export function treeOf(folder: string): Record<string, string> {
  const names = ['', ...(readdirSync(folder, { recursive: true }) as string[])].sort();
  return Object.fromEntries(names.map((name) => {
    const path = join(folder, name);
    const info = lstatSync(path, { bigint: true });
    const content = info.isSymbolicLink() ? readlinkSync(path) : info.isFile() ? readFileSync(path).toString('latin1') : '';
    return [name, `${info.mode} ${info.ino} ${info.mtimeNs} ${info.ctimeNs} ${content}`];
  }));
}
