// Shell completion, made from commander's own tree: bash, zsh and fish. Words only; vips and regions are not asked for.
import type { Command } from 'commander';

interface Node {
  /** `audit list`; empty for the program itself. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly about: string }[];
}

function nodesOf(command: Command, path = ''): Node[] {
  const verbs = command.commands.filter((child) => child.name() !== 'help');
  const options = [...command.options, ...(path === '' ? [] : (command.parent?.options ?? []))];
  const choices = command.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
  const words = [
    ...verbs.map((child) => ({ word: child.name(), about: child.description() })),
    ...choices.map((word) => ({ word, about: '' })),
    ...options.flatMap(({ long, description }) => (long ? [{ word: long, about: description }] : [])),
  ];
  return [{ path, words }, ...verbs.flatMap((child) => nodesOf(child, `${path} ${child.name()}`.trim()))];
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export function completionScript(program: Command, shell: 'bash' | 'zsh' | 'fish'): string {
  const nodes = nodesOf(program);
  if (shell === 'fish') return fish(program.name(), nodes);
  return shell === 'bash' ? bash(program.name(), nodes) : zsh(program.name(), nodes);
}

/** The longest path that the words typed so far name. */
const finder = (nodes: readonly Node[], words: string): string => `  local at= word
  for word in ${words}; do
    case "$at $word" in
${nodes.flatMap(({ path }) => (path === '' ? [] : [`      ${quote(path.includes(' ') ? path : ` ${path}`)}) at=${quote(path)} ;;`])).join('\n')}
    esac
  done`;

const bash = (name: string, nodes: readonly Node[]): string => `# eval "$(${name} completion bash)"
_${name}() {
${finder(nodes, `"\${COMP_WORDS[@]:1:COMP_CWORD-1}"`)}
  local words=
  case "$at" in
${nodes.map(({ path, words }) => `    ${quote(path)}) words=${quote(words.map(({ word }) => word).join(' '))} ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _${name} ${name}`;

const zsh = (name: string, nodes: readonly Node[]): string => `#compdef ${name}
# source <(${name} completion zsh)
_${name}() {
  local -a offered
${finder(nodes, `"\${(@)words[2,CURRENT-1]}"`)}
  case "$at" in
${nodes
  .map(({ path, words }) => {
    const offered = words.map(({ word, about }) => quote(`${word}:${about.replaceAll(':', '\\:')}`));
    return `    ${quote(path)}) offered=(${offered.join(' ')}) ;;`;
  })
  .join('\n')}
  esac
  _describe '${name}' offered
}
compdef _${name} ${name}`;

function fish(name: string, nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, words }) => {
    const seen = path
      .split(' ')
      .filter((part) => part !== '')
      .map((part) => `__fish_seen_subcommand_from ${part}`);
    const when = seen.length === 0 ? '__fish_use_subcommand' : seen.join('; and ');
    return words.map(({ word, about }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
      return `complete -c ${name} -n ${quote(when)} ${what} -d ${quote(about)}`;
    });
  });
  return [`# ${name} completion fish | source`, ...lines].join('\n');
}
