// Reads PowerShell by its grammar (tree-sitter): syntax errors, parameters, and the values of simple expressions.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Language, type Node, Parser } from 'web-tree-sitter';

export type { Node } from 'web-tree-sitter';

const require = createRequire(import.meta.url);

export async function powershellParser(): Promise<Parser> {
  await Parser.init();
  const file = require.resolve('tree-sitter-powershell/tree-sitter-powershell.wasm');
  const parser = new Parser();
  parser.setLanguage(await Language.load(readFileSync(file)));
  return parser;
}

export const findNodes = (node: Node, type: string): Node[] =>
  node.type === type ? [node] : node.children.flatMap((child) => (child === null ? [] : findNodes(child, type)));

/** `line:column text` of everything the grammar could not read. */
export function syntaxErrors(node: Node): string[] {
  const own =
    node.isError || node.isMissing ? [`${node.startPosition.row + 1}:${node.startPosition.column} ${node.text}`] : [];
  return [...own, ...node.children.flatMap((child) => (child === null ? [] : syntaxErrors(child)))];
}

export interface Parameter {
  readonly name: string;
  readonly isMandatory: boolean;
  /** Text of the default, undefined when there is none. */
  readonly fallback: string | undefined;
}

/** Parameters of the script itself, in order. */
export function scriptParameters(root: Node): Parameter[] {
  const [block] = findNodes(root, 'param_block');
  if (block === undefined) return [];
  return findNodes(block, 'script_parameter').map((node) => {
    const [, name = '', fallback] = /\$(\w+)(?:\s*=\s*([\s\S]+))?$/.exec(node.text) ?? [];
    return { name, isMandatory: node.text.includes('Mandatory'), fallback };
  });
}

export type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: Value };

/**
 * The value of an expression as the runbooks write them: literals, variables, hash tables, strings with
 * `$([uri]::EscapeDataString($X))`, `$X` and `$($Table[$Key])`, and `@(Split-List $X)`. Throws on anything else.
 */
export function evaluate(node: Node, variables: ReadonlyMap<string, Value>): Value {
  const [only, ...more] = node.namedChildren.filter((child): child is Node => child !== null);
  switch (node.type) {
    case 'hash_literal_expression':
      return Object.fromEntries(
        (only?.namedChildren ?? []).flatMap((entry) => {
          const [key, value] = entry?.namedChildren ?? [];
          return key && value ? [[key.text, evaluate(value, variables)] as const] : [];
        }),
      );
    case 'array_expression':
      return splitList(node.text, variables);
    case 'variable':
      return variableOf(node.text.slice(1), variables);
    case 'string_literal':
      return node.text.startsWith("'") ? node.text.slice(1, -1) : expand(node.text.slice(1, -1), variables);
  }
  if (only === undefined || more.length > 0) throw new Error(`not understood: ${node.type} ${node.text}`);
  return evaluate(only, variables);
}

function variableOf(name: string, variables: ReadonlyMap<string, Value>): Value {
  const value = variables.get(name);
  if (value === undefined) throw new Error(`unknown variable ${name}`);
  return value;
}

function splitList(text: string, variables: ReadonlyMap<string, Value>): string[] {
  const [, name] = /^@\(Split-List \$(\w+)\)$/.exec(text) ?? [];
  if (name === undefined) throw new Error(`not understood: ${text}`);
  return String(variableOf(name, variables))
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

function expand(text: string, variables: ReadonlyMap<string, Value>): string {
  const expanded = text.replace(
    /\$\(\[uri\]::EscapeDataString\(\$(\w+)\)\)|\$\(\$(\w+)\[\$(\w+)\]\)|\$(\w+)/g,
    (_all, escaped?: string, table?: string, key?: string, plain?: string) => {
      if (escaped !== undefined) return encodeURIComponent(String(variableOf(escaped, variables)));
      if (plain !== undefined) return String(variableOf(plain, variables));
      const entries = variableOf(table ?? '', variables) as Record<string, Value>;
      return String(entries[String(variableOf(key ?? '', variables))]);
    },
  );
  if (expanded.includes('$')) throw new Error(`not understood: ${text}`);
  return expanded;
}
