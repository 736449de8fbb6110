// The arming of second chances: every phase and event, and properties that hold in any order of events.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type ArmingConfig,
  type ArmingEffect,
  type ArmingEvent,
  type ArmingState,
  CONFIRMED_MS,
  HEARTBEAT_MS,
  IDLE_HEARTBEAT_MS,
  initialArming,
  isHandingOver,
  isMutual,
  isProved,
  SILENT_MS,
  step,
} from '../../../nva-agent/dataplane/arming.ts';
import type { Heartbeat } from '../../../nva-agent/dataplane/heartbeat.ts';
import { ELEMENT_SECONDS } from '../../../nva-agent/dataplane/second-chance-rules.ts';

const VIP = '192.0.2.10';
const PEER = { nva: 'b', address: '10.2.1.4', innerAddress: '169.254.92.2' };
const THIRD = { nva: 'c', address: '10.3.1.4', innerAddress: '169.254.92.3' };
const CONFIG: ArmingConfig = {
  address: '10.1.1.4',
  boot: 7,
  peers: [PEER, THIRD],
  vips: [{ vip: 'orders', address: VIP, capMs: 60_000, peers: ['b', 'c'] }],
};

const heard = (more: Partial<Heartbeat> = {}): ArmingEvent => ({
  type: 'heard',
  heartbeat: {
    from: PEER.address,
    to: CONFIG.address,
    boot: 9,
    sentMs: 0,
    echoBoot: 7,
    echoMs: 0,
    vips: [{ address: VIP, isAsked: false, isActive: false }],
    ...more,
  },
});
const ARM: ArmingEvent = { type: 'arm', vip: 'orders', peer: 'b' };
const TICK: ArmingEvent = { type: 'tick' };

/** Runs events at their times; answers the state and what the last event brought. */
function run(events: readonly (readonly [number, ArmingEvent])[], start = initialArming(CONFIG)) {
  let state: ArmingState = start;
  let effects: readonly ArmingEffect[] = [];
  for (const [atMs, event] of events) ({ state, effects } = step(state, event, atMs));
  return { state, effects, kinds: [...new Set(effects.map((effect) => effect.type))] };
}
const phaseOf = (state: ArmingState) => state.arms.get('orders')?.phase;

describe('arming', () => {
  test('waits for the peer and asks it at once', () => {
    const { state, effects } = run([[0, ARM]]);
    expect(phaseOf(state)).toBe('waiting');
    expect(effects).toEqual([
      {
        type: 'send',
        peer: PEER,
        heartbeat: expect.objectContaining({ sentMs: 0, vips: [{ address: VIP, isAsked: true, isActive: false }] }),
      },
    ]);
  });

  test('is active as soon as the peer says it heard us, and then refreshed at every tick', () => {
    const { state, effects } = run([
      [1000, ARM],
      [1003, heard({ echoMs: 1000 })],
    ]);
    expect(phaseOf(state)).toBe('active');
    expect(effects).toEqual([
      { type: 'refresh', elements: [{ address: VIP, innerAddress: PEER.innerAddress }] },
      // The peer learns at once, after the refresh, that this side hands over.
      {
        type: 'send',
        peer: PEER,
        heartbeat: expect.objectContaining({ vips: [{ address: VIP, isAsked: true, isActive: true }] }),
      },
    ]);
    expect(run([[1500, TICK]], state).kinds).toEqual(['refresh', 'send']);
  });

  const unheard: readonly [string, Partial<Heartbeat>][] = [
    ['echoes an earlier start of ours', { echoBoot: 6, echoMs: 1000 }],
    ['echoes what was sent long ago', { echoMs: 1003 - CONFIRMED_MS - 1 }],
    ['echoes what was not sent yet', { echoMs: 5000 }],
    ['does not serve the vip', { echoMs: 1000, vips: [] }],
    ['means another machine', { echoMs: 1000, to: '10.9.9.9' }],
    ['is no peer', { echoMs: 1000, from: '10.9.9.9' }],
  ];
  test.each(unheard)('is not active when the peer %s', (_why, more) => {
    const { state, kinds } = run([
      [1000, ARM],
      [1003, heard(more)],
    ]);
    expect(phaseOf(state)).toBe('waiting');
    expect(kinds).not.toContain('refresh');
  });

  test('is mutual only when the peer says that it hands over too', () => {
    const alone = run([
      [1000, ARM],
      [1003, heard({ echoMs: 1000 })],
    ]).state;
    expect(isMutual(alone, 'orders')).toBe(false);
    const both = run(
      [[1005, heard({ echoMs: 1003, vips: [{ address: VIP, isAsked: false, isActive: true }] })]],
      alone,
    );
    expect(isMutual(both.state, 'orders')).toBe(true);
    expect(isMutual(both.state, 'nosuch')).toBe(false);
    expect(both.kinds).toEqual([]);
  });

  test('again after an end is not mutual by what the peer said of the arming before', () => {
    const says = (echoMs: number, isActive: boolean) =>
      heard({ echoMs, vips: [{ address: VIP, isAsked: false, isActive }] });
    const again = run([
      [1000, ARM],
      [1003, says(1000, true)],
      [1100, { type: 'disarm', vip: 'orders' }],
      [1101, ARM],
    ]).state;
    // The tunnel is confirmed, so this side hands over at once.
    expect(phaseOf(again)).toBe('active');
    expect(isMutual(again, 'orders')).toBe(false);
    // The peer lets go of the arming that has ended, then takes up the new one.
    const letGo = run([[1103, says(1100, false)]], again).state;
    expect(isMutual(letGo, 'orders')).toBe(false);
    const both = run([[1104, says(1101, true)]], letGo).state;
    expect(isMutual(both, 'orders')).toBe(true);
    // Once more while it stands is the same arming: nobody waits.
    expect(isMutual(run([[1200, ARM]], both).state, 'orders')).toBe(true);
  });

  test('of a vip or peer that is not ours does nothing', () => {
    expect(run([[0, { type: 'arm', vip: 'nosuch', peer: 'b' }]]).kinds).toEqual([]);
    expect(run([[0, { type: 'arm', vip: 'orders', peer: 'x' }]]).state.arms.size).toBe(0);
  });

  test('towards another peer clears the old owner first and waits for the new one', () => {
    const active = run([
      [1000, ARM],
      [1003, heard({ echoMs: 1000 })],
    ]).state;
    const { state, kinds } = run([[1010, { type: 'arm', vip: 'orders', peer: 'c' }]], active);
    expect(kinds).toEqual(['clear', 'send']);
    const next = run([[1020, heard({ from: THIRD.address, echoMs: 1010 })]], state);
    expect(next.effects[0]).toEqual({
      type: 'refresh',
      elements: [{ address: VIP, innerAddress: THIRD.innerAddress }],
    });
  });
});

describe('letting go', () => {
  const active = run([
    [1000, ARM],
    [1003, heard({ echoMs: 1000 })],
  ]).state;

  test('on disarm', () => {
    const { state, effects } = run([[1100, { type: 'disarm', vip: 'orders' }]], active);
    expect(effects).toEqual([
      { type: 'clear', elements: [{ address: VIP, innerAddress: PEER.innerAddress }] },
      // The peer lets go at once, not after a silence.
      {
        type: 'send',
        peer: PEER,
        heartbeat: expect.objectContaining({ vips: [{ address: VIP, isAsked: false, isActive: false }] }),
      },
    ]);
    expect(state.ended.at(-1)).toMatchObject({ vip: 'orders', peer: 'b', why: 'disarmed' });
  });

  test('is left to the kernel when the peer has been silent for CONFIRMED_MS: it goes on asking and comes back', () => {
    const { state, kinds } = run([[1000 + CONFIRMED_MS + 1, TICK]], active);
    expect(kinds).toEqual(['send']);
    expect(phaseOf(state)).toBe('waiting');
    expect(run([[2600, { type: 'disarm', vip: 'orders' }]], state).kinds).toEqual(['clear', 'send']);
    const back = run([[3000, heard({ echoMs: 1000 + CONFIRMED_MS + 1 })]], state);
    expect(back.kinds).toEqual(['refresh', 'send']);
  });

  test('at the cap, which an order may shorten but not lengthen', () => {
    expect(active.arms.get('orders')?.endsMs).toBe(61_000);
    const longer = run([[1100, { ...ARM, capMs: 999_999 } as ArmingEvent]], active).state;
    expect(longer.arms.get('orders')?.endsMs).toBe(61_100);
    const shorter = run([[1100, { ...ARM, capMs: 500 } as ArmingEvent]], active).state;
    const { state, kinds } = run([[1600, TICK]], shorter);
    expect(kinds).toContain('clear');
    expect(state.ended.at(-1)?.why).toBe('cap');
  });

  test('when the vip is not served any more', () => {
    const { state, kinds } = run([[1100, { type: 'reconfigured', config: { ...CONFIG, vips: [] } }]], active);
    expect(state.ended.at(-1)?.why).toBe('not-served');
    expect(state.arms.size).toBe(0);
    expect(kinds).toEqual(['clear', 'send']);
  });
});

describe('the peer’s arming', () => {
  const asking = (sentMs: number, echoMs: number) =>
    heard({ sentMs, echoBoot: echoMs === 0 ? 0 : 7, echoMs, vips: [{ address: VIP, isAsked: true, isActive: false }] });

  test('is mirrored, answered at once, and not asked for in turn', () => {
    const { state, effects } = run([[1000, asking(5, 0)]]);
    expect(state.arms.get('orders')).toMatchObject({ peer: 'b', by: 'peer', phase: 'waiting' });
    expect(effects).toEqual([
      {
        type: 'send',
        peer: PEER,
        heartbeat: expect.objectContaining({
          echoBoot: 9,
          echoMs: 5,
          vips: [{ address: VIP, isAsked: false, isActive: false }],
        }),
      },
    ]);
    expect(run([[1003, asking(6, 1000)]], state).kinds).toEqual(['refresh', 'send']);
  });

  test('ends when the peer lets go, or is not heard any more', () => {
    const mirrored = run([
      [1000, asking(5, 0)],
      [1003, asking(6, 1000)],
    ]).state;
    const letGo = run([[1500, heard({ echoMs: 1003 })]], mirrored);
    expect(letGo.kinds).toContain('clear');
    expect(letGo.state.ended.at(-1)?.why).toBe('peer-let-go');
    expect(run([[1003 + SILENT_MS + 1, TICK]], mirrored).state.arms.size).toBe(0);
  });

  test('outlives a moment in which the peer is not heard, and takes nothing away meanwhile', () => {
    const mirrored = run([
      [1000, asking(5, 0)],
      [1003, asking(6, 1000)],
    ]).state;
    const silent = run([[1003 + CONFIRMED_MS + 1, TICK]], mirrored);
    expect([phaseOf(silent.state), silent.kinds]).toEqual(['waiting', ['send']]);
    expect(run([[2800, asking(9, 1003 + CONFIRMED_MS + 1)]], silent.state).kinds).toEqual(['refresh', 'send']);
  });

  test('is declined after a person disarmed it, until the peer lets go once', () => {
    const declined = run([
      [1000, asking(5, 0)],
      [1100, { type: 'disarm', vip: 'orders' }],
      [1200, asking(7, 1000)],
    ]).state;
    expect(declined.arms.size).toBe(0);
    const anew = run(
      [
        [1500, heard({ echoMs: 1200 })],
        [2000, asking(8, 1500)],
      ],
      declined,
    );
    expect(anew.state.arms.get('orders')?.by).toBe('peer');
  });

  test('gives way to that of another peer that began later', () => {
    const from = (peer: typeof PEER, sentMs: number) =>
      heard({ from: peer.address, sentMs, echoMs: 990, vips: [{ address: VIP, isAsked: true, isActive: false }] });
    const { state } = run([
      [1000, from(PEER, 1)],
      [1100, from(THIRD, 1)],
      [1200, from(PEER, 2)],
    ]);
    expect(state.arms.get('orders')).toMatchObject({ peer: 'c', by: 'peer', phase: 'active' });
  });

  test('does not replace an order of our own', () => {
    const ours = run([
      [1000, { type: 'arm', vip: 'orders', peer: 'c' }],
      [1001, asking(5, 0)],
    ]).state;
    expect(ours.arms.get('orders')).toMatchObject({ peer: 'c', by: 'order' });
  });
});

describe('asking several back', () => {
  const ASK: ArmingEvent = { type: 'ask', vip: 'orders', peers: ['b', 'c', 'x'] };
  const asksIn = (effects: readonly ArmingEffect[]) =>
    effects.flatMap((effect) => (effect.type === 'send' ? [[effect.peer.nva, effect.heartbeat.vips[0]?.isAsked]] : []));

  test('tells each of them at once and at every beat, and hands nothing over itself', () => {
    const asked = run([[1000, ASK]]);
    expect(asksIn(asked.effects)).toEqual([
      ['b', true],
      ['c', true],
    ]);
    expect([asked.kinds, asked.state.arms.size]).toEqual([['send'], 0]);
    expect(asksIn(run([[1000 + HEARTBEAT_MS, TICK]], asked.state).effects)).toHaveLength(2);
    expect(run([[1001, heard({ echoMs: 1000 })]], asked.state).kinds).not.toContain('refresh');
  });

  test('knows which of them hands over', () => {
    const answered = run([
      [1000, ASK],
      [1003, heard({ echoMs: 1000, vips: [{ address: VIP, isAsked: false, isActive: true }] })],
    ]).state;
    expect([isHandingOver(answered, 'orders', 'b'), isHandingOver(answered, 'orders', 'c')]).toEqual([true, false]);
  });

  test('what a peer said before it heard the asking is no answer: that switch may be over', () => {
    const active = { vips: [{ address: VIP, isAsked: false, isActive: true }] };
    const early = run([
      [990, heard({ echoMs: 980, ...active })],
      [1000, ASK],
      [1001, heard({ echoMs: 980, ...active })],
    ]).state;
    expect(isHandingOver(early, 'orders', 'b')).toBe(false);
    expect(isHandingOver(run([[1004, heard({ echoMs: 1000, ...active })]], early).state, 'orders', 'b')).toBe(true);
  });

  test('ends with the cap, a disarming, or the vip', () => {
    const asked = run([[0, ASK]]).state;
    expect(asksIn(run([[60_000, TICK]], asked).effects)).not.toContainEqual(['b', true]);
    expect(run([[1, { type: 'disarm', vip: 'orders' }]], asked).state.asks.size).toBe(0);
    expect(run([[1, { type: 'reconfigured', config: { ...CONFIG, vips: [] } }]], asked).state.asks.size).toBe(0);
    expect(run([[0, { ...ASK, peers: ['x'] }]]).state.asks.size).toBe(0);
  });

  test('an asked NVA hands over to the one that asks', () => {
    const asked = run([[1000, ASK]]);
    const send = asked.effects.find((effect) => effect.type === 'send' && effect.peer.nva === 'b');
    if (send?.type !== 'send') throw new Error('b is asked');
    const b: ArmingConfig = {
      address: PEER.address,
      boot: 9,
      peers: [{ nva: 'a', address: CONFIG.address, innerAddress: '169.254.92.1' }],
      vips: [{ vip: 'orders', address: VIP, capMs: 60_000, peers: ['a'] }],
    };
    const there = run(
      [[5, { type: 'heard', heartbeat: { ...send.heartbeat, echoBoot: 9, echoMs: 1 } }]],
      initialArming(b),
    );
    expect(there.state.arms.get('orders')).toMatchObject({ peer: 'a', by: 'peer', phase: 'active' });
  });
});

describe('heartbeats', () => {
  const sendsIn = (totalMs: number, start: ArmingState): number => {
    let state = start;
    let sends = 0;
    for (let atMs = 0; atMs < totalMs; atMs += HEARTBEAT_MS) {
      const result = step(state, TICK, atMs);
      state = result.state;
      sends += result.effects.filter((effect) => effect.type === 'send' && effect.peer.nva === 'b').length;
    }
    return sends;
  };
  test('are slow while nothing is armed and quick while something is', () => {
    expect(sendsIn(20_000, initialArming(CONFIG))).toBe(20_000 / IDLE_HEARTBEAT_MS);
    expect(sendsIn(20_000, run([[-HEARTBEAT_MS, ARM]]).state)).toBe(20_000 / HEARTBEAT_MS);
  });

  test('prove the tunnel before anything is armed', () => {
    const { state } = run([
      [0, TICK],
      [4000, heard({ echoMs: 0 })],
    ]);
    expect(isProved(state, 'b', 5000)).toBe(true);
    expect(isProved(state, 'c', 5000)).toBe(false);
    expect(isProved(state, 'b', 20_000)).toBe(false);
  });

  test('answer a start of the peer that is new at once, and only that', () => {
    const started = run([
      [0, TICK],
      [10, heard({ echoBoot: 0, boot: 9 })],
    ]);
    expect(started.effects).toEqual([
      { type: 'send', peer: PEER, heartbeat: expect.objectContaining({ echoBoot: 9, sentMs: 10 }) },
    ]);
    expect(run([[11, heard({ echoBoot: 0, boot: 9 })]], started.state).kinds).toEqual([]);
    expect(run([[11, heard({ echoBoot: 0, boot: 10 })]], started.state).kinds).toEqual(['send']);
  });

  test('between two idle NVAs do not set each other off', () => {
    let sends = 0;
    let states = [
      initialArming(CONFIG),
      initialArming({
        ...CONFIG,
        address: PEER.address,
        boot: 9,
        peers: [{ ...PEER, nva: 'a', address: CONFIG.address }],
        vips: [{ ...(CONFIG.vips[0] as ArmingConfig['vips'][number]), peers: ['a'] }],
      }),
    ];
    const deliver = (to: number, effects: readonly ArmingEffect[], atMs: number, depth: number): void => {
      expect(depth).toBeLessThan(5);
      for (const effect of effects) {
        if (effect.type !== 'send' || effect.peer.nva === 'c') continue;
        sends += 1;
        const result = step(states[to] as ArmingState, { type: 'heard', heartbeat: effect.heartbeat }, atMs);
        states = states.map((state, i) => (i === to ? result.state : state));
        deliver(1 - to, result.effects, atMs, depth + 1);
      }
    };
    for (let atMs = 0; atMs < 20_000; atMs += HEARTBEAT_MS) {
      for (const from of [0, 1]) {
        const result = step(states[from] as ArmingState, TICK, atMs);
        states = states.map((state, i) => (i === from ? result.state : state));
        deliver(1 - from, result.effects, atMs, 0);
      }
    }
    // And one more at the start, when each learns of the other.
    expect(sends).toBe((2 * 20_000) / IDLE_HEARTBEAT_MS + 1);
  });
});

describe('in any order of events', () => {
  const anyEvent = fc.oneof(
    fc.record({
      type: fc.constant('arm' as const),
      vip: fc.constant('orders'),
      peer: fc.constantFrom('b', 'c', 'x'),
      capMs: fc.integer({ min: 0, max: 5000 }),
    }),
    fc.constant<ArmingEvent>({ type: 'disarm', vip: 'orders' }),
    fc.constant<ArmingEvent>({ type: 'ask', vip: 'orders', peers: ['b', 'c'] }),
    fc.constant<ArmingEvent>(TICK),
    fc
      .tuple(fc.constantFrom(PEER, THIRD), fc.boolean(), fc.integer({ min: 0, max: 9000 }), fc.boolean())
      .map(([peer, isAsked, echoMs, serves]) =>
        heard({ from: peer.address, echoMs, vips: serves ? [{ address: VIP, isAsked, isActive: isAsked }] : [] }),
      ),
  );
  const history = fc.array(fc.tuple(fc.integer({ min: 0, max: 900 }), anyEvent), { maxLength: 60 });

  test('the kernel holds what was confirmed and nothing after an end, and only for the element’s own time', () => {
    fc.assert(
      fc.property(history, (events) => {
        let state = initialArming(CONFIG);
        let nowMs = 0;
        let kernel: { readonly owner: string; readonly endsMs: number } | undefined;
        for (const [waitMs, event] of events) {
          nowMs += waitMs;
          const result = step(state, event, nowMs);
          state = result.state;
          const standing = state.arms.get('orders');
          const owner = CONFIG.peers.find((peer) => peer.nva === standing?.peer)?.innerAddress;
          for (const effect of result.effects) {
            if (effect.type === 'clear') kernel = undefined;
            if (effect.type !== 'refresh') continue;
            expect(standing?.phase).toBe('active');
            expect(effect.elements).toEqual([{ address: VIP, innerAddress: owner }]);
            // The kernel refuses to give a standing element another owner.
            expect([owner, undefined]).toContain(kernel?.owner);
            kernel = { owner: owner as string, endsMs: nowMs + ELEMENT_SECONDS * 1000 };
          }
          if (standing === undefined) {
            expect(kernel).toBeUndefined();
            continue;
          }
          expect(standing.endsMs).toBeGreaterThan(nowMs);
          if (standing.phase !== 'active') continue;
          expect(kernel?.owner).toBe(owner);
          expect(nowMs - (state.peers.get(standing.peer)?.confirmedMs ?? -Infinity)).toBeLessThanOrEqual(CONFIRMED_MS);
          if (event.type === 'tick') expect(kernel?.endsMs).toBe(nowMs + ELEMENT_SECONDS * 1000);
        }
      }),
      { numRuns: 500 },
    );
  });
});
