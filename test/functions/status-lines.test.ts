// Status lines: which seat writes what, and that alerts find in them what they ask for.
import { describe, expect, test } from '@jest/globals';
import { STATUS_LINE_MARK, statusLines } from '../../functions/status-lines.ts';
import type { Status, StatusRegion, StatusVip } from '../../shared/api.ts';

const unseen = { proof: 'not checked' as const, detail: '', atMs: null };

const region = (name: string, given: Partial<StatusRegion> = {}): StatusRegion => ({
  region: name,
  role: 'primary',
  rung: 4,
  prepend: 12,
  state: 'announced',
  serves: true,
  verdict: 'healthy',
  verdictSinceMs: 0,
  detail: '',
  proofs: { agent: unseen, routeServer: unseen, circuit: unseen, observer: unseen },
  nvas: [
    {
      nva: `${name}-nva`,
      reportAgeMs: 900,
      order: null,
      acknowledged: true,
      sessions: [
        { peer: '10.1.0.4', state: 'Established', asPath: null },
        { peer: '10.1.0.5', state: 'Idle', asPath: null },
      ],
      window: '',
      latencyMs: 3,
      lastResort: false,
    },
  ],
  ...given,
});

const vip = (name: string, regions: StatusRegion[], given: Partial<StatusVip> = {}): StatusVip => ({
  vip: name,
  prefix: '192.0.2.10/32',
  mode: 'primary-backup',
  acting: 'a',
  actingSinceMs: 0,
  servedBy: 'a',
  reason: 'steady',
  detail: '',
  decisionId: 'd',
  regions,
  blocked: [],
  ...given,
});

const status = (given: Partial<Status> = {}): Status => ({
  deployment: 'contoso',
  nowMs: 100_000,
  seat: 'seat-a',
  leader: 'seat-a',
  epoch: 1,
  generation: 7,
  decidedAtMs: 97_000,
  automation: 'on',
  ledger: 'ok',
  outboxDepth: 0,
  vips: [vip('orders', [region('a'), region('b', { role: 'backup', state: 'withheld', serves: false })])],
  holds: [],
  alerts: [],
  ...given,
});

const parsed = (lines: readonly string[]) =>
  lines.map((line) => {
    expect(line.startsWith(STATUS_LINE_MARK)).toBe(true);
    return JSON.parse(line.slice(STATUS_LINE_MARK.length)) as Record<string, unknown>;
  });

describe('status lines', () => {
  test('the leader tells of itself, vips and NVAs each minute', () => {
    const lines = parsed(statusLines(status(), true));
    expect(lines.map((line) => line.type)).toEqual(['seat', 'vip', 'nva', 'nva']);
    expect(lines[0]).toMatchObject({ leads: true, decisionAgeMs: 3000, deployment: 'contoso', seat: 'seat-a' });
    expect(lines[1]).toMatchObject({ vip: 'orders', announcing: 1, observed: true, servedBy: 'a', rung: 4 });
    expect(lines[2]).toMatchObject({ nva: 'a-nva', sessions: 2, sessionsUp: 1, isOut: false });
  });

  test('a follower, and the leader between minutes, tell of themselves only', () => {
    expect(parsed(statusLines(status({ leader: 'seat-b' }), true)).map((line) => line.type)).toEqual(['seat']);
    expect(parsed(statusLines(status(), false)).map((line) => line.type)).toEqual(['seat']);
  });

  test('without a ledger the seat says so: nothing is decided', () => {
    const [line] = parsed(
      statusLines(status({ ledger: 'unreachable', leader: null, decidedAtMs: null, vips: [] }), true),
    );
    expect(line).toMatchObject({ ledger: 'unreachable', leads: false, decisionAgeMs: null });
  });

  test('a vip that nobody announces and nobody is answered by is told as such', () => {
    const dead = region('a', { nvas: [], serves: false });
    const [, line] = parsed(statusLines(status({ vips: [vip('orders', [dead], { servedBy: null })] }), true));
    expect(line).toMatchObject({ announcing: 0, observed: true, servedBy: '' });
  });

  test('an NVA is out only when no vip wants it', () => {
    const drained = region('a', { role: 'drained' });
    const isOut = (vips: StatusVip[]) =>
      parsed(statusLines(status({ vips }), true)).find((line) => line.type === 'nva')?.isOut;
    expect(isOut([vip('orders', [drained])])).toBe(true);
    expect(isOut([vip('orders', [drained]), vip('billing', [region('a')])])).toBe(false);
  });

  test('of very many vips only those that are not well are told one by one', () => {
    const many = Array.from({ length: 300 }, (_none, i) => vip(`v${i}`, [region('a')]));
    many[7] = vip('v7', [region('a', { verdict: 'unhealthy' })]);
    const lines = parsed(statusLines(status({ vips: many }), true)).filter((line) => line.type === 'vip');
    expect(lines.map((line) => line.vip)).toEqual(['v7']);
  });

  test('holds tell how long they last', () => {
    const hold = { id: 'h', vip: null, actor: 'ops', reason: 'CHG', createdAtMs: 0, expiresAtMs: 160_000, full: false };
    expect(parsed(statusLines(status({ holds: [hold] }), true)).at(-1)).toMatchObject({ type: 'hold', leftMs: 60_000 });
  });
});
