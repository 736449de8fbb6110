// Faults begun, ended and repaired: in turn, never two on one thing, by themselves when their time is over.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type Breakable, createFaultDesk } from '../../../infra/lab/fault-desk.ts';
import { FAULT_KINDS, type Fault, parseFault } from '../../../infra/lab/faults.ts';
import { parseTopology } from '../../../shared/topology.ts';
import { until } from '../../support/until.ts';

const loaded = parseTopology(readFileSync('infra/lab/lab.yaml', 'utf8'));
if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
const { topology } = loaded.value;

function fault(body: object): Fault {
  const parsed = parseFault(body, topology);
  if (!parsed.ok) throw new Error(parsed.error.detail);
  return parsed.value;
}

/** Writes down what is done to the world. `slow` names a deed that takes a moment, `broken` one that fails. */
function desk(options: { slow?: string; broken?: string } = {}) {
  const deeds: string[] = [];
  const said: string[] = [];
  const world = new Proxy({} as Breakable, {
    get:
      (_target, deed: string) =>
      async (...what: unknown[]) => {
        if (deed === options.broken) throw new Error(`${deed} failed`);
        if (deed === options.slow) await new Promise((resolve) => setTimeout(resolve, 20));
        deeds.push([deed, ...what].join(' '));
      },
  });
  return { deeds, said, desk: createFaultDesk({ topology, world, say: (line) => said.push(line) }) };
}

describe('the desk', () => {
  test.each([
    ['app-crash', { region: 'westeurope' }, 'killApp westeurope', 'startApp westeurope'],
    [
      'app-crash',
      { region: 'westeurope', vip: 'orders' },
      'setAppMode westeurope orders crashed',
      'setAppMode westeurope orders ok',
    ],
    [
      'app-hang',
      { region: 'westeurope', vip: 'orders' },
      'setAppMode westeurope orders hang',
      'setAppMode westeurope orders ok',
    ],
    [
      'app-errors',
      { region: 'westeurope', vip: 'orders' },
      'setAppMode westeurope orders errors',
      'setAppMode westeurope orders ok',
    ],
    ['nva-crash', { nva: 'we-nva-1' }, 'killNva we-nva-1', 'startNva we-nva-1'],
    ['nva-freeze', { nva: 'we-nva-1' }, 'freezeNva we-nva-1', 'thawNva we-nva-1'],
    ['partition-control', { nva: 'we-nva-1' }, 'cutControlPath we-nva-1', 'mendControlPath we-nva-1'],
    ['session-down', { nva: 'we-nva-1', instance: 1 }, 'endSession we-nva-1 1', 'resumeSession we-nva-1 1'],
    ['ingestion-down', {}, 'setIngestion false', 'setIngestion true'],
    ['storage-down', {}, 'setStorage false', 'setStorage true'],
    ['control-crash', { seat: 'seat-we' }, 'killSeat seat-we', 'startSeat seat-we'],
    [
      'clock-skew',
      { nva: 'we-nva-1', offsetSeconds: -60 },
      'setClockOffset we-nva-1 -60000',
      'setClockOffset we-nva-1 0',
    ],
  ])('%s %j breaks and repairs the right thing', async (kind, place, broken, repaired) => {
    const { deeds, desk: faults } = desk();
    expect(await faults.begin(fault({ kind, ...place }))).toMatchObject({ ok: true });
    expect(deeds).toEqual([broken]);
    await faults.endAll();
    expect(deeds).toEqual([broken, repaired]);
    expect(faults.active()).toEqual([]);
  });
  test('knows every kind', async () => {
    for (const kind of FAULT_KINDS) {
      const { deeds, desk: faults } = desk();
      await faults.begin(fault({ kind, region: 'westeurope' }));
      expect(deeds.length).toBeGreaterThan(0);
    }
  });
  test('refuses a second fault on the same thing, and says which is there', async () => {
    const { deeds, desk: faults } = desk();
    await faults.begin(fault({ kind: 'app-hang', region: 'westeurope', vip: 'orders' }));
    const second = await faults.begin(fault({ kind: 'app-crash', region: 'westeurope' }));
    expect(second).toMatchObject({ ok: false, error: { status: 409, code: 'already-broken' } });
    expect(deeds).toHaveLength(1);
    expect(await faults.begin(fault({ kind: 'app-crash', region: 'northeurope' }))).toMatchObject({ ok: true });
  });
  test('ends a fault by itself when its time is over', async () => {
    const { deeds, said, desk: faults } = desk();
    await faults.begin(fault({ kind: 'ingestion-down', seconds: 0.1 }));
    await until('the repair', () => deeds.includes('setIngestion true'));
    expect(faults.active()).toEqual([]);
    expect(said).toEqual(['fault: ingestion-down for 0.1 s', 'fault over: ingestion-down for 0.1 s']);
  });
  test('works on one request at a time', async () => {
    const { deeds, desk: faults } = desk({ slow: 'killNva' });
    const begun = [
      faults.begin(fault({ kind: 'nva-crash', nva: 'we-nva-1' })),
      faults.begin(fault({ kind: 'nva-crash', nva: 'we-nva-1' })),
      faults.endAll(),
    ];
    const [first, second] = await Promise.all(begun);
    expect(first).toMatchObject({ ok: true });
    expect(second).toMatchObject({ ok: false });
    expect(deeds).toEqual(['killNva we-nva-1', 'startNva we-nva-1']);
  });
  test('goes on repairing when one thing cannot be repaired, and says so', async () => {
    const { deeds, said, desk: faults } = desk({ broken: 'startNva' });
    await faults.begin(fault({ kind: 'nva-crash', nva: 'we-nva-1' }));
    await faults.begin(fault({ kind: 'storage-down' }));
    await faults.endAll();
    expect(deeds).toContain('setStorage true');
    expect(said.at(-2)).toBe('nva-crash we-nva-1 could not be repaired: startNva failed');
  });
});
