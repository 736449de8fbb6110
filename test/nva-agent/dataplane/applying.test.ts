// The shells that apply: what they do when a command refuses, when nothing stands afterwards, and when all is well.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { countConnections } from '../../../nva-agent/dataplane/connection-table.ts';
import { createDataPlane } from '../../../nva-agent/dataplane/data-plane.ts';
import { execute, OUTPUT_CHARACTERS_MAX } from '../../../nva-agent/dataplane/execution.ts';
import { applySettings } from '../../../nva-agent/dataplane/kernel-settings.ts';
import { applyTable } from '../../../nva-agent/dataplane/nftables.ts';
import { emptyTotals, takeSamples, totalOf } from '../../../nva-agent/dataplane/traffic-totals.ts';
import { configWith, fakeExecute, orders, refusal } from '../../support/data-plane.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'data-plane-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a command', () => {
  test('answers what it wrote, or line by line', async () => {
    expect(await execute(['cat'], { stdin: 'a\nb\n' })).toBe('a\nb\n');
    const lines: string[] = [];
    expect(await execute(['cat'], { stdin: 'a\nb\n', onLine: (line) => lines.push(line) })).toBe('');
    expect(lines).toEqual(['a', 'b']);
  });
  test.each([
    [['/bin/sh', '-c', 'echo why >&2; exit 3'], 'command-failed', /exit 3: why/],
    [['/nonexistent/program'], 'command-missing', /cannot be run/],
    [['head', '-c', String(OUTPUT_CHARACTERS_MAX * 2), '/dev/zero'], 'output-too-large', /over/],
  ])('%j fails as %s', async (argv, code, message) => {
    await expect(execute(argv)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
  test('is killed when it takes too long', async () => {
    await expect(execute(['sleep', '30'], { timeoutMs: 50 })).rejects.toMatchObject({ code: 'command-timed-out' });
  });
});

describe('a table', () => {
  const change = { table: 'anycast_agent', ruleset: 'table ip anycast_agent {}' };
  test('that is refused is not applied', async () => {
    const { execute, commands } = fakeExecute([[/nft -c/, refusal('syntax')]]);
    await expect(applyTable(execute, folder, change)).rejects.toThrow('syntax');
    expect(commands.map((command) => command.argv.join(' '))).not.toContain('nft -f -');
  });
  test('that does not stand afterwards is an error, not a success', async () => {
    const { execute } = fakeExecute([]);
    await expect(applyTable(execute, folder, change)).rejects.toMatchObject({ code: 'not-applied' });
  });
  test('is applied once, and again only when anybody changed it', async () => {
    let standing = '';
    const apply = () => {
      standing = 'as applied';
      return '';
    };
    const { execute, commands } = fakeExecute([
      [/list tables/, () => (standing === '' ? '' : 'table ip anycast_agent\n')],
      [/list table ip/, () => standing],
      [/nft -f/, apply],
    ]);
    expect(await applyTable(execute, folder, change)).toBe('changed');
    expect(await applyTable(execute, folder, change)).toBe('unchanged');
    standing = 'somebody was here';
    expect(await applyTable(execute, folder, change)).toBe('changed');
    expect(commands.filter(({ argv }) => argv.join(' ') === 'nft -f -')).toHaveLength(2);
    writeFileSync(join(folder, 'anycast_agent.json'), '{ damaged');
    expect(await applyTable(execute, folder, change)).toBe('changed');
  });
});

describe('kernel settings', () => {
  const kernel = (values: Record<string, string>) =>
    fakeExecute([
      ...Object.keys(values).map((name) => [new RegExp(`-n ${name}$`), () => `${values[name]}\n`] as const),
      [/./, ''],
    ]);
  const writable = (values: Record<string, string>) => {
    const fake = kernel(values);
    return async (argv: readonly string[]) => {
      const [name = '', value] = (argv[3] ?? '').split('=');
      if (argv[2] === '-w' && value !== undefined) values[name] = value;
      return fake.execute(argv);
    };
  };
  test('are put back to what stood before, but not over a later change by somebody else', async () => {
    const values = { 'a.one': '0', 'a.two': '5' };
    const run = writable(values);
    expect(await applySettings(run, folder, { 'a.one': '1', 'a.two': '6' })).toBe('changed');
    expect(values).toEqual({ 'a.one': '1', 'a.two': '6' });
    expect(await applySettings(run, folder, { 'a.one': '1', 'a.two': '6' })).toBe('unchanged');
    values['a.two'] = '7';
    await applySettings(run, folder, {});
    expect(values).toEqual({ 'a.one': '0', 'a.two': '7' });
  });
  test('that do not hold are an error, with what stood before on record', async () => {
    const { execute } = kernel({ 'a.one': '0' });
    await expect(applySettings(execute, folder, { 'a.one': '1' })).rejects.toMatchObject({ code: 'not-applied' });
    expect(JSON.parse(readFileSync(join(folder, 'kernel-settings.json'), 'utf8'))).toEqual({
      'a.one': { before: '0', ours: '1' },
    });
  });
});

describe('a data plane', () => {
  test('that fails in one part goes on with the others, says so, and tries again', async () => {
    let isBroken = true;
    let standing = '';
    const apply = () => {
      standing = 'as applied';
      return '';
    };
    const { execute } = fakeExecute([
      [
        /addr show/,
        () =>
          isBroken
            ? 'not json'
            : JSON.stringify([{ ifname: 'lo', addr_info: [{ family: 'inet', local: '192.0.2.10', prefixlen: 32 }] }]),
      ],
      [/list tables/, () => (standing === '' ? '' : 'table ip anycast_agent\n')],
      [/list table ip/, () => standing],
      [/nft -f/, apply],
      [/sysctl -n/, '1\n'],
    ]);
    const failing: typeof execute = (argv, options) =>
      isBroken && argv[0] === 'ip' ? Promise.reject(refusal('no netlink')) : execute(argv, options);
    const plane = createDataPlane({ config: configWith(orders({ mode: 'snat' })), folder, execute: failing });
    await expect(plane.apply()).rejects.toMatchObject({
      code: 'data-plane-not-applied',
      message: 'devices: no netlink',
    });
    expect(standing).toBe('as applied');
    expect((await plane.status()).problems).toEqual({ devices: 'no netlink' });
    isBroken = false;
    expect(await plane.apply()).toEqual([]);
    expect((await plane.status()).problems).toEqual({});
  });

  test('refuses to arm what has no second chance', async () => {
    const plane = createDataPlane({ config: configWith(orders()), folder, execute: fakeExecute([]).execute });
    expect(await plane.secondChance.arm('orders')).toEqual({ type: 'refused', why: 'no-second-chance' });
  });

  test('drains a vip it does not have at once', async () => {
    const plane = createDataPlane({ config: configWith(), folder, execute: fakeExecute([]).execute });
    expect(await plane.drain('nosuch')).toEqual({ type: 'drained' });
  });
});

test('connections are counted by the address asked for, the table read once per protocol', async () => {
  const line = (client: string, vip: string) =>
    `tcp      6 431999 ESTABLISHED src=${client} dst=${vip} sport=1 dport=53 src=10.1.2.10 dst=${client} sport=53 dport=1 [ASSURED]`;
  const { execute, commands } = fakeExecute([
    [
      /-p tcp/,
      `${line('10.0.0.1', '192.0.2.10')}\n${line('192.0.2.10', '10.9.9.9')}\n${line('10.0.0.2', '192.0.2.10')}\n`,
    ],
    [/-p udp/, `${line('10.0.0.1', '192.0.2.11')}\n`],
  ]);
  const ports = [
    { listen: 53, to: 53, protocol: 'tcp' as const },
    { listen: 53, to: 53, protocol: 'udp' as const },
  ];
  const vips = [orders({ ports }), orders({ address: '192.0.2.11', ports }), orders({ address: '192.0.2.12', ports })];
  expect([...(await countConnections(execute, vips))]).toEqual([
    ['192.0.2.10', 2],
    ['192.0.2.11', 1],
    ['192.0.2.12', 0],
  ]);
  expect(commands).toHaveLength(2);
});

test('totals never fall when a worker is replaced or a table starts again', () => {
  const sample = (source: string, connections: number) => ({
    source,
    vip: 'orders',
    connections,
    bytesIn: connections,
    bytesOut: 0,
  });
  let totals = takeSamples(emptyTotals, [sample('w1', 5)]);
  totals = takeSamples(totals, [sample('w1', 7), sample('w2', 1)]);
  expect(totalOf(totals, 'orders').connections).toBe(8);
  totals = takeSamples(totals, [sample('w2', 2)]);
  expect(totalOf(totals, 'orders').connections).toBe(9);
  totals = takeSamples(totals, [sample('w2', 1)]);
  expect(totalOf(totals, 'orders')).toEqual({ connections: 10, bytesIn: 10, bytesOut: 0 });
  expect(totalOf(totals, 'nosuch').connections).toBe(0);
});
