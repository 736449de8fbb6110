// What may be asked of the fault endpoint, and what it says of what may not.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { FAULT_KINDS, parseFault, thingsHit } from '../../../infra/lab/faults.ts';
import { parseTopology } from '../../../shared/topology.ts';

const loaded = parseTopology(readFileSync('infra/lab/lab.yaml', 'utf8'));
if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
const { topology } = loaded.value;

const parse = (body: unknown) => parseFault(body, topology);
const codes = (body: unknown) => {
  const parsed = parse(body);
  return parsed.ok ? [] : (parsed.error.errors ?? []).map((e) => `${e.path} ${e.code}`);
};

describe('a fault', () => {
  test.each(FAULT_KINDS)('of kind %s is made with a place that suits every kind', (kind) => {
    const parsed = parse({ kind, region: 'westeurope', seconds: 1 });
    expect(parsed.ok).toBe(true);
    if (parsed.ok) expect(thingsHit(parsed.value, topology).length).toBeGreaterThan(0);
  });
  test('names the NVAs of its region, or the one asked for', () => {
    expect(parse({ kind: 'nva-crash', region: 'westeurope' })).toMatchObject({ value: { nvas: ['we-nva-1'] } });
    expect(parse({ kind: 'nva-crash', nva: 'ne-nva-1' })).toMatchObject({
      value: { nvas: ['ne-nva-1'], region: 'northeurope' },
    });
    expect(parse({ kind: 'partition-control' })).toMatchObject({ value: { nvas: ['we-nva-1', 'ne-nva-1'] } });
  });
  test('of an app hits one vip or all of the region', () => {
    const all = parse({ kind: 'app-crash', region: 'westeurope' });
    const one = parse({ kind: 'app-crash', region: 'westeurope', vip: 'orders' });
    expect(all.ok && thingsHit(all.value, topology)).toEqual(['app westeurope/orders', 'app westeurope/billing']);
    expect(one.ok && thingsHit(one.value, topology)).toEqual(['app westeurope/orders']);
  });
});

describe('refused', () => {
  test.each([
    ['a body that is none', 'nonsense', [' malformed']],
    ['an unknown kind', { kind: 'earthquake' }, ['kind malformed']],
    ['an unknown key', { kind: 'storage-down', force: true }, ['force unknown-key']],
    ['no time at all', { kind: 'storage-down', seconds: 0 }, ['seconds malformed']],
    ['an app nowhere', { kind: 'app-crash' }, ['region missing']],
    ['an NVA nowhere', { kind: 'nva-freeze' }, ['region or nva missing']],
    ['a clock nowhere', { kind: 'clock-skew' }, ['region, nva or seat missing']],
    [
      'unknown names, all of them',
      { kind: 'app-hang', region: 'x', nva: 'y', vip: 'z', seat: 's' },
      ['region unknown-region', 'nva unknown-nva', 'vip unknown-vip', 'seat unknown-seat'],
    ],
    ['an NVA of another region', { kind: 'nva-crash', region: 'westeurope', nva: 'ne-nva-1' }, ['nva elsewhere']],
  ])('%s', (_what, body, expected) => {
    expect(codes(body)).toEqual(expected);
  });
  test('as a problem document', () => {
    const parsed = parse({ kind: 'app-crash' });
    expect(parsed).toMatchObject({ ok: false, error: { status: 400, code: 'bad-fault' } });
    if (!parsed.ok) expect(parsed.error.detail).toBe('region: app-crash must say where: region');
  });
});
