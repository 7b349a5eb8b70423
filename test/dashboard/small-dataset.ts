/**
 * A small dataset whose users are hostile, made by two runs, with rejects and duplicates; and what its rows must be, by a plain model
 * that knows the regions of four addresses.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, type Summary } from '../../lib/index.ts';

export const HOSTILE = [
  '<img src=x onerror="document.title=`broken`">', '</script><script>document.title="broken"</script>', '=HYPERLINK("http://example.com","x")', '@SUM(1+1)', '+1', '\u202egnp.exe',
  "'; DROP VIEW watch_time; --", '"quoted", with commas', 'two\nlines', `long-${'x'.repeat(8000)}`, '🦜'.repeat(60), '%', '_', '\u0001\u001b[2J',
] as const;
export const PLAIN = 130;
const ADDRESSES = { US: '8.8.8.8', DE: '5.9.0.1', BR: '200.160.0.8', ZZ: '' } as const;
const REGIONS = Object.keys(ADDRESSES) as (keyof typeof ADDRESSES)[];
const HEADER = 'log_id,user_id,timestamp,ip_address,watch_time(min)\n';

export interface ModelRow {
  readonly user: string;
  readonly region: string;
  /** Hundredths. */
  total: number;
  logs: number;
}

export interface SmallDataset {
  readonly output: string;
  /** Of its two runs. */
  readonly summaries: readonly Summary[];
  /** The most watch time first; no two rows have the same. */
  readonly rows: readonly ModelRow[];
  /** Adds one log of a user of its own. */
  runAgain(user: string): Promise<Summary>;
}

export async function makeSmallDataset(folder: string): Promise<SmallDataset> {
  const output = join(folder, 'out');
  const model = new Map<string, ModelRow>();
  let id = 0;
  const log = (user: string, region: keyof typeof ADDRESSES, hundredths: number): string => {
    const key = JSON.stringify([user, region]);
    const row = model.get(key) ?? { user, region, total: 0, logs: 0 };
    model.set(key, { ...row, total: row.total + hundredths, logs: row.logs + 1 });
    return `id-${++id},"${user.replaceAll('"', '""')}",2026-01-01T00:00:00Z,${ADDRESSES[region]},${(hundredths / 100).toFixed(2)}\n`;
  };
  const add = (name: string, lines: readonly string[]): Promise<Summary> => {
    writeFileSync(join(folder, name), HEADER + lines.join(''));
    return run({ inputs: [join(folder, name)], output, maxRejects: { share: 1 } });
  };
  const plain = Array.from({ length: PLAIN }, (_, at) => log(`user_${String(at).padStart(3, '0')}`, REGIONS[at % 3]!, 1000 + 7 * at));
  const first = await add('first.csv', [
    ...HOSTILE.map((user, at) => log(user, REGIONS[at % 4]!, 90_000 + 11 * at)), ...plain, log('user_001', 'ZZ', 503),
    'bad-1,user_001,t,8.8.8.8,12x\n', 'bad-2,,t,8.8.8.8,1\n', 'bad-3,<img src=x onerror=alert(1)>,t,8.8.8.8,=1+1\n', 'bad-4,user_001,t\n', 'bad-5,user_001,t,8.8.8.8,1441\n',
  ]);
  const second = await add('second.csv', [plain[0]!, plain[1]!, log('user_002', 'DE', 50_001), `bad-6,"\u202e${'y'.repeat(3000)}",t,8.8.8.8,\n`]);
  return {
    output, summaries: [first, second], rows: [...model.values()].sort((a, b) => b.total - a.total),
    runAgain: (user) => add('third.csv', [log(user, 'US', 1)]),
  };
}
