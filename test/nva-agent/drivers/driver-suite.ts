// What has to hold for every driver, with the real daemon between the agent and two BIRDs as Route Server instances.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Route } from '../../../nva-agent/bgp/messages.ts';
import { BEAT_MS, SECOND_LOOK_MS, SILENCE_MS_MAX } from '../../../nva-agent/drivers/dead-man.ts';
import { startDriver } from '../../../nva-agent/drivers/driver.ts';
import type { Speaker } from '../../../nva-agent/speaker.ts';
import { startBirdPeer } from '../../support/bird.ts';
import { freePort } from '../../support/daemon.ts';
import { OPTIONS_DEFAULT, type PeerDaemon, type PeerRoute } from '../../support/peer-daemon.ts';
import { until } from '../../support/until.ts';
import { type AgentWorld, createAgentWorld } from '../agent-world.ts';
import { LAST_RESORT, VIP_PREFIX } from '../order-draft.ts';
import { type DrivenDaemon, NVA_ADDRESS, NVA_ASN, type PeerEndpoint } from './driven-daemons.ts';

/** Sessions come up within seconds; a loaded machine may need longer. */
const SLOW_MS_MAX = 30_000;
const TEST_MS_MAX = 60_000;
/** Issue: dead agent, no route. */
const DEAD_MAN_MS_MAX = 3000;
const SECOND_PREFIX = '192.0.2.11/32';

export interface DriverSuite {
  readonly create: (port: number, peers: readonly PeerEndpoint[]) => Promise<DrivenDaemon>;
  /** What the trouble of a refused change says. */
  readonly refusal: RegExp;
  /** Does a refused change leave the old route standing? A filter of somebody else's takes it away, too. */
  readonly keepsOld: boolean;
}

const route = (prepends: number, prefix = VIP_PREFIX, more: Partial<Route> = {}): Route => ({
  prefix,
  asPath: [NVA_ASN, ...Array<number>(prepends).fill(64500)],
  nextHop: '10.1.1.4',
  ...more,
});

/** Registers the tests; call inside describeWith. */
export function testDriver(suite: DriverSuite): void {
  let peers: readonly PeerDaemon[] = [];
  let endpoints: readonly PeerEndpoint[] = [];
  let daemon: DrivenDaemon;
  let world: AgentWorld;
  const troubles: (string | undefined)[] = [];
  const agents: ChildProcess[] = [];

  beforeAll(async () => {
    endpoints = [
      { address: '127.0.0.1', port: await freePort() },
      { address: '127.0.0.3', port: await freePort('127.0.0.3') },
    ];
    peers = await Promise.all(
      endpoints.map((endpoint) => startBirdPeer({ ...OPTIONS_DEFAULT, ...endpoint, peerAddress: NVA_ADDRESS })),
    );
    daemon = await suite.create(await freePort(NVA_ADDRESS), endpoints);
    await daemon.start();
    world = await createAgentWorld();
  }, TEST_MS_MAX);

  afterAll(async () => {
    for (const agent of agents) agent.kill('SIGKILL');
    await world.stop();
    await daemon.stop();
    await Promise.all(peers.map((peer) => peer.stop()));
  }, TEST_MS_MAX);

  const peerNames = () => endpoints.map(({ address, port }) => `${address}:${port}`);

  const start = (localAsn = NVA_ASN): Promise<Speaker> => {
    troubles.length = 0;
    return startDriver(daemon.driver, {
      peers: peerNames(),
      localAsn,
      routerId: '10.1.1.4',
      holdSeconds: 30,
      peerRouteLimit: 4000,
      nowMs: () => performance.now(),
      onEvent: () => undefined,
      onTrouble: (reason) => troubles.push(reason),
    });
  };

  const atPeers = (what: string, isRight: (route: PeerRoute | undefined) => boolean, prefix = VIP_PREFIX) =>
    until(
      what,
      async () => {
        const tables = await Promise.all(peers.map((peer) => peer.routes()));
        return tables.every((table) => isRight(table.find((found) => found.prefix === prefix)));
      },
      SLOW_MS_MAX,
      20,
    );
  const pathLength = (length: number) => (found: PeerRoute | undefined) => found?.asPath.length === length;
  const absent = (found: PeerRoute | undefined) => found === undefined;
  const proved = (speaker: Speaker, prefix: string, length: number) =>
    until(
      'evidence of both sessions',
      () =>
        speaker.trouble() === undefined &&
        speaker
          .sessions()
          .every(
            ({ state, routes }) =>
              state === 'Established' && routes.find((r) => r.prefix === prefix)?.asPath.length === length,
          ),
      SLOW_MS_MAX,
    );

  const check = (name: string, body: () => Promise<void>) => test(name, body, TEST_MS_MAX);

  check('announces, changes the prepend by one UPDATE each, goes to last resort, withdraws', async () => {
    const speaker = await start();
    const communities = ['65001:7', '65001:1'];
    speaker.set([route(3, VIP_PREFIX, { med: 7, communities }), route(1, SECOND_PREFIX)]);
    await atPeers('the route', pathLength(4));
    await proved(speaker, VIP_PREFIX, 4);
    const [found] = (await peers[0]?.routes())?.filter(({ prefix }) => prefix === VIP_PREFIX) ?? [];
    expect(found).toMatchObject({ asPath: [NVA_ASN, 64500, 64500, 64500], med: 7 });
    expect([...(found?.communities ?? [])].sort()).toEqual([...communities].sort());
    const before = await peers[0]?.withdrawals?.();
    speaker.set([route(6), route(1, SECOND_PREFIX)]);
    await atPeers('the longer path', pathLength(7));
    speaker.set([route(LAST_RESORT), route(1, SECOND_PREFIX)]);
    await atPeers('last resort', pathLength(LAST_RESORT + 1));
    expect(await peers[0]?.withdrawals?.()).toBe(before);
    speaker.set([route(1, SECOND_PREFIX)]);
    await atPeers('no route', absent);
    await atPeers('the other one untouched', pathLength(2), SECOND_PREFIX);
    await speaker.stop(2, 'the test is over');
    await atPeers('nothing', absent, SECOND_PREFIX);
    expect(troubles.filter((trouble) => trouble !== undefined)).toEqual([]);
  });

  check(
    'a daemon that is killed and started again is brought back to the desired set, and said to be away',
    async () => {
      const speaker = await start();
      speaker.set([route(3)]);
      await proved(speaker, VIP_PREFIX, 4);
      await daemon.current().stop('SIGKILL');
      await until('trouble', () => speaker.trouble() !== undefined, SLOW_MS_MAX);
      expect(speaker.sessions().map(({ state, routes }) => [state, routes])).toEqual([
        ['Idle', []],
        ['Idle', []],
      ]);
      speaker.set([route(5)]);
      await daemon.start();
      await atPeers('the new route', pathLength(6));
      await proved(speaker, VIP_PREFIX, 6);
      expect(troubles.at(-1)).toBeUndefined();
      await speaker.stop(2, 'the test is over');
    },
  );

  check('says a route once more when asked to', async () => {
    const speaker = await start();
    speaker.set([route(3)]);
    await proved(speaker, VIP_PREFIX, 4);
    const before = await peers[1]?.updatesIn?.();
    speaker.resend([VIP_PREFIX]);
    await until('another UPDATE', async () => ((await peers[1]?.updatesIn?.()) ?? 0) > (before ?? 0), SLOW_MS_MAX, 20);
    await atPeers('the same route', pathLength(4));
    await speaker.stop(2, 'the test is over');
  });

  check('a refused configuration is never taken for done, and is tried again until it is accepted', async () => {
    const speaker = await start();
    speaker.set([route(3)]);
    await proved(speaker, VIP_PREFIX, 4);
    await daemon.breakConfig();
    speaker.set([route(6)]);
    await until('trouble', () => suite.refusal.test(speaker.trouble() ?? ''), SLOW_MS_MAX);
    for (const { routes } of speaker.sessions()) expect(routes.map(({ asPath }) => asPath.length)).not.toContain(7);
    if (suite.keepsOld) await atPeers('the old route', pathLength(4));
    await daemon.mendConfig();
    await atPeers('the new route', pathLength(7));
    await proved(speaker, VIP_PREFIX, 7);
    await speaker.stop(2, 'the test is over');
  });

  const checkRefusing: typeof check = suite.keepsOld ? check : () => undefined;
  checkRefusing('withdraws even while its daemon refuses every configuration', async () => {
    const speaker = await start();
    speaker.set([route(3)]);
    await proved(speaker, VIP_PREFIX, 4);
    await daemon.breakConfig();
    speaker.set([]);
    await atPeers('no route', absent);
    await daemon.mendConfig();
    await until('no trouble', () => speaker.trouble() === undefined, SLOW_MS_MAX);
    await speaker.stop(2, 'the test is over');
  });

  const startAgentProcess = (): ChildProcess => {
    world.write(
      (topology) => {
        topology.regions[0].routeServer.peers = peerNames();
        topology.vips[0].dataPlane = { mode: 'none' };
      },
      (agent) => {
        agent.driver = daemon.driver;
      },
    );
    const flags = ['--disable-warning=ExperimentalWarning', 'nva-agent/main.ts'];
    const agent = spawn(process.execPath, [...flags, 'run', '-c', world.configFile], { stdio: 'ignore' });
    agents.push(agent);
    return agent;
  };

  check('an agent that is killed is withdrawn within three seconds', async () => {
    const agent = startAgentProcess();
    await atPeers('last resort, as no order came', pathLength(LAST_RESORT + 1));
    const startedMs = performance.now();
    agent.kill('SIGKILL');
    await atPeers('no route', absent);
    // Twice its time: what is judged here is that it acts at all, on a machine that may be busy.
    expect(performance.now() - startedMs).toBeLessThan(2 * DEAD_MAN_MS_MAX);
    expect(daemon.current().isRunning()).toBe(true);
  });

  check('an agent that is frozen is withdrawn by its dead man, and announces again when it thaws', async () => {
    const agent = startAgentProcess();
    await atPeers('last resort, as no order came', pathLength(LAST_RESORT + 1));
    agent.kill('SIGSTOP');
    await atPeers('no route', absent);
    expect([agent.exitCode, agent.signalCode, daemon.current().isRunning()]).toEqual([null, null, true]);
    expect(BEAT_MS + SILENCE_MS_MAX + SECOND_LOOK_MS).toBeLessThan(DEAD_MAN_MS_MAX);
    agent.kill('SIGCONT');
    await atPeers('last resort again', pathLength(LAST_RESORT + 1));
    const ended = once(agent, 'exit');
    agent.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
  });

  check('an agent that stops withdraws by itself and leaves the sessions alone', async () => {
    const agent = startAgentProcess();
    await atPeers('last resort, as no order came', pathLength(LAST_RESORT + 1));
    const ended = once(agent, 'exit');
    agent.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
    for (const peer of peers) expect(await peer.routes()).toEqual([]);
    expect(daemon.current().isRunning()).toBe(true);
  });
}
