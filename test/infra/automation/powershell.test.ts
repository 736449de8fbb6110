// The PowerShell runbooks by their grammar: they parse, declare what Azure Automation wants, and ask as the vectors say.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  evaluate,
  findNodes,
  type Node,
  powershellParser,
  scriptParameters,
  syntaxErrors,
  type Value,
} from '../../support/powershell.ts';
import { pythonFile } from '../../support/runbooks.ts';

interface Vector {
  readonly name: string;
  readonly runbook: string;
  readonly parameters: Readonly<Record<string, Value>>;
  readonly request: { readonly method: string; readonly path: string; readonly body: Readonly<Record<string, Value>> };
}
const VECTORS = JSON.parse(readFileSync('test/vectors/runbooks.json', 'utf8')) as Vector[];
const NAMES = [
  'Start-AnycastFailover',
  'Start-AnycastFailback',
  'Set-AnycastDrain',
  'Start-AnycastDrill',
  'Test-AnycastHealth',
];
const textOf = (name: string) => readFileSync(`infra/automation/powershell/${name}.ps1`, 'utf8');
const roots = new Map<string, Node>();
const rootOf = (name: string): Node => roots.get(name) as Node;

beforeAll(async () => {
  const parser = await powershellParser();
  for (const name of NAMES) roots.set(name, parser.parse(textOf(name))?.rootNode as Node);
});

describe.each(NAMES)('%s', (name) => {
  test('parses', () => {
    expect(syntaxErrors(rootOf(name))).toEqual([]);
  });
  test('has help for itself and every parameter', () => {
    const text = textOf(name);
    for (const section of ['SYNOPSIS', 'DESCRIPTION', 'EXAMPLE', 'OUTPUTS', 'NOTES', 'LINK'])
      expect(text).toContain(`.${section}\n`);
    for (const parameter of scriptParameters(rootOf(name))) expect(text).toContain(`.PARAMETER ${parameter.name}\n`);
  });
  test('asks nobody, writes nothing that a job would lose, and ends failed jobs as failed', () => {
    const text = textOf(name);
    expect(text).toContain("$ConfirmPreference = 'None'");
    expect(text).toContain("$ErrorActionPreference = 'Stop'");
    expect(text).not.toMatch(/Write-Host|Write-Progress -|Read-Host|Disconnect-AzAccount|Connect-AzAccount/);
    expect(text.trimEnd()).toMatch(/catch \{\n {4}Stop-Failed \$_\n\}$/);
  });
  test('calls only functions that it defines or that PowerShell has', () => {
    const root = rootOf(name);
    const own = findNodes(root, 'function_name').map((node) => node.text);
    const known = ['Write-Output', 'Write-Error', 'Get-AutomationVariable', 'ForEach-Object', 'Where-Object'];
    const builtIn = ['ConvertTo-Json', 'ConvertFrom-Json', 'Invoke-WebRequest', 'Start-Sleep'];
    const called = new Set(findNodes(root, 'command_name').map((node) => node.text));
    expect([...called].filter((one) => ![...own, ...known, ...builtIn].includes(one))).toEqual([]);
  });
});

test('the common part is the same in every runbook', () => {
  const parts = NAMES.map((name) => /# ---- the same[\s\S]*: end ----/.exec(textOf(name))?.[0] ?? name);
  expect(new Set(parts).size).toBe(1);
});

describe.each(NAMES)('%s and its Python twin', (name) => {
  const python = readFileSync(pythonFile(name), 'utf8');
  const powershell = textOf(name);
  const allOf = (text: string, pattern: RegExp) =>
    [...new Set([...text.matchAll(pattern)].map(([, one]) => one))].sort();
  /** PowerShell's own validation of parameters refuses these before the first line runs. */
  const BY_VALIDATION = ['bad-argument', 'missing-argument'];

  test('fail with the same codes', () => {
    const codes = allOf(python, /Failed\("([a-z-]+)"/g).filter((code) => !BY_VALIDATION.includes(code ?? ''));
    expect(codes.length).toBeGreaterThan(6);
    expect(allOf(powershell, /Stop-Run '([a-z-]+)'/g)).toEqual(codes);
  });
  test('try as often, wait as long, and call the same ends good', () => {
    const numbers = (text: string, names: readonly string[]) =>
      names.map((one) => Number(new RegExp(`^\\$?${one} = (\\d+)$`, 'm').exec(text)?.[1]));
    expect(numbers(powershell, ['RoundsMax', 'RoundSeconds', 'RequestSeconds'])).toEqual(
      numbers(python, ['ROUNDS_MAX', 'ROUND_SECONDS', 'REQUEST_SECONDS']),
    );
    const ends = (text: string, name: string) => new RegExp(`^\\$?${name} = @?\\((.*)\\)$`, 'm').exec(text)?.[1];
    expect(ends(powershell, 'EndedWell')?.replaceAll("'", '"')).toBe(ends(python, 'ENDED_WELL'));
  });
  test('pass the same answers over, and need the same role', () => {
    expect(/@\((502, 503, 504)\)/.exec(powershell)?.[1]).toBe(/\((502, 503, 504)\)/.exec(python)?.[1]);
    for (const word of ['not-leader', 'unknown-operation']) {
      expect([powershell.includes(`'${word}'`), python.includes(`"${word}"`)]).toEqual([true, true]);
    }
    const roles = (text: string) => allOf(text, /["'](Failover\.(?:Read|Operate))["']/g);
    expect(roles(powershell)).toEqual(roles(python));
  });
});

/** The request table of a runbook with these parameters, as PowerShell would make it. */
function requestOf({ runbook, parameters }: Vector) {
  const root = rootOf(runbook);
  const variables = new Map<string, Value>();
  for (const { name, fallback } of scriptParameters(root)) {
    const plain = fallback === '$false' ? false : Number.isNaN(Number(fallback)) ? fallback?.slice(1, -1) : fallback;
    variables.set(
      name,
      parameters[name] ?? (typeof plain === 'string' && /^\d+$/.test(plain) ? Number(plain) : (plain ?? '')),
    );
  }
  for (const assignment of findNodes(root, 'assignment_expression')) {
    if (/^\$Verbs = @\{/.test(assignment.text)) {
      const [table] = findNodes(assignment, 'hash_literal_expression');
      variables.set('Verbs', evaluate(table as Node, variables));
    }
  }
  const table = findNodes(root, 'hash_literal_expression').find((node) => /^@\{\s*Method = 'POST'/.test(node.text));
  const { Method, Path, Body } = evaluate(table as Node, variables) as Record<string, Value>;
  const isKept = (value: Value) => value !== '' && !(Array.isArray(value) && value.length === 0);
  const body = Object.fromEntries(Object.entries(Body as Record<string, Value>).filter(([, value]) => isKept(value)));
  return { method: Method, path: Path, body };
}

test.each(VECTORS)('request vector: $name', (vector) => {
  expect(requestOf(vector)).toEqual(vector.request);
});
