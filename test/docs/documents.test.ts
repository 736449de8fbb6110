// The documents: links lead somewhere, every command line in them is one the programs understand, every alert has its page.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { buildProgram } from '../../infra/cli/program.ts';
import { parseLabArguments } from '../../infra/lab/arguments.ts';

const documents = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', '*.md'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(file));
const textOf = (file: string) => readFileSync(file, 'utf8');
const scripts = Object.keys((JSON.parse(textOf('package.json')) as { scripts: object }).scripts);

/** As the reader's page makes them: lower case, spaces to dashes, other signs left out. */
const anchorsOf = (file: string): Set<string> =>
  new Set(
    [...textOf(file).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll('`', '')
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );

function brokenLinks(file: string): string[] {
  const prose = textOf(file).replace(/```[\s\S]*?```/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [path = '', anchor] = target.split('#');
    const to = path === '' ? file : normalize(join(dirname(file), path));
    if (!existsSync(to)) return [`${file}: ${target} is not there`];
    return anchor === undefined || anchorsOf(to).has(anchor) ? [] : [`${file}: ${target} has no such heading`];
  });
}

test('every link inside the repository leads somewhere', () => {
  expect(documents.length).toBeGreaterThan(30);
  expect(documents.flatMap(brokenLinks)).toEqual([]);
});

/** Words of a shell line: quotes taken away, a comment left out. */
function wordsOf(line: string): string[] {
  const bare = line.replace(/\s+#.*$/, '');
  return [...bare.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? '',
  );
}

/** Command lines in code blocks and in running text, one per line, the rest of a pipe or chain apart. */
function commandLines(file: string): string[] {
  const text = textOf(file);
  const blocks = [...text.matchAll(/```(?:sh|bash|shell)\n([\s\S]*?)```/g)].flatMap(([, body = '']) =>
    body.replaceAll('\\\n', ' ').split('\n'),
  );
  const spans = [...text.replace(/```[\s\S]*?```/g, '').matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);
  return [...blocks, ...spans].flatMap((line) => line.split(/\s(?:\|\||&&|\|)\s|;\s/)).map((line) => line.trim());
}

/** What is wrong with an anycastctl line, or undefined. A line that stops at its verb is a mention, not a command. */
async function complaintOf(words: readonly string[]): Promise<string | undefined> {
  if (words.length === 0 || words.some((word) => word.includes('...'))) return undefined;
  const program = buildProgram(
    () => {
      throw new Error('not to be run');
    },
    () => {
      throw new Error('not to be run');
    },
    () => undefined,
  );
  const quiet = (command: Command): void => {
    command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
    if (command.commands.length === 0) command.action(() => undefined);
    command.commands.forEach(quiet);
  };
  quiet(program);
  try {
    await program.parseAsync([...words], { from: 'user' });
    return undefined;
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string };
    const isMention =
      words.length <= 2 && (code === 'commander.missingArgument' || code === 'commander.missingMandatoryOptionValue');
    return isMention || code === 'commander.help' ? undefined : message;
  }
}

describe('command lines', () => {
  const lines = documents.flatMap((file) => commandLines(file).map((line) => ({ file, line })));
  const ofProgram = (pattern: RegExp) =>
    lines.flatMap(({ file, line }) =>
      pattern.test(line) ? [{ file, line, words: wordsOf(line.replace(pattern, '')) }] : [],
    );

  test('of anycastctl parse against its own tree', async () => {
    const found = ofProgram(/^(?:npm run -s anycastctl -- |anycastctl )/);
    expect(found.length).toBeGreaterThan(60);
    const complaints = await Promise.all(
      found.map(async ({ file, line, words }) => {
        const complaint = await complaintOf(words);
        return complaint === undefined ? [] : [`${file}: ${line}: ${complaint}`];
      }),
    );
    expect(complaints.flat()).toEqual([]);
  });
  test('a wrong one would be noticed', async () => {
    expect(await complaintOf(['failover', 'orders', '--reason', 'abc', '--too', 'northeurope'])).toContain('--too');
    expect(await complaintOf(['frobnicate', 'orders'])).toContain('frobnicate');
  });
  test('of npm name scripts that exist', () => {
    const found = ofProgram(/^npm run (?:-s )?(?=\S)/);
    expect(found.length).toBeGreaterThan(5);
    expect(
      found.filter(({ words }) => !scripts.includes(words[0] ?? '')).map(({ file, line }) => `${file}: ${line}`),
    ).toEqual([]);
  });
  test('of the lab have options that it takes', () => {
    const found = ofProgram(/^npm start -- /).filter(({ words }) => !words.includes('[options]'));
    expect(
      found.filter(({ words }) => !parseLabArguments(words).ok).map(({ file, line }) => `${file}: ${line}`),
    ).toEqual([]);
  });
});

describe('alerts', () => {
  const pages = documents.filter((file) => /^docs\/alerts\/Anycast\w+\.md$/.test(file));
  test('each that is defined has a page and stands in the list', () => {
    const rules = ['infra/azure/monitoring/alerts.yaml', 'infra/azure/monitoring/prometheus-rules.yaml'];
    const defined = rules.flatMap((file) =>
      [...textOf(file).matchAll(/^\s*- (?:name|alert): (Anycast\w+)$/gm)].map(([, name]) => name),
    );
    expect(defined.length).toBeGreaterThan(20);
    const list = textOf('docs/alerts/README.md');
    for (const name of new Set(defined)) {
      expect(pages).toContain(`docs/alerts/${name}.md`);
      expect(list).toContain(`(${name}.md)`);
    }
  });
  test.each(pages)('%s has its four headings in order, and a severity', (file) => {
    const text = textOf(file);
    expect([...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title)).toEqual([
      'Meaning',
      'Impact',
      'Diagnosis',
      'Mitigation',
    ]);
    expect(text).toMatch(/^# Anycast\w+\n\n\*\*(critical|warning|info)\*\*: /);
  });
});

test('exit codes are those of the program', async () => {
  const { EXIT } = await import('../../infra/cli/exit-codes.ts');
  const told = [...textOf('docs/operating.md').matchAll(/^\| (\d+) +\| [a-z]/gm)].map(([, code]) => Number(code));
  expect(told).toEqual(Object.values(EXIT));
});

test('what doctor finds is never called by a word that does not exist', () => {
  const files = ['check-agents', 'check-azure', 'check-control-plane'].map((name) =>
    textOf(`infra/cli/doctor/${name}.ts`),
  );
  const codes = new Set(
    files.flatMap((text) => [...text.matchAll(/'([a-z]+(?:-[a-z]+)+)'/g)].map(([, code]) => code ?? '')),
  );
  for (const file of [
    'docs/troubleshooting.md',
    'docs/return-traffic.md',
    'docs/alerts/AnycastNvaIsolated.md',
    'docs/alerts/AnycastRouteCountWrong.md',
  ]) {
    const named = [...textOf(file).matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map(([, code]) => code ?? '');
    const known = named.filter(
      (code) => !/^(reverse-proxy|dnat-udr|shared-sessions|load-balancer|policy-doc)$/.test(code),
    );
    expect(known.filter((code) => !codes.has(code))).toEqual([]);
  }
});
