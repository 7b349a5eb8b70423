// What npm test prints: a line per file as it ends, with its seconds, so that a slow one is seen; a test that fails
// or is skipped, what tests print, and the summary at the end as Node's own reporter "spec" has them.
import { relative } from 'node:path';
import { spec } from 'node:test/reporters';

const SHOWN = new Set(['test:fail', 'test:diagnostic', 'test:stdout', 'test:stderr']);

const seconds = (milliseconds, digits) => (milliseconds / 1000).toFixed(digits);

export default async function* report(events) {
  const whole = new spec();
  const begun = performance.now();
  for await (const event of events) {
    const { type, data } = event;
    whole.write(event);
    const said = whole.read();
    if (said !== null && (SHOWN.has(type) || data.skip !== undefined)) yield said;
    if (type === 'test:complete' && data.name === data.file) yield `${seconds(performance.now() - begun, 0).padStart(4)} s  ${relative('.', data.file)}: ${seconds(data.details.duration_ms, 1)} s\n`;
  }
  whole.end();
  for await (const said of whole) yield said;
}
