// The wiring of the data plane with a stand-in for it: retries, what is told, moves that wait and moves that must not.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type AgentState, newAgent } from '../../nva-agent/agent.ts';
import { DataPlaneWiring, SHARE_WAIT_MS } from '../../nva-agent/data-plane-wiring.ts';
import type { DataPlane } from '../../nva-agent/dataplane/data-plane.ts';
import type { DataPlaneConfig } from '../../nva-agent/dataplane/plan.ts';
import type { ArmOutcome } from '../../nva-agent/dataplane/second-chance.ts';
import type { Obstacle } from '../../nva-agent/vip-start.ts';
import { OperatingError } from '../../shared/errors.ts';
import { configWith, orders, TUNNEL } from '../support/data-plane.ts';
import { makeOrder } from './order-draft.ts';

const PEER = 'ne-nva-1';
const config: DataPlaneConfig = {
  ...configWith(orders({ secondChance: { capSeconds: 60, peers: [PEER] } })),
  tunnel: TUNNEL,
};
const failure = new OperatingError('data-plane-not-applied', 'proxy: port in use', { retryable: true });

/** What a test makes of the data plane; every call is remembered. */
class Stage {
  readonly calls: string[] = [];
  readonly configs: DataPlaneConfig[] = [];
  problem: Error | undefined;
  served: readonly string[] | Error = [];
  isProxyUp = true;
  isProved = true;
  arm: () => Promise<ArmOutcome> = async () => ({ type: 'active', peer: PEER });
  established = 0;

  readonly plane: DataPlane = {
    apply: async (wanted) => {
      this.calls.push('apply');
      if (wanted !== undefined) this.configs.push(wanted);
      if (this.problem !== undefined) throw this.problem;
      this.isProxyUp = true;
      return ['proxy'];
    },
    remove: async () => {
      this.calls.push('remove');
    },
    served: async () => {
      if (this.served instanceof Error) throw this.served;
      return this.served;
    },
    isProxyUp: async () => this.isProxyUp,
    drain: async (_vip, signal) => {
      this.calls.push('drain');
      if (this.established === 0) return { type: 'drained' };
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      return { type: 'expired', established: this.established };
    },
    status: async () => ({
      vips: [{ vip: 'orders', established: this.established, connections: 7, bytesIn: 1, bytesOut: 2 }],
      problems: {},
      secondChance: { peers: [{ nva: PEER, isProved: true }], vips: [], ended: [], handedOver: 5 },
    }),
    close: () => this.calls.push('close'),
    secondChance: {
      arm: async (vip, options) => {
        this.calls.push(`arm ${vip} ${options?.peer}`);
        return this.arm();
      },
      askBack: async (vip, peers) => {
        this.calls.push(`ask ${vip} of ${peers.join(', ')}`);
        return peers;
      },
      disarm: async () => undefined,
      isProved: () => this.isProved,
      status: async () => ({ peers: [], vips: [], ended: [], handedOver: 0 }),
    },
  };
}

let stage: Stage;
let folder: string;
let wiring: DataPlaneWiring;
let told: [string, string][];
let state: AgentState;

/** Lets promises and timers of this many milliseconds run. */
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['performance'] });
  stage = new Stage();
  folder = join(mkdtempSync(join(tmpdir(), 'wiring-')), 'dataplane');
  told = [];
  const plan = { nva: 'we-nva-1', vips: [], routeChangeMs: 0, stopLastResortMs: 0, stopWithdrawMs: 0 };
  state = newAgent(plan, [], [], 0);
  let nowMs = 0;
  wiring = new DataPlaneWiring({
    folder,
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    nowMs: () => {
      nowMs += 2000;
      return nowMs;
    },
    state: () => state,
    tell: (vip: string, obstacle: Obstacle | undefined) => told.push([vip, obstacle?.reason ?? 'stands']),
    create: () => stage.plane,
  });
});
afterEach(() => {
  jest.useRealTimers();
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

describe('applying', () => {
  test('a vip waits until its data plane stands', async () => {
    wiring.configure(config);
    expect(told).toEqual([['orders', 'data-plane-pending']]);
    await pass(0);
    expect(told.at(-1)).toEqual(['orders', 'stands']);
  });

  test('a failure is told and repeated after 1, 2, 4 ... and never more than 60 seconds', async () => {
    stage.problem = failure;
    wiring.configure(config);
    await pass(0);
    expect(told.at(-1)).toEqual(['orders', 'data-plane-not-applied']);
    expect(wiring.view()).toMatchObject({ problem: 'proxy: port in use', vips: [{ applied: false }] });
    const attempts = () => stage.calls.filter((call) => call === 'apply').length;
    for (const [waitMs, count] of [
      [999, 1],
      [1, 2],
      [1999, 2],
      [1, 3],
      [4000, 4],
    ] as const) {
      await pass(waitMs);
      expect(attempts()).toBe(count);
    }
    await pass(600_000);
    const late = attempts();
    await pass(600_000);
    expect(attempts() - late).toBe(10);
    stage.problem = undefined;
    await pass(60_000);
    expect(told.at(-1)).toEqual(['orders', 'stands']);
    expect(wiring.view()).not.toHaveProperty('problem');
  });

  test('a vip that is served in spite of a failure stays announced', async () => {
    wiring.configure(config);
    await pass(0);
    stage.problem = failure;
    stage.served = ['orders'];
    await pass(30_000);
    expect(told.at(-1)).toEqual(['orders', 'stands']);
    expect(wiring.view()?.problem).toBe('proxy: port in use');
    stage.served = [];
    await pass(1000);
    expect(told.at(-1)).toEqual(['orders', 'data-plane-not-applied']);
  });

  test('what cannot be read is taken to stand as it did: unknown is not broken', async () => {
    wiring.configure(config);
    await pass(0);
    stage.problem = failure;
    stage.served = new OperatingError('command-timed-out', 'ip', { retryable: true });
    await pass(30_000);
    expect(told.at(-1)).toEqual(['orders', 'stands']);
  });

  test('a proxy that died is started again within a second, and only then is the vip given up', async () => {
    wiring.configure(config);
    await pass(0);
    stage.isProxyUp = false;
    await pass(500);
    expect(stage.calls).toEqual(['apply', 'apply']);
    expect(told.filter(([, reason]) => reason === 'data-plane-not-applied')).toEqual([]);
    stage.isProxyUp = false;
    stage.problem = failure;
    await pass(500);
    expect(told.at(-1)).toEqual(['orders', 'data-plane-not-applied']);
  });

  test('a vip that left the configuration is carried until its route has gone', async () => {
    wiring.configure(config);
    await pass(0);
    wiring.configure(configWith(), { goneMs: 2000 });
    await pass(0);
    expect(stage.configs.at(-1)?.vips.map(({ vip }) => vip)).toEqual(['orders']);
    await pass(2000);
    expect(stage.configs.at(-1)?.vips).toEqual([]);
  });

  test('without a vip of ours nothing is touched; what a crash left behind is removed', async () => {
    wiring.configure(configWith());
    await pass(0);
    expect([stage.calls, wiring.view()]).toEqual([[], undefined]);
    mkdirSync(folder, { recursive: true });
    wiring.configure(configWith());
    await pass(0);
    expect(stage.calls).toEqual(['remove', 'close']);
  });
});

describe('moves', () => {
  const [row] = makeOrder().vips;
  const ordered = (more: object) => makeOrder({ vips: row === undefined ? [] : [{ ...row, ...more }] });
  const before = ordered({ prepend: 15 });
  const planned = ordered({ prepend: 9, previousOwner: PEER });
  let went: boolean;
  const share = (order = planned) => {
    went = false;
    return wiring.share(order, before, () => {
      went = true;
    });
  };

  beforeEach(async () => {
    wiring.configure(config);
    await pass(0);
  });

  test('a planned move waits until the previous owner has confirmed', async () => {
    let confirm: () => void = () => {};
    stage.arm = () =>
      new Promise((resolve) => {
        confirm = () => resolve({ type: 'active', peer: PEER });
      });
    expect(share()).toEqual(['orders']);
    await pass(50);
    expect(went).toBe(false);
    confirm();
    await pass(0);
    expect(went).toBe(true);
  });

  test(`and ${SHARE_WAIT_MS} ms at most`, async () => {
    stage.arm = () => new Promise(() => {});
    share();
    await pass(SHARE_WAIT_MS - 1);
    expect(went).toBe(false);
    await pass(1);
    expect(went).toBe(true);
  });

  test('not at all towards an NVA whose tunnel is silent, but it is asked', async () => {
    stage.isProved = false;
    expect(share()).toEqual([]);
    expect(stage.calls).toContain(`arm orders ${PEER}`);
  });

  test('a takeover neither waits nor asks', () => {
    expect(share(ordered({ prepend: 9 }))).toEqual([]);
    expect(stage.calls).toEqual(['apply']);
  });

  test('a stop shares what still draws traffic', async () => {
    expect(wiring.shareForStop()).toBeUndefined();
    const [vip] = makeOrder().vips;
    const announced = { rung: 4, prepend: 12, prependAsn: 64500, communities: [], med: null, lastResort: false };
    state = { ...state, vips: new Map([[vip?.vip ?? '', { announced, announcedSinceMs: 0 } as never]]) };
    await wiring.shareForStop();
    expect(stage.calls).toContain(`arm orders ${PEER}`);
  });

  test('a stop asks each of several others, because any of them may take over, and waits for none that is silent', async () => {
    const several = configWith(orders({ secondChance: { capSeconds: 60, peers: [PEER, 'se-nva-1'] } }));
    wiring.configure({ ...several, tunnel: TUNNEL });
    await pass(0);
    expect(wiring.shareForStop()).toBeUndefined();
    const announced = { rung: 4, prepend: 12, prependAsn: 64500, communities: [], med: null, lastResort: false };
    state = { ...state, vips: new Map([['orders', { announced, announcedSinceMs: 0 } as never]]) };
    await wiring.shareForStop();
    expect(stage.calls).toContain(`ask orders of ${PEER}, se-nva-1`);
    expect(stage.calls.filter((call) => call.startsWith('arm'))).toEqual([]);
    stage.isProved = false;
    expect(wiring.shareForStop()).toBeUndefined();
    expect(stage.calls.filter((call) => call.startsWith('ask'))).toHaveLength(2);
  });
});

describe('the end', () => {
  beforeEach(async () => {
    wiring.configure(config);
    await pass(0);
    mkdirSync(folder, { recursive: true });
  });

  test('connections finish, then everything of ours goes', async () => {
    await wiring.end(30_000);
    expect(stage.calls).toEqual(['apply', 'drain', 'remove', 'close']);
    expect(existsSync(folder)).toBe(false);
    await pass(120_000);
    expect(stage.calls).toHaveLength(4);
  });

  test('a second stop cuts the waiting short', async () => {
    stage.established = 3;
    const ended = wiring.end(3_600_000);
    await pass(10_000);
    expect(stage.calls).not.toContain('remove');
    wiring.hurry();
    await ended;
    expect(stage.calls).toContain('remove');
  });

  test('what cannot be removed is left to the next start, and the agent still ends', async () => {
    const remove = jest.spyOn(stage.plane, 'remove').mockRejectedValue(failure);
    await wiring.end(0);
    expect(remove).toHaveBeenCalled();
    expect(stage.calls.at(-1)).toBe('close');
  });
});

test('figures are taken when asked for, and shown with what the agent announces', async () => {
  wiring.configure(config);
  await pass(0);
  await wiring.refresh();
  expect(wiring.view()).toMatchObject({
    tunnelledPackets: 5,
    peers: [{ nva: PEER, isProved: true }],
    vips: [{ vip: 'orders', mode: 'reverse-proxy', applied: true, connections: 7, bytesIn: 1, bytesOut: 2 }],
  });
});
