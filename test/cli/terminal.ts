/** A real terminal, by tmux: what stands on its screen, whatever was written to it. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { temporaryFolder } from '../temporary.ts';

const LOOK_MILLISECONDS = 20;
/** A screen that does not become what it should fails the test then. */
const PATIENCE_MILLISECONDS = 30_000;

/** Why there is none to test with; false: there is. */
export const noTerminal: string | false = (() => {
  try {
    execFileSync('tmux', ['-V'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'tmux is not there';
  }
})();

export class Terminal {
  readonly #socket: string;

  /** A window of `columns` by 24 that runs a command of sh in `folder`, and stays when it has ended. */
  constructor(t: TestContext, columns: number, folder: string, command: string) {
    t.after(() => this.#tmux('kill-server')); // before the folder of its socket is gone
    this.#socket = join(temporaryFolder(t), 'tmux'); // one server for each: no other is touched
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', String(columns), '-y', '24', '-c', folder, `${command}; cat`);
  }

  /** The lines that are not empty, those that were scrolled off as well, without spaces at their end. */
  get screen(): string[] {
    return this.#tmux('capture-pane', '-p', '-S', '-').split('\n').map((line) => line.trimEnd()).filter((line) => line !== '');
  }

  /** The same with escapes for colors. */
  get colors(): string {
    return this.#tmux('capture-pane', '-p', '-e');
  }

  /** The first screen that is as wanted. */
  async until(isWanted: (lines: string[]) => boolean): Promise<string[]> {
    for (let waited = 0; waited < PATIENCE_MILLISECONDS; waited += LOOK_MILLISECONDS) {
      const lines = this.screen;
      if (isWanted(lines)) return lines;
      await sleep(LOOK_MILLISECONDS);
    }
    throw new Error(`The screen is still:\n${this.screen.join('\n')}`);
  }

  resize(columns: number): void {
    this.#tmux('resize-window', '-x', String(columns));
  }

  /** Presses keys, as tmux calls them: `C-c`. */
  press(...keys: string[]): void {
    this.#tmux('send-keys', ...keys);
  }

  /** Types text, as it is. */
  type(text: string): void {
    this.#tmux('send-keys', '-l', '--', text.replace(/;$/, '\\;')); // else it ends the command of tmux
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-S', this.#socket, ...args], { encoding: 'utf8', env: { ...process.env, TMUX: undefined } });
  }
}
