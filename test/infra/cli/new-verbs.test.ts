// Verbs over given answers: the plan's changes, completion that shells accept, topology's marks, seats asked in turn.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { ControlPlaneClient } from '../../../infra/cli/client.ts';
import { completionScript } from '../../../infra/cli/completion.ts';
import { resolveContext } from '../../../infra/cli/context.ts';
import { planAgainstStatus, planChanges } from '../../../infra/cli/plan-changes.ts';
import { buildProgram } from '../../../infra/cli/program.ts';
import { renderTopology, topologyHops } from '../../../infra/cli/topology-text.ts';
import { problem } from '../../../shared/errors.ts';
import { parseTopology } from '../../../shared/topology.ts';
import { labStatus } from '../../support/lab-world.ts';

const parsed = parseTopology(readFileSync('infra/examples/contoso.yaml', 'utf8'));
if (!parsed.ok) throw new Error('the example is not right');
const contoso = parsed.value.topology;

test('plan: nothing differs from itself; each change has its effect, dangerous ones first', () => {
  expect(planChanges(contoso, contoso)).toEqual([]);
  const [orders, billing] = contoso.vips;
  if (orders === undefined || billing === undefined) throw new Error('fixture');
  const after = {
    ...contoso,
    prepend: { ...contoso.prepend, headroom: 5 },
    guards: { ...contoso.guards, warmUpSeconds: 10 },
    vips: [
      { ...orders, regions: [...orders.regions].reverse() },
      { ...billing, name: 'invoices' },
    ],
  };
  const changes = planChanges(contoso, after).map(({ path, effect }) => `${effect} ${path}`);
  expect(changes).toEqual([
    'moves vips[orders].regions',
    'moves vips[billing]',
    'gentle vips[invoices]',
    'gentle vips[orders] in westeurope',
    'gentle prepend.headroom',
    'none guards.warmUpSeconds',
  ]);
});

test('plan against the control plane sees vips, ranking and NVAs', () => {
  const changes = planAgainstStatus(labStatus(), { ...contoso, name: 'lab' });
  expect(changes.map(({ path }) => path)).toEqual(expect.arrayContaining(['vips[billing]', 'nvas[we-nva-1]']));
  expect(planAgainstStatus(labStatus(), contoso)[0]).toMatchObject({ path: 'name', effect: 'moves' });
});

test('topology: the acting way first, unknown hops say so, a path that differs is named', () => {
  const [vip] = labStatus().vips;
  if (vip === undefined) throw new Error('fixture');
  const nva = {
    ...{ nva: 'we-nva-1', reportAgeMs: 1000, order: { epoch: 1, generation: 14 }, acknowledged: true },
    ...{ window: '11111', latencyMs: 3, lastResort: false },
    sessions: [
      {
        peer: '10.1.0.4',
        state: 'Established' as const,
        asPath: [65001, 64500],
        learned: { asPath: [65001, 64500], atMs: 0 },
      },
      {
        peer: '10.1.0.5',
        state: 'Established' as const,
        asPath: [65001, 64500],
        learned: { asPath: [65001], atMs: 0 },
      },
      { peer: '10.1.0.6', state: 'Idle' as const, asPath: null },
    ],
  };
  const seen = { ...vip, regions: vip.regions.map((one, i) => (i === 0 ? { ...one, nvas: [nva] } : one)) };
  expect(renderTopology(seen, topologyHops(seen, 5000)).map((line) => line.replace(/ +\|/, ' |'))).toEqual([
    'orders 192.0.2.10/32   served by westeurope',
    '? on-premises |- |no observer reports',
    expect.stringMatching(/^\+ circuit westeurope \|/),
    '  + route server 10.1.0.4 |5s|65001 64500',
    '  - route server 10.1.0.5 |5s|65001   expected 65001 64500',
    '  ? route server 10.1.0.6 |- |Idle, told nothing',
    '    + we-nva-1 |1s|rung 4, generation 14 acknowledged, sessions 2/3',
    expect.stringMatching(/^- circuit northeurope \|/),
  ]);
});

const program = () =>
  buildProgram(
    () => {
      throw new Error('not to be run');
    },
    () => {
      throw new Error('not to be run');
    },
    () => undefined,
  );

test('completion: every shell has every verb, and bash completes verbs, verbs of verbs and options', () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const)
    for (const verb of program().commands) expect(completionScript(program(), shell)).toContain(verb.name());
  const complete = (words: readonly string[]) => {
    const typed = words.map((word) => `'${word}'`).join(' ');
    const ask = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length - 1}; _anycastctl; printf '%s\n' "\${COMPREPLY[@]}"`;
    const run = spawnSync('bash', ['-c', `${completionScript(program(), 'bash')}\n${ask}`], { encoding: 'utf8' });
    expect(run.stderr).toBe('');
    return run.stdout.trim().split('\n');
  };
  expect(complete(['anycastctl', 'fail'])).toEqual(['failover', 'failback']);
  expect(complete(['anycastctl', 'audit', 'e'])).toEqual(['export']);
  expect(complete(['anycastctl', 'failover', 'orders', '--to'])).toEqual(['--to']);
  expect(complete(['anycastctl', 'completion', ''])).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']));
});

test('seats are asked in turn: a follower names the leader, an unknown operation is looked for elsewhere', async () => {
  const asked: string[] = [];
  const answers: Record<string, { status: number; body: unknown }> = {
    'http://a': { status: 409, body: problem(409, 'not-leader', 'Another seat leads', { leader: 'http://c' }) },
    'http://b': { status: 404, body: problem(404, 'unknown-operation', 'No such operation') },
    'http://c': { status: 200, body: { ok: true } },
  };
  const client = (seats: string[]) =>
    new ControlPlaneClient(
      { name: 'test', seats },
      {
        fetch: (async (url: string) => {
          const origin = new URL(url).origin;
          asked.push(origin);
          const { status, body } = answers[origin] ?? { status: 500, body: {} };
          return new Response(JSON.stringify(body), { status });
        }) as unknown as typeof fetch,
        token: async () => undefined,
        debug: undefined,
      },
    );
  expect((await client(['http://a', 'http://b']).call('/x', z.unknown())).seat).toBe('http://c');
  expect((await client(['http://b', 'http://c']).call('/operations/op-1', z.unknown())).seat).toBe('http://c');
  await expect(client(['http://b']).call('/operations/op-1', z.unknown())).rejects.toMatchObject({ code: 2 });
  expect(asked).toEqual(['http://a', 'http://c', 'http://b', 'http://c', 'http://b']);
});

test('an audience given by hand leaves the lab out', () => {
  const context = resolveContext({ url: 'https://seat', audience: 'api://x' }, {}, { contexts: {} });
  expect(context).toEqual({ name: 'seat', seats: ['https://seat'], audience: 'api://x' });
});

test('the version is the package`s', () => {
  const program = buildProgram(
    () => {
      throw new Error('not asked for');
    },
    () => {
      throw new Error('not asked for');
    },
    () => undefined,
  );
  expect(program.version()).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
});
