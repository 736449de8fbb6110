// What a person sees of the lab: every fact of the mock-ups, in few columns, whatever state the world is in.
import { describe, expect, test } from '@jest/globals';
import { asPathText, strippedPathText } from '../../../infra/lab/as-path-text.ts';
import { PLAIN, render, secondsText, shownLength, type View } from '../../../infra/lab/view.ts';
import type { AuditRecord } from '../../../shared/audit.ts';
import { labStatus, labWorld, NOW } from '../../support/lab-world.ts';

const world = labWorld;
const status = labStatus();
const show = (change: Partial<View> = {}): string[] =>
  render({ world: world(), status, failure: undefined, decisions: [], columns: 100, rows: 40, ...change });
const text = (change: Partial<View> = {}) => show(change).join('\n');

describe('paths', () => {
  test('count what is prepended', () => {
    expect(asPathText([65001, ...new Array<number>(12).fill(64500)])).toBe('65001 64500×12');
    expect(asPathText([12076])).toBe('12076');
    expect(asPathText([])).toBe('');
  });
  test('still show what an edge removed', () => {
    expect(strippedPathText([65515, 65001, 64500, 64500], [65515, 65001])).toBe('~65515 65001~ 64500×2');
    expect(strippedPathText([65515, 65001], [65515, 65001])).toBe('~65515 65001~');
    expect(strippedPathText([65515, 65101, 64500], [])).toBe('65515 65101 64500');
  });
});

test.each([
  [400, '0.4 s'],
  [72_000, '1 min 12 s'],
  [7_260_000, '2 h 1 min'],
  [12_400, '12 s'],
])('%d ms is %s', (ms, expected) => {
  expect(secondsText(ms)).toBe(expected);
});

describe('the screen', () => {
  test('says who answers, for how long, and how well all is', () => {
    const lines = show();
    expect(lines[0]).toMatch(/^lab {3}1 vips, 0 unserved +up 1 min 12 s, steady after 6.2 s {3}automation on$/);
    expect(lines[1]).toBe('seat-we leads, epoch 1 generation 14, decided 2.0 s ago, ledger ok');
    expect(lines[3]).toMatch(/^orders 192\.0\.2\.10\/32 {3}answered by westeurope for 1 min 10 s +no outage yet$/);
  });
  test('shows the path at every hop of both regions, stripped numbers marked, the best one pointed at', () => {
    const lines = show();
    expect(lines[4]).toMatch(/^=> westeurope +primary r4 +● healthy +app ok {2}we-nva-1 running {2}RS 2\/2$/);
    expect(lines[5]).toBe('     65001 64500×12 > ~65515 65001~ 64500×12 > 12076 64500×12  13 long, best');
    expect(lines[6]).toMatch(/^- {2}northeurope +backup r5 +● healthy/);
    expect(lines[7]).toBe('     65101 64500×15 > 65515 65101 64500×15 > 12076 65515 65101 64500×15  18 long');
  });
  test('tells a fault, the outage it made, and what to type next', () => {
    const fault = {
      id: 'f-1',
      kind: 'app-crash' as const,
      region: 'westeurope',
      nvas: [],
      seats: [],
      instance: 0,
      offsetSeconds: 0,
      sinceMs: NOW,
      untilMs: NOW + 7000,
    };
    const outages = [{ vip: 'orders', startedAtMs: NOW, outageMs: 41.4, failedRequests: 2 }];
    const shown = text({ world: world({ faults: [fault], outages }, [18, 9]) });
    expect(shown).toContain('fault app-crash westeurope, 7.0 s left');
    expect(shown).toContain('last outage 41 ms, 2 failed');
    expect(shown).toContain('curl -s -X DELETE 127.0.0.1:7070/faults');
    expect(shown).toMatch(/=> northeurope/);
  });
  test('says what a moved vip needs, and what a calm one may try', () => {
    expect(text()).toContain(`curl -s 127.0.0.1:7070/faults -d '{"kind":"app-crash","region":"westeurope"}'`);
    const vips = world().vips.map((vip) => ({ ...vip, answeredBy: 'northeurope' }));
    expect(text({ world: world({ vips }) })).toContain('anycastctl -- failback orders');
  });
  test('says when nobody answers', () => {
    const vips = world().vips.map((vip) => ({ ...vip, answeredBy: null, sinceMs: null }));
    expect(text({ world: world({ vips, onPremises: [] }) })).toMatch(/1 vips, 1 unserved[\s\S]*nobody answers/);
  });
  test('says that a silent control plane changes nothing on the wire', () => {
    const shown = text({ status: undefined, failure: 'ECONNREFUSED' });
    expect(shown).toContain('control plane does not answer (ECONNREFUSED); nothing on the wire changes but by reflex');
    expect(shown).toContain('? unknown');
  });
  test('shows the newest decisions that fit, with who, why and what', () => {
    const record = (i: number): AuditRecord => ({
      TimeGenerated: `2026-03-14T03:14:${String(i).padStart(2, '0')}.000Z`,
      EventId: `default-1-${i}`,
      Kind: 'decision',
      DecisionId: `d-${i}`,
      CorrelationId: '',
      Vip: 'orders',
      Region: 'northeurope',
      Nva: '',
      Actor: i === 30 ? 'operator@lab.example' : 'automation',
      ActorType: i === 30 ? 'human' : 'automation',
      Reason: i === 30 ? 'intent' : 'app-unhealthy',
      Detail: {},
      Before: 'backup r5 announced',
      After: 'primary r3 announced',
      SnapshotHash: '',
      Seat: 'seat-we',
      Epoch: 1,
      Generation: i,
      ChainIndex: i,
      PrevHash: '',
      Hash: '',
    });
    const decisions = Array.from({ length: 31 }, (_, i) => record(i));
    const lines = show({ decisions, rows: 24 });
    expect(lines.filter((line) => line.startsWith('03:14:')).length).toBeLessThanOrEqual(12);
    expect(lines).toContain('03:14:30 operator@lab.example  orders northeurope  intent  backup r5 -> primary r3');
    expect(lines.length).toBeLessThanOrEqual(24);
  });
  test.each([80, 100, 200])('fits %d columns, colours or not', (columns) => {
    const loud = (word: string) => `\u001b[1m${word}\u001b[22m`;
    const paint = { ...PLAIN, good: loud, bad: loud, strong: loud };
    // Commands are there to be copied whole.
    const lines = show({ columns, paint }).filter((line) => !/^(curl|npm run) /.test(line));
    for (const line of lines) expect(shownLength(line)).toBeLessThanOrEqual(columns);
  });
});
