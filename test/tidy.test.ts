// Style as a test: what the compiler cannot see. Each failure names the file, the line and what to write instead.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const LINES_MAX = 400;

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(file));
const sources = tracked.filter((file) => file.endsWith('.ts'));
const textOf = (file: string) => readFileSync(file, 'utf8');

interface PureConfig {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}
const pureConfig = JSON.parse(textOf('tsconfig.pure.json')) as PureConfig;
const isPure = (file: string) =>
  (/^shared\/[^/]+\.ts$/.test(file) ||
    /^functions\/engine\//.test(file) ||
    pureConfig.include.includes(file) ||
    /^nva-agent\/(bgp|health)\//.test(file)) &&
  !pureConfig.exclude.includes(file);

/** `file:line: what` for each line of the file that the pattern finds, comments left out. */
function offences(file: string, pattern: RegExp, instead: string): string[] {
  return textOf(file)
    .split('\n')
    .flatMap((line, i) => {
      const code = line.replace(/^\s*(\/\/|\*|\/\*).*$/, '').replace(/\/\/ .*$/, '');
      return pattern.test(code) ? [`${file}:${i + 1}: ${line.trim().slice(0, 80)} -> ${instead}`] : [];
    });
}

const IMPURE: readonly [RegExp, string][] = [
  [/\bDate\.now\b|\bnew Date\(|\bperformance\./, 'take nowMs as an argument'],
  [/\bMath\.random\b/, 'take the random number as an argument'],
  [/\bcrypto\./, 'take the hash or id as an argument'],
  [/\bconsole\./, 'return what is worth saying'],
  [/from 'node:/, 'pure files do no I/O: move it to the shell'],
];

describe('pure files', () => {
  test('exist, so that this test looks at something', () => {
    expect(sources.filter(isPure).length).toBeGreaterThan(10);
  });
  test.each(IMPURE)('contain no %s', (pattern, instead) => {
    expect(sources.filter(isPure).flatMap((file) => offences(file, pattern, instead))).toEqual([]);
  });
});

test('orchestrators take the time from their durable context and do no I/O', () => {
  const orchestrators = sources.filter((file) => file.startsWith('functions/orchestrators/'));
  const rules: readonly [RegExp, string][] = [
    [/\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b/, 'context.df.currentUtcDateTime, context.df.newGuid'],
    [/\bcrypto\b|\bprocess\.|\bfetch\(|from 'node:/, 'do it in an activity'],
    [/\bawait\b|\basync\b/, 'yield a task of the durable context'],
    [/\.df\.lock\(/, 'one writer behind the ledger lease; df.lock is removed in v4'],
  ];
  expect(
    rules.flatMap(([pattern, instead]) => orchestrators.flatMap((file) => offences(file, pattern, instead))),
  ).toEqual([]);
});

describe('imports', () => {
  const layers: readonly [string, RegExp, RegExp, string][] = [
    ['shared knows nobody', /^shared\//, /^(functions|nva-agent|infra|test)\//, 'move it to shared or pass it in'],
    [
      'the engine knows shared only',
      /^functions\/engine\//,
      /^(functions\/(?!engine)|nva-agent|infra|test)/,
      'pass it in',
    ],
    ['functions do not know the agent', /^functions\//, /^(nva-agent|infra|test)\//, 'put what both need into shared'],
    [
      'the agent does not know functions',
      /^nva-agent\//,
      /^(functions|infra|test)\//,
      'put what both need into shared',
    ],
    [
      'bgp and health know shared and themselves',
      /^nva-agent\/(bgp|health)\//,
      /^nva-agent\/(?!bgp|health)/,
      'pass it in',
    ],
    ['infra does not import tests', /^infra\//, /^test\//, 'move it out of test/'],
    [
      'only composition roots import adapters',
      /^functions\/(?!app\.ts|adapters\/)/,
      /^functions\/adapters\//,
      'use the port',
    ],
  ];
  test.each(layers)('%s', (_rule, from, to, instead) => {
    const wrong = sources
      .filter((file) => from.test(file))
      .flatMap((file) =>
        importsOf(file)
          .filter((target) => to.test(target))
          .map((target) => `${file} imports ${target} -> ${instead}`),
      );
    expect(wrong).toEqual([]);
  });

  test('orchestrators import the names and types of activities, not their code', () => {
    const wrong = sources
      .filter((file) => file.startsWith('functions/orchestrators/'))
      .flatMap((file) => offences(file, /^import (?!type ).*\.\.\/activities\/(?!names)/, 'import type, or names.ts'));
    expect(wrong).toEqual([]);
  });
});

function importsOf(file: string): string[] {
  return [...textOf(file).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) =>
    normalize(join(dirname(file), match[1] ?? '')),
  );
}

describe('files', () => {
  test('begin with a comment that says their single job', () => {
    const silent = sources.filter((file) => !/^(#!.*\n)?(\/\/ |\/\*\*? ?)/.test(textOf(file)));
    expect(silent).toEqual([]);
  });
  test(`of the product stay below ${LINES_MAX} lines`, () => {
    const long = sources.filter((file) => !file.startsWith('test/') && textOf(file).split('\n').length > LINES_MAX);
    expect(long).toEqual([]);
  });
  test('leave no work marked for later, and skip no test without a word', () => {
    const marks = /\b(TODO|FIXME|XXX|HACK)\b|\b(test|it|describe)\.(only|skip)\(/;
    expect(
      sources
        .filter((file) => file !== 'test/tidy.test.ts')
        .flatMap((file) => offences(file, marks, 'do it, or say it in a sentence')),
    ).toEqual([]);
  });
  test('are named in kebab-case', () => {
    const odd = sources.filter((file) => !/^[a-z0-9-]+(\.[a-z0-9-]+)*\.ts$/.test(file.split('/').at(-1) ?? ''));
    expect(odd).toEqual([]);
  });
});
