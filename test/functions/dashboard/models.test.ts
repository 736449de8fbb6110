// What the dashboard makes of the control plane's answers, without a browser: states, headline, news, history, requests, words.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readIdentity } from '../../../functions/dashboard/page/access.ts';
import {
  ACTIONS,
  commandOf,
  nameOf,
  requestOf,
  verbOf,
  type Wish,
  whyDisabled,
} from '../../../functions/dashboard/page/actions-model.ts';
import { changesBetween, fleetRows, headlineOf, vipState } from '../../../functions/dashboard/page/fleet-model.ts';
import {
  asRuns,
  durationText,
  pathText,
  rateText,
  shellWord,
  shortenPaths,
  shortPeer,
} from '../../../functions/dashboard/page/text.ts';
import { policyThen } from '../../../functions/dashboard/page/then-model.ts';
import { actingSegments, timelineEntries } from '../../../functions/dashboard/page/timeline-model.ts';
import {
  drainRequestSchema,
  drillRequestSchema,
  failbackRequestSchema,
  failoverRequestSchema,
  holdRequestSchema,
  type Status,
} from '../../../shared/api.ts';
import { fleet, history, moving, NOW_MS, steady, unserved } from '../../browser/states.ts';

/** The status after `bend` had its way with its first vip. */
function bent(bend: (vip: Status['vips'][number]) => void): Status {
  const status = structuredClone(steady());
  const [first] = status.vips;
  if (first !== undefined) bend(first);
  return status;
}
const firstState = (status: Status): string => vipState(status.vips[0] as Status['vips'][number], status).word;
const acting = (vip: Status['vips'][number]) => vip.regions[0] as Status['vips'][number]['regions'][number];

describe('the state of a vip', () => {
  test.each<[string, Status]>([
    ['served', steady()],
    ['moving', moving()],
    ['unserved', unserved()],
    [
      'not proved',
      bent((vip) => {
        acting(vip).proofs.routeServer.proof = 'failed';
      }),
    ],
    [
      'no healthy region',
      bent((vip) => {
        acting(vip).verdict = 'lost';
      }),
    ],
    [
      'degraded',
      bent((vip) => {
        acting(vip).verdict = 'degraded';
      }),
    ],
    [
      'unknown',
      bent((vip) => {
        acting(vip).verdict = 'unknown';
      }),
    ],
    [
      'no spare',
      bent((vip) => {
        for (const region of vip.regions.slice(1)) region.verdict = 'unhealthy';
      }),
    ],
    [
      'moving',
      bent((vip) => {
        vip.servedBy = 'northeurope';
      }),
    ],
    // Nobody looks: then nobody can say that nobody is served.
    [
      'served',
      bent((vip) => {
        vip.servedBy = null;
        vip.observers = [];
      }),
    ],
    [
      'served',
      bent((vip) => {
        vip.servedBy = null;
        for (const observer of vip.observers ?? []) observer.ageMs = 60_000;
      }),
    ],
    [
      'moving',
      {
        ...steady(),
        operations: [
          { id: 'op-1', kind: 'failover', vip: 'orders', region: null, actor: 'a', reason: 'r', deadlineMs: NOW_MS },
        ],
      },
    ],
  ])('%s', (word, status) => expect(firstState(status)).toBe(word));

  test('the worst stands first, equals by name; the filter looks at name, prefix, region and state', () => {
    const names = (status: Status, filter = '') => fleetRows(status, filter).map(({ vip }) => vip.vip);
    expect(names(moving())).toEqual(['orders', 'billing']);
    expect(names(steady())).toEqual(['billing', 'orders']);
    expect(names(moving(), ' MOVING ')).toEqual(['orders']);
    expect(names(moving(), '192.0.2.20')).toEqual(['billing']);
    expect(
      fleetRows(fleet(100), '')
        .slice(0, 14)
        .every(({ state }) => state.word === 'degraded'),
    ).toBe(true);
  });

  test('the headline counts every vip once', () => {
    for (const status of [steady(), moving(), unserved(), fleet(100)]) {
      const { vips, moving: inMotion, unserved: dark, others } = headlineOf(status);
      const served = status.vips.filter((vip) => vipState(vip, status).word === 'served').length;
      expect(inMotion + dark + served + others.reduce((sum, { count }) => sum + count, 0)).toBe(vips);
    }
  });
});

describe('news', () => {
  test('nothing at first and nothing when nothing changed', () => {
    expect(changesBetween(undefined, moving())).toEqual([]);
    expect(changesBetween(steady(), steady())).toEqual([]);
  });
  test('a takeover and silence are alerts, an answer is a status', () => {
    expect(changesBetween(steady(), moving())).toContainEqual({
      level: 'alert',
      text: 'orders: westeurope → northeurope, app-unhealthy',
    });
    expect(changesBetween(steady(), unserved())).toEqual([{ level: 'alert', text: 'orders: observers get no answer' }]);
    expect(changesBetween(unserved(), steady())).toEqual([
      { level: 'status', text: 'orders is answered by westeurope' },
    ]);
    expect(changesBetween(steady(), { ...steady(), automation: 'held', leader: null })).toEqual([
      { level: 'status', text: 'automation is held' },
      { level: 'status', text: 'no seat leads' },
    ]);
  });
});

test('an operation arranged for later neither moves a vip nor keeps anybody from acting', () => {
  const later = { ...moving().operations?.[0], notBeforeMs: NOW_MS + 1 } as NonNullable<Status['operations']>[number];
  expect(firstState({ ...steady(), operations: [later] })).toBe('served');
  expect(firstState({ ...steady(), operations: [{ ...later, notBeforeMs: NOW_MS }] })).toBe('moving');
});

describe('history', () => {
  const day = { fromMs: NOW_MS - 24 * 3600_000, toMs: NOW_MS };
  test('who acted is one unbroken line', () => {
    expect(actingSegments(history(), 'northeurope', day)).toEqual([
      { region: 'westeurope', fromMs: day.fromMs, toMs: NOW_MS - 6000 },
      { region: 'northeurope', fromMs: NOW_MS - 6000, toMs: NOW_MS },
    ]);
    expect(actingSegments([], 'westeurope', day)).toEqual([{ region: 'westeurope', ...day }]);
    expect(actingSegments(history(), 'northeurope', { fromMs: NOW_MS - 3000, toMs: NOW_MS })).toEqual([
      { region: 'northeurope', fromMs: NOW_MS - 3000, toMs: NOW_MS },
    ]);
  });
  test('news newest first, with everything of the same decision behind it', () => {
    const entries = timelineEntries(history());
    expect(entries.map(({ kind }) => kind)).toEqual(['decision', 'decision', 'hold', 'blocked']);
    expect(entries[0]?.trail.map(({ Kind }) => Kind)).toEqual(['decision', 'decision', 'order', 'verification']);
    expect(entries[2]).toMatchObject({ isAutomatic: false, actor: 'ops@contoso.com', text: 'CHG0039' });
  });
});

describe('the policy then', () => {
  const [first, second] = steady().vips[0]?.regions ?? [];
  const vip = { ...(steady().vips[0] as Status['vips'][number]) };
  const entryOf = (reason: string) => {
    const found = timelineEntries(history()).find((entry) => entry.reason === reason);
    if (found === undefined) throw new Error(`no entry ${reason}`);
    return found;
  };
  const rows = (reason: string) =>
    policyThen(vip, history(), entryOf(reason)).regions.map(
      ({ region, role, rung, prepend, state }) => `${region} ${role} r${rung} x${prepend} ${state}`,
    );

  test('a decision is shown with all its changes, what it was before, and what became of it', () => {
    expect([first?.region, second?.region]).toEqual(['westeurope', 'northeurope']);
    const then = policyThen(vip, history(), entryOf('app-unhealthy'));
    expect(then.acting).toEqual(['northeurope']);
    expect(rows('app-unhealthy')).toEqual([
      'westeurope backup r4 x12 announced',
      'northeurope primary r3 x9 announced',
    ]);
    expect(then.regions.map(({ before }) => before)).toEqual(['primary r4 announced', 'backup r5 announced']);
    expect(then.regions[1]?.proofs).toContainEqual(['routeServer', 'proved: 2/2']);
    expect(then.regions[0]?.proofs).toEqual([]);
  });
  test('before the first change on record it is what that change found', () => {
    expect(rows('held')).toEqual(['westeurope primary r4 x12 announced', 'northeurope backup r5 x15 announced']);
  });
  test('with nothing on record it is what is now', () => {
    const [entry] = timelineEntries(history().slice(0, 2));
    if (entry === undefined) throw new Error('no entry');
    const then = policyThen(vip, history().slice(0, 2), entry);
    expect(then.regions.map(({ role, rung }) => `${role} ${rung}`)).toEqual(['primary 4', 'backup 5']);
  });
});

describe('requests', () => {
  const wish = (action: Wish['action']): Wish => ({
    action,
    vip: 'orders',
    region: 'northeurope',
    reason: "don't panic",
    seconds: 60,
  });
  const schemas = {
    failover: failoverRequestSchema,
    failback: failbackRequestSchema,
    drain: drainRequestSchema,
    undrain: drainRequestSchema,
    hold: holdRequestSchema,
    drill: drillRequestSchema,
  };

  test.each(ACTIONS)('%s is what the API parses, and can be written as a command', (action) => {
    const { path, body } = requestOf(wish(action));
    expect(schemas[action].safeParse({ ...body, dryRun: true }).success).toBe(true);
    expect(path.startsWith('/')).toBe(true);
    expect(commandOf(wish(action))).toMatch(new RegExp(`^anycastctl ${action} `));
    expect(commandOf(wish(action))).toContain(`--reason 'don'\\''t panic'`);
    expect(verbOf(wish(action))).toContain('orders');
  });
  test.each<[Wish, Record<string, unknown>, string]>([
    [
      { ...wish('failover'), force: ['target-unhealthy', 'pacing'], atMs: NOW_MS },
      { to: 'northeurope', force: ['target-unhealthy', 'pacing'], atMs: NOW_MS },
      `failover orders --to northeurope --at ${new Date(NOW_MS).toISOString()} --force target-unhealthy --force pacing`,
    ],
    [{ ...wish('failback'), atMs: NOW_MS }, { atMs: NOW_MS }, `failback orders --at ${new Date(NOW_MS).toISOString()}`],
    [{ ...wish('drain'), isRegionWide: true }, {}, 'drain northeurope'],
  ])('force, time and scope of %j are sent and written as a command', (asked, body, command) => {
    expect(requestOf(asked).body).toEqual({ ...body, reason: asked.reason });
    expect(schemas[asked.action].safeParse(requestOf(asked).body).success).toBe(true);
    expect(commandOf(asked)).toBe(`anycastctl ${command} --reason 'don'\\''t panic'`);
  });
  test('what must be typed is the vip, or the region when it is about all of it', () => {
    expect([nameOf(wish('drain')), nameOf({ ...wish('drain'), isRegionWide: true })]).toEqual([
      'orders',
      'northeurope',
    ]);
  });
  test('names cannot leave their place in the address', () => {
    expect(requestOf({ ...wish('failover'), vip: 'a/../b?c' }).path).toBe('/vips/a%2F..%2Fb%3Fc/failover');
  });
  test('a word for a shell is one word', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const quoted = shellWord(text);
        const back = quoted.startsWith("'") ? quoted.slice(1, -1).replaceAll(`'\\''`, "'") : quoted;
        return back === text && (quoted.startsWith("'") || /^[\w./:@-]+$/.test(text));
      }),
    );
  });

  const operator = { name: 'ops', roles: ['Failover.Read', 'Failover.Operate'], expiresAtMs: 0 };
  const orders = steady().vips[0] as Status['vips'][number];
  const why = (status: Status, identity = operator, isStale = false) => whyDisabled(identity, status, orders, isStale);
  test('why nobody may act is said by name', () => {
    expect(why(steady())).toBeUndefined();
    expect(why(steady(), { ...operator, roles: ['Failover.Read'] })).toBe('needs the role Failover.Operate');
    expect(why(steady(), operator, true)).toContain('too old');
    expect(why({ ...steady(), ledger: 'unreachable' })).toContain('unreachable');
    expect(why({ ...steady(), leader: 'seat-ne' })).toContain('seat-ne leads');
    const busy = {
      id: 'op-1',
      kind: 'drain',
      vip: null,
      region: 'westeurope',
      actor: 'kim',
      reason: 'r',
      deadlineMs: NOW_MS,
    };
    expect(why({ ...steady(), operations: [busy] })).toBe('drain by kim is under way (op-1)');
    expect(why({ ...steady(), operations: [{ ...busy, vip: 'billing' }] })).toBeUndefined();
  });
});

describe('words', () => {
  test('paths are written out by length, and lose their leading private numbers at the edge', () => {
    expect(pathText([65001, 64500, 64500, 64500])).toBe('65001 64500×3');
    expect(asRuns([65515, 65001, 64500, 64500, 65001], true).map(({ isStripped }) => isStripped)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(shortenPaths('2 path(s), 65515 65101 64500 64500 64500')).toBe('2 path(s), 65515 65101 64500×3');
    expect([shortPeer('10.1.0.4'), shortPeer('127.0.0.1:4711'), shortPeer('peer-a')]).toEqual([
      '.4',
      ':4711',
      'peer-a',
    ]);
  });
  test('durations have two units at most', () => {
    expect([0, 5000, 150_000, 788_400_000, -5].map(durationText)).toEqual(['0s', '5s', '2m30s', '9d3h', '0s']);
  });
  test('a token tells name and roles; what is no token tells nothing', () => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `x.${part({ preferred_username: 'zoë@contoso.com', roles: ['Failover.Read', 7], exp: 12 })}.y`;
    expect(readIdentity(token)).toEqual({ name: 'zoë@contoso.com', roles: ['Failover.Read'], expiresAtMs: 12_000 });
    for (const wrong of ['', 'a.b.c', 'x.e30']) expect(readIdentity(wrong)?.roles ?? []).toEqual([]);
  });
});

test('a throughput is told in at most three digits', () => {
  expect([0, 940, 87_300, 2_540_000, 254_000_000].map(rateText)).toEqual([
    ...['0 kB/s', '0.9 kB/s', '87.3 kB/s', '2.5 MB/s', '254 MB/s'],
  ]);
});
