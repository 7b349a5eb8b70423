/** One Spark session for all questions of a process: session.py, which begins with the first of them. */
import { after } from 'node:test';
import { PythonProcess } from './python-process.ts';

let session: PythonProcess | undefined;
let before: Promise<unknown> = Promise.resolve();
after(() => session?.end());

/** What `answer` says to that, in the module of that name beside session.py. */
export function ask<T>(name: string, question: unknown): Promise<T> {
  // One after another: hooks of several files are not.
  const answer = before.then(() => answered(name, question)) as Promise<T>;
  before = answer.catch(() => undefined);
  return answer;
}

async function answered(name: string, question: unknown): Promise<unknown> {
  session ??= new PythonProcess('session.py');
  session.say([name, question]);
  for (;;) {
    const line = await session.line(`no answer of ${name}.py`);
    if (line.startsWith('answer: ')) return JSON.parse(line.slice('answer: '.length));
  }
}
