// Runs every test, or the files named, two files at a time (ETL_TEST_FILES). The build has to be there (npm test sees to that); threads of
// jobs run it, since they begin in a fifth of the time that sources take.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

// What needs Apache Spark has a script of its own (npm run test:spark).
const found = readdirSync('test', { recursive: true }).filter((file) => file.endsWith('.test.ts')).map((file) => join('test', file)).filter((file) => !file.startsWith(join('test', 'spark'))).sort();
const files = process.argv.length > 2 ? process.argv.slice(2) : found;
if (files.length === 0) throw new Error('no tests were found');
// Of a file, in milliseconds: what hangs is named, and ends. None by default: long forms take hours.
const timeout = process.env.ETL_TEST_TIMEOUT ? [`--test-timeout=${process.env.ETL_TEST_TIMEOUT}`] : [];
const { status } = spawnSync(process.execPath, ['--import', 'tsx', '--test', `--test-concurrency=${process.env.ETL_TEST_FILES ?? 2}`, ...timeout, '--test-reporter=./scripts/test-reporter.mjs', ...files], {
  stdio: 'inherit', env: { ...process.env, ETL_TEST_BUILT: '1' },
});
process.exit(status ?? 1);
