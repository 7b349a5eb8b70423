/** Commands of documents that a test cannot enter here: each with the reason, and with what runs it instead. */
import type { DocumentedCommand } from './commands.ts';

export interface Elsewhere {
  /** What the command begins with. */
  readonly command: string;
  readonly because: string;
}

export const elsewhere: readonly Elsewhere[] = [
  { command: 'npm ci', because: 'it would replace the installation that runs this test; .ci/run begins with it, and runs the demo' },
  { command: 'npm test', because: 'it is what runs this test' },
  { command: 'npm run ', because: 'builds and benchmarks take minutes; .ci/run builds and type-checks, the rest is for whoever works on it. A test below looks that the script exists' },
  { command: 'npm install ', because: 'it changes the machine; .ci/run installs the packed tarball into an empty folder, and uses it' },
  { command: 'etl-stream dashboard ', because: 'it goes on until it is stopped; test/dashboard/ starts it, and opens its page' },
  { command: 'etl-stream run --engine spark', because: 'it needs Spark, or a cluster; test/spark/ runs it on both, test/cli/spark.test.ts with a stand-in' },
  { command: 'python3 -m venv ', because: 'it makes what test/spark/setup.sh makes' },
  { command: 'spark/bin/pip ', because: 'it downloads 450 MB; test/spark/setup.sh does, where Spark is tested' },
  { command: 'docker ', because: 'no engine is needed to test; test/package/docker.test.ts runs the steps of the Dockerfile, and what they make' },
  { command: '.ci/run', because: 'it is what runs all of this' },
];

export function isElsewhere({ text }: DocumentedCommand): boolean {
  return elsewhere.some(({ command }) => text.startsWith(command));
}
