// agent.yaml: defaults, and every refusal with its path.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { IMDS_TOKEN_ENDPOINT, loadAgentConfig, parseAgentFile } from '../../../nva-agent/control/config.ts';
import { contoso, type Draft } from '../../support/topology.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anycast-config-'));
  for (const name of ['cert.pem', 'key.pem']) writeFileSync(join(folder, name), 'pem');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const MINIMAL: Draft = {
  nva: 'we-nva-1',
  topology: 'anycast.yaml',
  stateDirectory: 'state',
  listen: '127.0.0.1:8443',
  tls: { cert: 'cert.pem', key: 'key.pem' },
};

function load(agent: Draft = MINIMAL, topology: Draft = contoso()) {
  writeFileSync(join(folder, 'anycast.yaml'), stringify(topology));
  writeFileSync(join(folder, 'agent.yaml'), stringify(agent));
  return loadAgentConfig(join(folder, 'agent.yaml'));
}

const problemsOf = (result: Awaited<ReturnType<typeof load>>) =>
  result.ok ? [] : result.error.map((f) => `${f.path} ${f.code}`);

describe('agent.yaml', () => {
  test('needs five keys; paths start at its folder, defaults are Azure’s', async () => {
    const result = await load();
    expect(result).toMatchObject({
      ok: true,
      value: {
        mode: 'agent',
        topology: join(folder, 'anycast.yaml'),
        stateDirectory: join(folder, 'state'),
        listen: { address: '127.0.0.1', port: 8443 },
        tls: { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') },
        identity: { endpoint: IMDS_TOKEN_ENDPOINT },
        stop: { lastResortSeconds: 2, withdrawSeconds: 2 },
        bgp: {},
        log: { level: 'info' },
      },
    });
  });

  test('names a driver with its defaults, and refuses what the daemon decides', async () => {
    const bird = await load({ ...MINIMAL, driver: { type: 'bird' } });
    expect(bird).toMatchObject({
      ok: true,
      value: { driver: { socket: '/run/bird/bird.ctl', include: '/run/anycast-agent/bird.conf', table: 'master4' } },
    });
    expect(await load({ ...MINIMAL, driver: { type: 'frr' } })).toMatchObject({
      ok: true,
      value: { driver: { type: 'frr', vtysh: '/usr/bin/vtysh' } },
    });
    const mixed = { ...MINIMAL, driver: { type: 'frr' }, routerId: '10.0.0.1', bgp: { localAddress: '10.1.1.4' } };
    expect(problemsOf(await load(mixed))).toEqual(['bgp.localAddress not-with-driver', 'routerId not-with-driver']);
    const unknown = { ...MINIMAL, driver: { type: 'bird', table: 'master4; }' } };
    expect(problemsOf(await load(unknown))).toEqual(['driver.table malformed']);
  });

  test('every problem is listed at once, those of the topology with it', async () => {
    const topology = contoso();
    topology.timing.tickSeconds = 7;
    topology.vips[0].prefix = '10.1.0.7/32';
    const agent = { ...MINIMAL, nva: 'nobody', tls: { cert: 'gone.pem', key: 'key.pem', ca: 'gone-too.pem' } };
    expect(problemsOf(await load(agent, topology))).toEqual([
      'topology:vips[0].prefix prefix-overlap',
      'topology:timing.tickSeconds tick-not-dividing-minute',
      'tls.cert unreadable',
      'tls.ca unreadable',
    ]);
    expect(problemsOf(await load(agent))).toEqual(['nva unknown-nva', 'tls.cert unreadable', 'tls.ca unreadable']);
  });

  test.each<[string, Draft, string[]]>([
    ['an empty file', null, [' malformed']],
    [
      'nothing but nonsense',
      { a: 1 },
      [
        'nva malformed',
        'topology malformed',
        'stateDirectory malformed',
        'listen malformed',
        'tls malformed',
        'a unknown-key',
      ],
    ],
    ['a listen without port', { ...MINIMAL, listen: '127.0.0.1' }, ['listen malformed']],
    ['an unknown mode', { ...MINIMAL, mode: 'router' }, ['mode malformed']],
    ['an unknown key inside', { ...MINIMAL, bgp: { md5: 'secret' } }, ['bgp.md5 unknown-key']],
    ['a router id that is no address', { ...MINIMAL, routerId: '1' }, ['routerId malformed']],
    ['an endless stop', { ...MINIMAL, stop: { lastResortSeconds: 3600 } }, ['stop.lastResortSeconds malformed']],
    ['an observer nobody knows', { ...MINIMAL, mode: 'observer' }, ['nva unknown-observer']],
  ])('%s is refused', async (_name, agent, problems) => {
    expect(problemsOf(await load(agent))).toEqual(problems);
  });

  test('an observer of the topology is accepted', async () => {
    expect((await load({ ...MINIMAL, mode: 'observer', nva: 'hq' })).ok).toBe(true);
  });

  test('files that are not there, not YAML or endless', async () => {
    expect(await loadAgentConfig(join(folder, 'gone.yaml'))).toMatchObject({ error: [{ code: 'unreadable' }] });
    expect(parseAgentFile('a: [')).toMatchObject({ error: [{ code: 'not-yaml' }] });
    expect(parseAgentFile('a: 1\na: 2')).toMatchObject({ error: [{ code: 'not-yaml' }] });
    expect(parseAgentFile(' '.repeat(300_000))).toMatchObject({ error: [{ code: 'too-large' }] });
    expect(problemsOf(await load({ ...MINIMAL, topology: 'gone.yaml' }))).toEqual(['topology unreadable']);
  });

  test('a state directory that cannot be made is refused', async () => {
    writeFileSync(join(folder, 'file'), '');
    expect(problemsOf(await load({ ...MINIMAL, stateDirectory: 'file/state' }))).toEqual([
      'stateDirectory not-writable',
    ]);
  });
});
