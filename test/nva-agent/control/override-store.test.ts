// Overrides: their bounds, their file, their end.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { realDisk } from '../../../nva-agent/control/order-store.ts';
import {
  answerOverride,
  loadOverrides,
  OVERRIDE_SECONDS_MAX,
  type OverrideContext,
} from '../../../nva-agent/control/override-store.ts';
import { RULE } from '../health/probe-world.ts';
import { VIP_PREFIX } from '../order-draft.ts';

const defaults = { lastResortRung: 6, lastResortPrepend: 18, prependAsn: 64500 };
const plan = {
  nva: 'we-nva-1',
  vips: [{ vip: 'orders', group: 'default', prefix: VIP_PREFIX, health: RULE, defaults }],
  routeChangeMs: 0,
  stopLastResortMs: 0,
  stopWithdrawMs: 0,
};
let folder: string;
let applied: unknown[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anycast-override-'));
  applied = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const context = (change: Partial<OverrideContext> = {}): OverrideContext => ({
  plan,
  overrides: [],
  stateDirectory: folder,
  nowMs: 1000,
  disk: realDisk,
  apply: (event) => applied.push(event),
  ...change,
});
const REQUEST = { vip: 'orders', action: 'withhold', reason: 'CHG0042', seconds: 60 };
const OVERRIDE = { vip: 'orders', action: 'withhold', reason: 'CHG0042', setAtMs: 1000, expiresAtMs: 61_000 };

describe('an override', () => {
  test('is persisted, then applied, and read again until it expires', async () => {
    expect((await answerOverride(REQUEST, context())).status).toBe(200);
    expect(applied).toEqual([{ type: 'override', override: OVERRIDE }]);
    expect(await loadOverrides(folder, 60_999)).toEqual([OVERRIDE]);
    expect(await loadOverrides(folder, 61_000)).toEqual([]);
  });

  test('ends when told', async () => {
    await answerOverride(REQUEST, context());
    const end = { vip: 'orders', action: 'end', reason: 'done' };
    expect((await answerOverride(end, context({ overrides: [{ ...OVERRIDE, action: 'withhold' }] }))).status).toBe(200);
    expect(applied[1]).toEqual({ type: 'override-ended', vip: 'orders' });
    expect(await loadOverrides(folder, 0)).toEqual([]);
  });

  test.each<[string, unknown, number, string]>([
    ['no reason', { ...REQUEST, reason: '' }, 400, 'malformed'],
    ['no end', { ...REQUEST, seconds: undefined }, 400, 'malformed'],
    ['longer than a day', { ...REQUEST, seconds: OVERRIDE_SECONDS_MAX + 1 }, 400, 'malformed'],
    ['no such action', { ...REQUEST, action: 'explode' }, 400, 'malformed'],
    ['an unknown key', { ...REQUEST, extra: 1 }, 400, 'malformed'],
    ['nothing', null, 400, 'malformed'],
    ['a strange vip', { ...REQUEST, vip: 'nobody' }, 404, 'unknown-vip'],
  ])('with %s is refused', async (_name, body, status, code) => {
    expect(await answerOverride(body, context())).toMatchObject({ status, body: { code } });
    expect(applied).toEqual([]);
  });

  test('that cannot be kept is not applied', async () => {
    const disk = { write: () => Promise.reject(new Error('EROFS')) };
    expect(await answerOverride(REQUEST, context({ disk }))).toMatchObject({
      status: 503,
      body: { code: 'not-persisted' },
    });
    expect(applied).toEqual([]);
  });

  test.each([
    ['not JSON', '{'],
    ['malformed', '[{"vip":1}]'],
  ])('file that is %s is refused', async (why, text) => {
    writeFileSync(join(folder, 'overrides.json'), text);
    expect(await loadOverrides(folder, 0)).toBe(why);
  });

  test('without a file there is none', async () => {
    expect(await loadOverrides(folder, 0)).toEqual([]);
  });
});
