/** Completion for fish. */
import type { CommandSpec } from '../options/spec.ts';
import { commandWords, type CommandWords, type Completes, type Word } from './words.ts';

export function fishCompletion(program: CommandSpec): string {
  const commands = commandWords(program);
  return `# fish completion for etl-stream: save as etl-stream.fish in ~/.config/fish/completions, or
#   etl-stream completion fish | source
function __etl_stream_command
    set -l command ''
    for word in (commandline -opc)[2..]
        switch "$command/$word"
${commands.flatMap(({ path, commands: below }) => below.map(({ name }) => `            case '${path}/${name}'\n                set command '${`${path} ${name}`.trim()}'`)).join('\n')}
        end
    end
    echo $command
end
function __etl_stream_at
    test (__etl_stream_command)_ = "$argv[1]"_
end
complete -c etl-stream -f
${commands.flatMap(linesOf).join('\n')}
`;
}

function linesOf({ path, words, commands, argument }: CommandWords): string[] {
  const at = `complete -c etl-stream -n '__etl_stream_at "${path}"'`;
  return [
    ...commands.map(({ name, about }) => `${at} -a ${name} -d ${quoted(about)}`),
    ...(argument === undefined ? [] : [`${at} ${argumentOf(argument)}`]),
    ...words.map((word) => `${at} ${optionOf(word)}`),
  ];
}

function optionOf({ forms, about, value }: Word): string {
  const [long, short] = forms;
  const names = `-l ${long!.slice(2)}${short ? ` -s ${short.slice(1)}` : ''}`;
  return `${names} -d ${quoted(about)}${value === undefined ? '' : ` ${valueOf(value)}`}`;
}

function valueOf(value: Completes): string {
  if (value === 'files') return '-rF';
  if (value === 'folders') return `-xa '(__fish_complete_directories)'`;
  return value === 'anything' ? '-x' : `-xa '${value.join(' ')}'`;
}

function argumentOf(argument: Completes): string {
  if (argument === 'files') return '-F';
  return argument === 'folders' ? `-a '(__fish_complete_directories)'` : `-a '${Array.isArray(argument) ? argument.join(' ') : ''}'`;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
