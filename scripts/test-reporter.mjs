// What npm test prints: a line per file as it ends, with its tests and seconds, so that a slow one is seen; a test that fails
// or is skipped, what tests print, and the summary at the end as Node's own reporter "spec" has them.
import { relative } from 'node:path';
import { spec } from 'node:test/reporters';

const SHOWN = new Set(['test:fail', 'test:diagnostic', 'test:stdout', 'test:stderr']);

export default async function* report(events) {
  const whole = new spec();
  const counts = new Map();
  const begun = performance.now();
  for await (const event of events) {
    const { type, data } = event;
    whole.write(event);
    const said = whole.read();
    if (said !== null && (SHOWN.has(type) || data.skip !== undefined)) yield said;
    if (type !== 'test:complete') continue;
    if (data.name !== data.file) counts.set(data.file, (counts.get(data.file) ?? 0) + 1);
    else yield `${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s  ${relative('.', data.file)}: ${counts.get(data.file) ?? 0} in ${(data.details.duration_ms / 1000).toFixed(1)} s\n`;
  }
  whole.end();
  for await (const said of whole) yield said;
}
