// The built program in a process that stays: runs each command line that it is sent as if it had just been started for it, and
// sends what was printed, and the exit code. The program's own module is another one each time, what that imports is the same.
import { pathToFileURL } from 'node:url';

const [, , program] = process.argv;
let printed = { stdout: '', stderr: '' };
for (const name of ['stdout', 'stderr']) {
  process[name].setMaxListeners(0);
  process[name].write = (text, ...more) => {
    printed[name] += text;
    more.at(-1)?.();
    return true;
  };
}
process.exit = (code) => void (process.exitCode = code);
const own = { ...process.env };

let runs = 0;
process.on('message', async ({ args, folder, environment }) => {
  printed = { stdout: '', stderr: '' };
  process.exitCode = undefined;
  process.chdir(folder);
  process.argv = [process.execPath, program, ...args];
  process.env = { ...own, ...environment };
  let thrown;
  await import(`${pathToFileURL(program)}?${++runs}`).catch((error) => (thrown = String(error?.stack)));
  process.send({ code: process.exitCode ?? 0, signal: null, ...printed, thrown });
});
