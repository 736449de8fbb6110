// The agent step: every state and event, pacing, stop, overrides, start and reload.
import { describe, expect, test } from '@jest/globals';
import {
  type AgentEffect,
  type AgentEvent,
  type AgentPlan,
  type AgentState,
  newAgent,
  rowOf,
  sequenceOf,
  step,
} from '../../nva-agent/agent.ts';
import { reportVip } from '../../nva-agent/control/reports.ts';
import { nextTickMs } from '../../nva-agent/next-tick.ts';
import { SPLAY_MS_MAX } from '../../nva-agent/vip-start.ts';
import { RULE } from './health/probe-world.ts';
import { LAST_RESORT, makeOrder } from './order-draft.ts';

const vipPlan = (vip: string, group: string, last: number) => ({
  vip,
  group,
  prefix: `192.0.2.${last}/32`,
  health: RULE,
  defaults: { lastResortRung: 6, lastResortPrepend: 18, prependAsn: 64500 },
});
const PLAN: AgentPlan = {
  nva: 'we-nva-1',
  vips: [vipPlan('orders', 'default', 10), vipPlan('billing', 'other', 20)],
  routeChangeMs: 30_000,
  stopLastResortMs: 2000,
  stopWithdrawMs: 1000,
};

interface Played {
  state: AgentState;
  effects: AgentEffect[];
}

/** Plays events in turn and collects what each asked for. */
function play(state: AgentState, ...events: readonly (readonly [number, AgentEvent])[]): Played {
  const effects: AgentEffect[] = [];
  let now = state;
  for (const [nowMs, event] of events) {
    const stepped = step(now, PLAN, event, nowMs);
    now = stepped.state;
    effects.push(...stepped.effects);
  }
  return { state: now, effects };
}

const fresh = () => newAgent(PLAN, [], [], 0);
const pass: AgentEvent = { type: 'probed', vip: 'orders', outcome: { type: 'pass', latencyMs: 1 } };
const fail: AgentEvent = { type: 'probed', vip: 'orders', outcome: { type: 'fail', latencyMs: 1, detail: 'refused' } };
const lost: AgentEvent = { type: 'sentinel-lost', vip: 'orders' };
const order: AgentEvent = { type: 'order', order: makeOrder() };
const tick: AgentEvent = { type: 'tick' };
const stop: AgentEvent = { type: 'stop' };
const at = (nowMs: number, ...events: AgentEvent[]) => events.map((event) => [nowMs, event] as const);

const healthy = () => play(fresh(), ...at(10, pass, pass, pass)).state;
const serving = () => play(healthy(), ...at(20, order)).state;
const fallen = () => play(serving(), ...at(100_000, lost, fail, fail, fail)).state;

const types = ({ effects }: Played) => effects.map((effect) => effect.type);
const announced = (state: AgentState, vip = 'orders') => state.vips.get(vip)?.announced ?? null;
const count = (played: Played, type: AgentEffect['type']) => types(played).filter((t) => t === type).length;

describe('one event at a time', () => {
  // state, event, prepend announced afterwards, effects (verdict and probe effects left out)
  test.each<[string, () => AgentState, AgentEvent, number | null, string[]]>([
    ['fresh, start', fresh, { type: 'start' }, null, []],
    ['fresh, order', fresh, order, 18, ['advertise', 'route', 'report', 'report']],
    ['fresh, session', fresh, { type: 'session', peer: 'p' }, null, ['report']],
    ['healthy, order', healthy, order, 12, ['advertise', 'route', 'report', 'report']],
    [
      'serving, the same content again',
      serving,
      { type: 'order', order: makeOrder({ generation: 2 }) },
      12,
      ['report'],
    ],
    [
      'serving, withheld',
      serving,
      { type: 'order', order: makeOrder({ generation: 2 }, { state: 'withheld' }) },
      null,
      ['advertise', 'route', 'report', 'report'],
    ],
    [
      'serving, no longer ordered',
      serving,
      { type: 'order', order: makeOrder({ generation: 2, vips: [] }) },
      null,
      ['advertise', 'route', 'report', 'report'],
    ],
    [
      'serving, another rung of equal length',
      serving,
      { type: 'order', order: makeOrder({ generation: 2 }, { rung: 5 }) },
      12,
      ['route', 'report', 'report'],
    ],
    ['serving, pass', serving, pass, 12, []],
    ['serving, one fail', serving, fail, 12, []],
    ['serving, sentinel lost', serving, lost, 12, []],
    [
      'serving, override withhold',
      serving,
      { type: 'override', override: { vip: 'orders', action: 'withhold', reason: 'r', setAtMs: 0, expiresAtMs: 9e9 } },
      null,
      ['advertise', 'route', 'report', 'report'],
    ],
    [
      'serving, override of a strange vip',
      serving,
      { type: 'override', override: { vip: 'nobody', action: 'withhold', reason: 'r', setAtMs: 0, expiresAtMs: 9e9 } },
      12,
      ['report'],
    ],
    ['serving, stop', serving, stop, 18, ['advertise', 'route', 'report', 'report']],
    [
      'fallen, order to a better rung',
      fallen,
      { type: 'order', order: makeOrder({ generation: 2 }, { rung: 3, prepend: 9 }) },
      18,
      ['report'],
    ],
    [
      'fallen, order to ignore',
      fallen,
      { type: 'order', order: makeOrder({ generation: 2 }, { onLocalFailure: 'ignore' }) },
      12,
      ['advertise', 'route', 'report', 'report'],
    ],
    [
      'fallen, order to withdraw',
      fallen,
      { type: 'order', order: makeOrder({ generation: 2 }, { onLocalFailure: 'withdraw' }) },
      null,
      ['advertise', 'route', 'report', 'report'],
    ],
    ['fallen, pass', fallen, pass, 18, []],
    ['fallen, stop', fallen, stop, 18, ['report']],
    [
      'anything, a probe of a vip that is gone',
      serving,
      { type: 'probed', vip: 'gone', outcome: { type: 'unknown', detail: '' } },
      12,
      [],
    ],
  ])('%s', (_name, state, event, prepend, expected) => {
    const played = play(state(), ...at(100_100, event));
    expect(announced(played.state)?.prepend ?? null).toBe(prepend);
    expect(types(played).filter((type) => type !== 'verdict' && type !== 'probe')).toEqual(expected);
  });
});

describe('reflex', () => {
  test('three refusals after a lost sentinel: the route goes first, then the report', () => {
    const played = play(serving(), ...at(100_000, lost, fail, fail, fail));
    expect(announced(played.state)).toMatchObject({ prepend: 18, lastResort: true, rung: 6 });
    expect(types(played).filter((type) => type !== 'probe')).toEqual([
      'advertise',
      'route',
      'report',
      'verdict',
      'report',
    ]);
  });

  test('other vips keep their routes', () => {
    const both = play(
      serving(),
      ...at(
        30,
        ...Array.from(
          { length: 3 },
          (): AgentEvent => ({ type: 'probed', vip: 'billing', outcome: { type: 'pass', latencyMs: 1 } }),
        ),
      ),
    );
    const before = announced(both.state, 'billing');
    const played = play(both.state, ...at(100_000, lost, fail, fail, fail));
    expect(before).toMatchObject({ prepend: 18 });
    expect(announced(played.state, 'billing')).toBe(before);
  });

  test('an order of one group leaves the other alone', () => {
    const played = play(
      serving(),
      ...at(30, { type: 'order', order: makeOrder({ group: 'other', generation: 9, vips: [] }) }),
    );
    expect(announced(played.state)).toMatchObject({ prepend: 12 });
    expect([
      sequenceOf(played.state, 'default'),
      sequenceOf(played.state, 'other'),
      sequenceOf(played.state, 'none'),
    ]).toEqual([
      { epoch: 1, generation: 1 },
      { epoch: 1, generation: 9 },
      { epoch: 0, generation: 0 },
    ]);
  });
});

describe('pacing', () => {
  test('a fall within the window is sent at once and once more when the window closes', () => {
    const fell = play(serving(), ...at(5000, lost, fail, fail, fail));
    expect(count(fell, 'advertise')).toBe(1);
    expect(nextTickMs(fell.state)).toBeLessThanOrEqual(30_010);
    expect(count(play(fell.state, ...at(30_000, tick)), 'resend')).toBe(0);
    const closed = play(fell.state, ...at(30_020, tick));
    expect(closed.effects).toContainEqual({ type: 'resend', prefixes: ['192.0.2.10/32'] });
    expect(count(play(closed.state, ...at(70_000, tick)), 'resend')).toBe(0);
  });

  test('a withdrawal is repeated like any other change', () => {
    const gone = play(
      serving(),
      ...at(5000, { type: 'order', order: makeOrder({ generation: 2 }, { state: 'withheld' }) }),
    );
    expect(count(play(gone.state, ...at(30_020, tick)), 'resend')).toBe(1);
  });
});

describe('stop', () => {
  test('last resort, wait, withdraw, wait, leave', () => {
    const stopping = play(serving(), ...at(1000, stop));
    expect(announced(stopping.state)).toMatchObject({ lastResort: true });
    expect(nextTickMs(stopping.state)).toBe(3000);
    expect(types(play(stopping.state, ...at(2999, tick)))).toEqual([]);
    const withdrawn = play(stopping.state, ...at(3000, tick));
    expect(announced(withdrawn.state)).toBeNull();
    expect(types(withdrawn)).toContain('advertise');
    const gone = play(withdrawn.state, ...at(4000, tick));
    expect(types(gone)).toEqual(['leave']);
    expect(types(play(gone.state, ...at(5000, tick, stop)))).toEqual([]);
  });

  test('a second stop leaves at once', () => {
    expect(types(play(serving(), ...at(1000, stop, stop))).at(-1)).toBe('leave');
  });

  test('with nothing announced there is nothing to wait for', () => {
    expect(types(play(fresh(), ...at(1000, stop)))).toEqual(['leave']);
  });

  test('no event brings a stopping agent back on its rung or starts probes', () => {
    const stopping = play(serving(), ...at(1000, stop)).state;
    const events: AgentEvent[] = [
      pass,
      fail,
      lost,
      order,
      { type: 'sentinel-up', vip: 'orders' },
      { type: 'order', order: makeOrder({ generation: 3 }) },
    ];
    const played = play(stopping, ...at(1100, ...events));
    expect(announced(played.state)).toMatchObject({ lastResort: true });
    expect(count(played, 'probe')).toBe(0);
  });
});

describe('overrides', () => {
  const override = { vip: 'orders', action: 'withhold', reason: 'r', setAtMs: 1000, expiresAtMs: 61_000 } as const;

  test('expire by themselves and say so', () => {
    const held = play(serving(), ...at(1000, { type: 'override', override })).state;
    const played = play(held, ...at(61_000, tick));
    expect(announced(played.state)).toMatchObject({ prepend: 12 });
    expect(played.effects).toContainEqual({ type: 'override-expired', vip: 'orders' });
  });

  test('end when told', () => {
    const held = play(serving(), ...at(1000, { type: 'override', override })).state;
    expect(announced(play(held, ...at(2000, { type: 'override-ended', vip: 'orders' })).state)).toMatchObject({
      prepend: 12,
    });
  });

  test('are there from the start when they were persisted', () => {
    const state = newAgent(PLAN, [makeOrder()], [override], 2000);
    expect(announced(play(state, ...at(2000, { type: 'start' })).state)).toBeNull();
  });
});

describe('start and reload', () => {
  test('a persisted order and unknown health: last resort at once, the ordered rung once healthy', () => {
    const started = play(newAgent(PLAN, [makeOrder()], [], 0), ...at(0, { type: 'start' }));
    expect(announced(started.state)).toMatchObject({ prepend: 18, lastResort: true });
    expect(announced(play(started.state, ...at(5, pass, pass, pass)).state)).toMatchObject({ prepend: 12 });
  });

  test('a reload keeps what stays, withdraws what is gone, starts what is new', () => {
    const plan: AgentPlan = { ...PLAN, vips: [vipPlan('billing', 'other', 20), vipPlan('new', 'default', 30)] };
    const stepped = step(serving(), PLAN, { type: 'reload', plan }, 1000);
    expect([...stepped.state.vips.keys()]).toEqual(['billing', 'new']);
    expect(stepped.effects.map((effect) => effect.type)).toContain('advertise');
    expect(stepped.state.vips.get('new')?.health.standing).toBe('unborn');
    const same = step(serving(), PLAN, { type: 'reload', plan: PLAN }, 1000);
    expect(same.effects.map((effect) => effect.type)).toEqual(['report']);
    expect(same.state.vips.get('orders')).toEqual(serving().vips.get('orders'));
  });

  const reload = (state: AgentState, nowMs: number, ...vips: AgentPlan['vips']) =>
    step(state, PLAN, { type: 'reload', plan: { ...PLAN, vips } }, nowMs);
  const billing = vipPlan('billing', 'other', 20);
  const resent = (state: AgentState, nowMs: number) =>
    step(state, PLAN, tick, nowMs).effects.flatMap((effect) => (effect.type === 'resend' ? effect.prefixes : []));

  test('a withdrawal by reload within the window is repeated when the window closes, once', () => {
    const { state } = reload(serving(), 5000, billing);
    expect(nextTickMs({ ...state, vips: new Map() })).toBe(30_010);
    expect(resent(state, 30_009)).toEqual([]);
    expect(resent(state, 30_010)).toEqual(['192.0.2.10/32']);
    expect(resent(step(state, PLAN, tick, 30_010).state, 90_000)).toEqual([]);
  });

  test('a withdrawal by reload after the window opens one of its own; nothing that was not announced does', () => {
    const { state } = reload(serving(), 60_000, billing);
    expect([...state.gone]).toEqual([['192.0.2.10/32', { windowEndsMs: 90_000, resendAtMs: undefined }]]);
    expect([...reload(state, 90_000, billing).state.gone]).toEqual([]);
    expect([...reload(fresh(), 60_000, billing).state.gone]).toEqual([]);
  });

  test('a prefix that comes back, under whichever name, has its window still and is not withdrawn again', () => {
    for (const name of ['orders', 'orders-2']) {
      const back = reload(reload(serving(), 5000, billing).state, 6000, vipPlan(name, 'default', 10));
      expect(back.state.gone.size).toBe(0);
      expect(back.state.vips.get(name)?.pacing).toEqual({ windowEndsMs: 30_010, resendAtMs: 30_010 });
    }
  });

  test('a vip that moves to another prefix takes its route there, and the old prefix is withdrawn and repeated', () => {
    const { state, effects } = reload(serving(), 5000, vipPlan('orders', 'default', 11), billing);
    expect(effects.map((effect) => effect.type)).toEqual(['advertise', 'report']);
    expect(announced(state)).toMatchObject({ prepend: 12 });
    expect(resent(state, 30_010)).toEqual(['192.0.2.10/32']);
  });

  test('first probes of many vips are spread over the splay', () => {
    const vips = Array.from({ length: 100 }, (_, i) => vipPlan(`vip-${i}`, 'default', i));
    const state = newAgent({ ...PLAN, vips }, [], [], 0);
    const dueMs = vips.map(({ vip }) => state.vips.get(vip)?.health.nextProbeMs ?? -1);
    expect(dueMs[0]).toBe(0);
    expect(new Set(dueMs).size).toBe(100);
    expect(Math.max(...dueMs)).toBeLessThan(SPLAY_MS_MAX);
  });

  test('an order without a row of the vip is not the same as no order', () => {
    const plan = PLAN.vips[0];
    if (plan === undefined) throw new Error('the plan has vips');
    expect(rowOf(fresh(), plan)).toBeUndefined();
    expect(rowOf(newAgent(PLAN, [makeOrder({ vips: [] })], [], 0), plan)).toBe('not-ordered');
  });
});

describe('a vip whose traffic this agent carries', () => {
  const carried: AgentPlan = { ...PLAN, vips: PLAN.vips.map((vip) => ({ ...vip, hasDataPlane: true })) };
  const stands: AgentEvent = { type: 'data-plane', vip: 'orders', obstacle: undefined };
  const obstacle = { reason: 'data-plane-not-applied', detail: 'proxy: refused' } as const;
  const fails: AgentEvent = { type: 'data-plane', vip: 'orders', obstacle };
  const playCarried = (state: AgentState, ...events: readonly AgentEvent[]): Played =>
    events.reduce<Played>(
      (played, event) => {
        const next = step(played.state, carried, event, 10);
        return { state: next.state, effects: [...played.effects, ...next.effects] };
      },
      { state, effects: [] },
    );
  const begun = () => newAgent(carried, [makeOrder()], [], 0);
  const verdictOf = (state: AgentState) => {
    const held = state.vips.get('orders');
    const plan = carried.vips[0];
    if (held === undefined || plan === undefined) throw new Error('the plan has it');
    return reportVip(plan, held, 10).local;
  };

  test('is announced once its data plane stands, not before, however healthy its application is', () => {
    const healthyHere = playCarried(begun(), { type: 'start' }, pass, pass, pass).state;
    expect(announced(healthyHere)).toBeNull();
    expect(verdictOf(healthyHere)).toMatchObject({ verdict: 'unknown', detail: expect.stringMatching(/pending/) });
    const played = playCarried(healthyHere, stands);
    expect(announced(played.state)).toMatchObject({ prepend: 12 });
    expect(types(played)).toEqual(['advertise', 'route', 'report', 'report']);
    expect(verdictOf(played.state).verdict).toBe('healthy');
  });

  test('falls to last resort when its data plane breaks, and every seat hears the reason', () => {
    const played = playCarried(playCarried(begun(), pass, pass, pass, stands).state, fails);
    expect(announced(played.state)).toMatchObject({ lastResort: true, prepend: LAST_RESORT });
    expect(types(played)).toContain('report');
    expect(verdictOf(played.state)).toMatchObject({
      verdict: 'unhealthy',
      detail: 'data-plane-not-applied: proxy: refused',
    });
    expect(types(playCarried(played.state, fails))).toEqual([]);
  });

  test('is withdrawn when its data plane breaks only where the topology says so; what was never carried stays silent', () => {
    const withdrawing = newAgent(carried, [makeOrder({}, { onLocalFailure: 'withdraw' })], [], 0);
    expect(announced(playCarried(withdrawing, pass, pass, pass, stands, fails).state)).toBeNull();
    expect(announced(playCarried(begun(), pass, pass, pass, fails).state)).toBeNull();
    expect(announced(playCarried(begun(), pass, pass, pass, stands, fails, stands).state)).toMatchObject({
      lastResort: false,
      prepend: 12,
    });
  });

  test('is announced all the same when root overrides it, and waits for nothing once it is somebody else’s', () => {
    const override = { vip: 'orders', action: 'announce', reason: 'r', setAtMs: 0, expiresAtMs: 1e9 } as const;
    expect(announced(playCarried(begun(), fails, { type: 'override', override }).state)).not.toBeNull();
    const handed = playCarried(begun(), pass, pass, pass, fails, { type: 'reload', plan: PLAN }).state;
    expect(announced(handed)).toMatchObject({ prepend: 12 });
  });
});

test('a tick probes every vip that is due, and asks to be called again no later than the next', () => {
  const played = play(fresh(), ...at(500, tick));
  expect(played.effects).toEqual([
    { type: 'probe', vip: 'orders', count: 1, probe: 0 },
    { type: 'probe', vip: 'billing', count: 1, probe: 0 },
  ]);
  expect(nextTickMs(played.state)).toBe(1000);
});
