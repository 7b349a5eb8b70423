/** Completion for zsh, by its _arguments. */
import type { CommandSpec } from '../options/spec.ts';
import { commandWords, type CommandWords, type Completes, type Word } from './words.ts';

export function zshCompletion(program: CommandSpec): string {
  const commands = commandWords(program);
  return `#compdef etl-stream
# zsh completion for etl-stream: save as _etl-stream in a folder of $fpath, or
#   source <(etl-stream completion zsh)
_etl-stream() {
  local command='' word
  local -i at=1
  local -a options
  # Where _arguments begins: behind the last name of a command.
  local -i from=1
  for word in "\${(@)words[2,CURRENT-1]}"; do
    (( at++ ))
    case "$command/$word" in
${commands.flatMap(({ path, commands: below }) => below.map(({ name }) => `      '${path}/${name}') command='${`${path} ${name}`.trim()}'; from=$at ;;`)).join('\n')}
    esac
  done
  words=("\${(@)words[from,-1]}")
  (( CURRENT -= from - 1 ))
  case "$command" in
${commands.map(caseOf).join('\n')}
  esac
}
if [ "$funcstack[1]" = _etl-stream ]; then _etl-stream "$@"; else compdef _etl-stream etl-stream; fi
`;
}

function caseOf({ path, words, commands, argument }: CommandWords): string {
  const rest = argument === undefined ? [] : [`'*:argument:${action(argument)}'`];
  const call = ['_arguments -s -S', ...words.map(specOf), ...rest].join(' \\\n        ');
  if (commands.length === 0) return `    '${path}')\n      ${call} ;;`;
  const names = commands.map(({ name, about }) => `${quoted(`${name}:${about}`)}`).join(' ');
  // A name of a command may only come first: after it, words begin behind it.
  return `    '${path}')\n      options=(${names})\n      (( CURRENT == 2 )) && [[ "$words[2]" != -* ]] && _describe -t commands command options\n      ${call} ;;`;
}

function specOf({ forms, about, value }: Word): string {
  const spec = `[${about.replace(/[[\]\\]/g, '\\$&')}]${value === undefined ? '' : `:value:${action(value)}`}`;
  const [long, short] = forms;
  const longForm = value === undefined ? long! : `${long!}=`;
  return short === undefined ? quoted(`${longForm}${spec}`) : `'(${forms.join(' ')})'{${longForm},${short}}${quoted(spec)}`;
}

function action(value: Completes): string {
  if (value === 'files') return '_files';
  if (value === 'folders') return '_files -/';
  return value === 'anything' ? ' ' : `(${value.join(' ')})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
