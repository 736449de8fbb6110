// The whole system in network namespaces: real BGP through BIRD, kernel forwarding, real processes killed and stopped.
// Behaviour is asserted here; tight figures are the scenarios' own business (`npm run lab:netns -- --scenario ...`).
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { nowMs } from '../../infra/lab/netns/client-feed.ts';
import type { RunResult } from '../../infra/lab/netns/figures.ts';
import { runPrefix } from '../../infra/lab/netns/leftovers.ts';
import { until } from '../../infra/lab/netns/poll.ts';
import type { RunningRegion } from '../../infra/lab/netns/region.ts';
import { NEEDED_PROGRAMS } from '../../infra/lab/netns/requirements.ts';
import { runOnce } from '../../infra/lab/netns/runner.ts';
import type { ScenarioName } from '../../infra/lab/netns/scenarios.ts';
import { areIntact, startTransfers } from '../../infra/lab/netns/transfers.ts';
import { startWorld, type World } from '../../infra/lab/netns/world.ts';
import { describeWith } from '../support/needs.ts';

const START_MS = 180_000;
const RUN_MS = 240_000;
const NETNS = '/run/netns';

const namesOf = (pid: number): string[] =>
  [NETNS, tmpdir()].flatMap((folder) =>
    existsSync(folder)
      ? readdirSync(folder).filter((name) => name === runPrefix(pid) || name.startsWith(`${runPrefix(pid)}-`))
      : [],
  );

describeWith({ programs: NEEDED_PROGRAMS, root: true }, 'the namespace lab', () => {
  let world: World;
  const said: string[] = [];
  const say = (line: string) => {
    said.push(line);
  };

  beforeAll(async () => {
    world = await startWorld({ holdSeconds: 180, keep: false, say });
    await world.untilSteady();
  }, START_MS);
  afterAll(async () => {
    await world?.stop();
    expect(namesOf(process.pid)).toEqual([]);
  }, START_MS);

  const run = async (name: ScenarioName): Promise<RunResult> => {
    const result = await runOnce(world, name, say);
    expect({ problem: result.problem, ok: result.ok }).toEqual({ problem: undefined, ok: true });
    return result;
  };

  test(
    'in steady state on-premises holds one path per circuit, private ASNs gone, the first region best',
    async () => {
      const routes = await world.fabric.onPremises();
      const path = (prepends: number) => [12076, ...new Array<number>(prepends).fill(64500)];
      expect(routes.find((route) => route.isBest)).toMatchObject({ nextHop: '10.1.1.4', asPath: path(12) });
      expect(routes.find((route) => !route.isBest)).toMatchObject({ nextHop: '10.2.1.4', asPath: path(15) });
    },
    RUN_MS,
  );

  test(
    'a crashed application costs its clients seconds at most, twice in a row',
    async () => {
      for (const result of [await run('app-crash'), await run('app-crash')]) {
        expect(result.outageMs).toBeLessThan(6000);
        expect(result.failedRequests).toBeLessThan(300);
      }
    },
    2 * RUN_MS,
  );

  test(
    'a planned move breaks at most a few requests',
    async () => {
      const result = await run('planned-failover');
      expect(result.outageMs).toBeLessThan(3000);
      expect(result.failedRequests).toBeLessThanOrEqual(20);
    },
    RUN_MS,
  );

  test(
    'so does the way back',
    async () => {
      const result = await run('failback');
      expect(result.outageMs).toBeLessThan(3000);
      expect(result.failedRequests).toBeLessThanOrEqual(20);
    },
    RUN_MS,
  );

  test(
    'a frozen NVA is found out long before its hold time of 180 s ends',
    async () => {
      const result = await run('nva-freeze');
      expect(result.outageMs).toBeLessThan(60_000);
    },
    RUN_MS,
  );

  test(
    'with every application down the prefix stays announced, and the first to return is served',
    async () => {
      const result = await run('all-apps-down');
      expect(result.announcedThroughout).toBe(true);
      expect(result.servedAfterReturnMs).toBeLessThan(10_000);
    },
    RUN_MS,
  );

  test(
    'without a control plane the reflex moves clients all the same, and back when the application returns',
    async () => {
      await world.untilSteady();
      await world.control.kill();
      const result = await run('control-dead');
      expect(result.outageMs).toBeLessThan(6000);
      await world.untilSteady();
      expect(world.client.answeredBy()).toBe('westeurope');
    },
    RUN_MS,
  );
});

describeWith({ programs: NEEDED_PROGRAMS, root: true }, 'the namespace lab with second chances', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ holdSeconds: 30, secondChance: true, keep: false, say: () => {} });
    await world.untilSteady();
  }, START_MS);
  afterAll(async () => {
    await world?.stop();
    expect(namesOf(process.pid)).toEqual([]);
  }, START_MS);

  const traffic = async (region: RunningRegion) => (await region.agentStatus())?.dataPlane?.vips[0];

  test(
    'drains a region with live connections: none breaks, and its NVA says when it is safe to stop',
    async () => {
      const transfers = await startTransfers(world.context, 10);
      await until(
        'connections live there',
        10_000,
        async () => ((await traffic(world.primary))?.established ?? 0) > 20,
      );
      const drained = await world.control.drain(world.primary.plan.region, 'maintenance');
      await world.untilServedBy(world.backup, drained, RUN_MS);
      expect(await traffic(world.primary)).toMatchObject({ applied: true, safeToStop: false });
      const result = await transfers.end((fromMs) => world.routeWatch.since(fromMs).length);
      expect(result).toMatchObject({ problems: [], moves: 1 });
      expect(areIntact(result)).toBe(true);
      const safe = await until('it is safe to stop', 20_000, async () => {
        const now = await traffic(world.primary);
        return now?.safeToStop === true ? now : undefined;
      });
      expect(safe.established).toBe(0);
      expect((await world.primary.agentStatus())?.dataPlane?.tunnelledPackets).toBe(0);
      expect((await world.backup.agentStatus())?.dataPlane?.tunnelledPackets).toBeGreaterThan(100);
      expect(world.client.since(0).filter((sample) => sample.failure !== undefined)).toEqual([]);
    },
    RUN_MS,
  );

  test(
    'goes back the same way, and stops an acting NVA, without a broken connection',
    async () => {
      const fromMs = nowMs();
      await world.control.undrain(world.primary.plan.region, 'maintenance is over');
      const transfers = await startTransfers(world.context, 6);
      await world.untilSteady();
      world.primary.stopAgent();
      await world.client.untilServedBy(world.backup.plan.region, RUN_MS);
      const result = await transfers.end((sinceMs) => world.routeWatch.since(sinceMs).length);
      expect(result.problems).toEqual([]);
      expect(areIntact(result)).toBe(true);
      expect(world.client.since(fromMs).filter((sample) => sample.failure !== undefined)).toEqual([]);
    },
    RUN_MS,
  );
});

describeWith({ programs: NEEDED_PROGRAMS, root: true }, 'the command', () => {
  const start = (...args: string[]): ChildProcess =>
    spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'infra/lab/netns/main.ts', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const collect = (stream: NodeJS.ReadableStream | null): { text: string } => {
    const collected = { text: '' };
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      collected.text += chunk;
    });
    return collected;
  };
  const exitOf = (child: ChildProcess): Promise<number | null> =>
    new Promise((resolve) => child.once('close', (code) => resolve(code)));

  test('refuses an unknown scenario with exit code 2 and says which there are', async () => {
    const child = start('--scenario', 'app-craash');
    const errors = collect(child.stderr);
    expect(await exitOf(child)).toBe(2);
    expect(errors.text).toContain('app-brownout');
  });

  test(
    'ends a scenario with one line of JSON and leaves nothing behind',
    async () => {
      const child = start('--scenario', 'control-dead', '--runs', '1', '--json');
      const output = collect(child.stdout);
      const errors = collect(child.stderr);
      const code = await exitOf(child);
      expect({ code, errors: code === 0 ? '' : errors.text }).toEqual({ code: 0, errors: '' });
      const last = output.text.trim().split('\n').at(-1) ?? '';
      expect(JSON.parse(last)).toMatchObject({ scenario: 'control-dead', runs: 1, ok: true });
      expect(namesOf(child.pid ?? 0)).toEqual([]);
    },
    START_MS + RUN_MS,
  );

  test(
    'interrupted while it comes up, it removes what it made',
    async () => {
      const child = start();
      const pid = child.pid ?? 0;
      const isThere = () => namesOf(pid).length > 2;
      const deadlineMs = Date.now() + START_MS;
      while (!isThere() && Date.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 50));
      expect(isThere()).toBe(true);
      child.kill('SIGINT');
      expect(await exitOf(child)).toBe(130);
      expect(namesOf(pid)).toEqual([]);
    },
    START_MS,
  );

  test(
    'killed outright, it takes its processes with it, and the next run removes its namespaces',
    async () => {
      const killed = start();
      const pid = killed.pid ?? 0;
      const deadlineMs = Date.now() + START_MS;
      while (namesOf(pid).length < 15 && Date.now() < deadlineMs)
        await new Promise((resolve) => setTimeout(resolve, 50));
      killed.kill('SIGKILL');
      await exitOf(killed);
      expect(namesOf(pid).length).toBeGreaterThan(0);
      const next = start();
      const nextPid = next.pid ?? 0;
      while (namesOf(nextPid).length < 2 && Date.now() < deadlineMs)
        await new Promise((resolve) => setTimeout(resolve, 50));
      expect(namesOf(pid)).toEqual([]);
      next.kill('SIGINT');
      await exitOf(next);
    },
    START_MS,
  );
});
