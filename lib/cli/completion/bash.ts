/**
 * Completion for bash, from 4.0 on. Where it proposes nothing, readline does: names of files. `compopt +o default` keeps it from that
 * where a value is no file.
 */
import type { CommandSpec } from '../options/spec.ts';
import { commandWords, type CommandWords, type Completes } from './words.ts';

export function bashCompletion(program: CommandSpec): string {
  const commands = commandWords(program);
  return `# bash completion for etl-stream: put this file where bash-completion looks, or
#   source <(etl-stream completion bash)
_etl_stream() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command='' word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$command/$word" in
${commands.flatMap(({ path, commands: below }) => below.map(({ name }) => `      '${path}/${name}') command='${`${path} ${name}`.trim()}' ;;`)).join('\n')}
    esac
  done
  # readline takes --name=value apart
  if [ "$current" = '=' ]; then current=''; elif [ "$previous" = '=' ]; then previous="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  case "$command $previous" in
${commands.flatMap(valueCases).join('\n')}
  esac
  case "$command" in
${commands.map(wordCase).join('\n')}
  esac
}
complete -o default -F _etl_stream etl-stream
`;
}

/** What comes after an option that has a value. */
function valueCases({ path, words }: CommandWords): string[] {
  return words.flatMap(({ forms, value }) => (
    value === undefined ? [] : [`    ${forms.map((form) => `'${path} ${form}'`).join('|')}) ${propose(value)}; return ;;`]
  ));
}

/** What comes elsewhere: options after a dash, else commands and arguments. */
function wordCase({ path, words, commands, argument }: CommandWords): string {
  const options = words.flatMap(({ forms }) => forms).join(' ');
  const names = [...commands.map(({ name }) => name), ...(Array.isArray(argument) ? argument as string[] : [])].join(' ');
  // With a name of a command before it, what readline proposes has to be proposed here.
  const others = names === '' ? propose(argument ?? 'anything') : `mapfile -t COMPREPLY < <(compgen -W '${names}' -- "$current"${Array.isArray(argument) ? '' : '; compgen -f -- "$current"'}); compopt -o filenames`;
  return `    '${path}') case "$current" in -*) mapfile -t COMPREPLY < <(compgen -W '${options}' -- "$current") ;; *) ${others} ;; esac ;;`;
}

function propose(value: Completes): string {
  if (value === 'files') return ':';
  if (value === 'folders') return `mapfile -t COMPREPLY < <(compgen -d -- "$current"); compopt -o filenames`;
  if (value === 'anything') return 'compopt +o default';
  return `mapfile -t COMPREPLY < <(compgen -W '${value.join(' ')}' -- "$current"); compopt +o default`;
}
