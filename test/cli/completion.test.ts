/** Completion as the shells themselves do it: every option and command of the table, and values. A shell that is not installed is skipped. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bashCompletion } from '../../lib/cli/completion/bash.ts';
import { fishCompletion } from '../../lib/cli/completion/fish.ts';
import { commandWords } from '../../lib/cli/completion/words.ts';
import { zshCompletion } from '../../lib/cli/completion/zsh.ts';
import { compressions } from '../../lib/core/options.ts';
import { program } from '../../lib/cli/options/table.ts';
import { temporaryFolder } from '../temporary.ts';

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '').sort();
const has = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0;

/** What a shell proposes for the last of `words`, in `folder`. */
type Propose = (words: readonly string[], folder: string) => string[];

const shells: Record<string, Propose> = {
  bash: (words, folder) => {
    const script = `${bashCompletion(program)}
      compopt() { :; }; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _etl_stream; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return lines(execFileSync('bash', ['-c', script, 'bash', ...words], { cwd: folder, encoding: 'utf8' }));
  },
  fish: (words, folder) => {
    const script = `${fishCompletion(program)}\ncomplete -C "$argv"`;
    const found = execFileSync('fish', ['--no-config', '-c', script, words.join(' ')], { cwd: folder, encoding: 'utf8' });
    return lines(found).map((line) => line.split('\t')[0]!);
  },
  // What it passes to _arguments and _describe, which would need a terminal.
  zsh: (words, folder) => {
    const script = `compdef() { : }\n${zshCompletion(program)}
      _describe() { print -l -- "\${options[@]%%:*}" }
      _arguments() { local spec; for spec in "$@"; do [[ $spec == *-[a-z]* && $spec != -? ]] && print -- "$spec"; done; : }
      words=("$@"); CURRENT=$#; _etl-stream`;
    const found = execFileSync('zsh', ['-f', '-c', script, 'zsh', ...words], { cwd: folder, encoding: 'utf8' });
    return lines(found).map((line) => line.replace(/^\([^)]*\)/, '').replace(/=?\[.*$/s, '')).sort();
  },
};

for (const [shell, propose] of Object.entries(shells)) {
  test(`${shell} proposes every option of every command`, { skip: !has(shell) && `there is no ${shell}` }, (t) => {
    const folder = temporaryFolder(t);
    for (const { path, words, commands } of commandWords(program)) {
      const said = ['etl-stream', ...path.split(' ').filter(Boolean)];
      const options = propose([...said, '--'], folder).filter((word) => word.startsWith('--'));
      assert.deepEqual(options, words.map(({ forms }) => forms[0]!).sort(), `${shell}: ${path}`);
      if (commands.length === 0) continue;
      const names = propose([...said, ''], folder);
      for (const { name } of commands) assert.ok(names.includes(name), `${shell}: ${path} ${name}`);
    }
  });
}

for (const [shell, propose] of Object.entries(shells).filter(([name]) => name !== 'zsh')) {
  test(`${shell} proposes choices, folders and files where they are values`, { skip: !has(shell) && `there is no ${shell}` }, (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'my logs'));
    writeFileSync(join(folder, 'my.csv'), '');
    assert.deepEqual(propose(['etl-stream', 'logs', '--compression', ''], folder), [...compressions].sort());
    assert.deepEqual(propose(['etl-stream', 'validate', '--on-error', 're'], folder), ['reject', 'repair']);
    assert.match(propose(['etl-stream', '-o', 'my'], folder).join(), /^my\\? logs\/?$/, 'a folder only');
    assert.deepEqual(propose(['etl-stream', '--memory', ''], folder), []);
    const files = propose(['etl-stream', 'my'], folder).join();
    assert.ok(files.includes('my.csv') && files.includes('my'), files);
  });
}

test('bash completes --option=value, which readline takes apart', { skip: !has('bash') }, (t) => {
  assert.deepEqual(shells.bash!(['etl-stream', '--group-by', '=', 'us'], temporaryFolder(t)), ['user']);
  assert.deepEqual(shells.bash!(['etl-stream', '--group-by', '='], temporaryFolder(t)), ['region', 'user']);
});
