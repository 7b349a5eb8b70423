/** A small dataset whose users and regions are what an attacker would call them, and what a plain program says is in it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, type RunOptions } from '../../lib/index.ts';
import { writeMmdb } from '../geo/mmdb-writer.ts';
import { random } from '../random.ts';

export const REGIONS = ['US', 'DE', 'ZZ', `<img src=x onerror=alert(1)>`, `' OR 1=1 --`, '"; DROP VIEW watch_time; --', 'ä\n😀', '__proto__', 'x'.repeat(300)];
const USERS = [
  '<script>alert(1)</script>', '=HYPERLINK("http://x")', '+1+1', '-2', '@SUM(A1)', `'quoted`, 'a,b', 'a"b', 'line\nbreak', 'tab\tand', '😀', '\u{10ffff}', '\u{10ffff}x', '\ud7ff', '\ue000', 'ab', 'abc', 'ac', '%', '_', '\\',
];
const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';

export interface ModelRow {
  readonly user: string;
  readonly region: string;
  /** In cents. */
  total: number;
  logs: number;
}

export interface Made {
  readonly output: string;
  /** Of all publications so far, in the order of users, then regions. */
  readonly rows: readonly ModelRow[];
  /** Publishes more, or, without a state, all anew. */
  publish(seed: number, options?: Partial<RunOptions>): Promise<void>;
}

/** Of two decimal places. Five rows of each publication are rejected. */
export async function makeDataset(folder: string, options: Partial<RunOptions> = {}): Promise<Made> {
  writeFileSync(join(folder, 'regions.mmdb'), writeMmdb({
    recordSize: 28, ipVersion: 4, networks: REGIONS.map((name, at) => [`${at + 1}.0.0.0/8`, { place: name }] as const),
  }));
  const output = join(folder, 'out');
  const model = new Map<string, ModelRow>();
  const made = {
    output,
    get rows() {
      return [...model.values()].sort((a, b) => compare(a.user, b.user) || compare(a.region, b.region));
    },
    async publish(seed: number, more: Partial<RunOptions> = {}) {
      const next = random(seed);
      const whole = (below: number): number => Math.floor(next() * below);
      const lines: string[] = [];
      for (let row = 0; row < 3000; row++) {
        const [region, user, cents] = [whole(REGIONS.length), whole(4) === 0 ? USERS[whole(USERS.length)]! : `user_${String(whole(400)).padStart(4, '0')}`, whole(5) === 0 ? whole(4) : whole(20_000)];
        lines.push(`${seed}-${row},${field(user)},t,${region + 1}.1.1.1,${(cents / 100).toFixed(2)}\n`);
        const key = `${region} ${user}`;
        const sum = model.get(key) ?? { user, region: REGIONS[region]!, total: 0, logs: 0 };
        model.set(key, { ...sum, total: sum.total + cents, logs: sum.logs + 1 });
      }
      for (let bad = 0; bad < 5; bad++) lines.push(bad < 3 ? `,<b>no id</b>,t,1.1.1.1,${bad}\n` : `${seed}-bad-${bad},u,t,1.1.1.1,=1+1\n`);
      writeFileSync(join(folder, `${seed}.csv`), HEADER + lines.join(''));
      await run({ inputs: [join(folder, `${seed}.csv`)], output, geoDb: join(folder, 'regions.mmdb'), geoField: 'place', valueScale: 2, jobs: 1, ...options, ...more });
    },
  };
  await made.publish(1);
  return made;
}

/** As bytes of UTF-8 are compared. */
export function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

export function told({ user, region, total, logs }: ModelRow): { user: string; region: string; total: string; logs: number } {
  return { user, region, total: (total / 100).toFixed(2), logs };
}

function field(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
