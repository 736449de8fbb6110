// Log Analytics queries as evidence: each in its own interval, together one source, failure is unknown.
import { describe, expect, test } from '@jest/globals';
import { fuseSignals, gather } from '../../functions/activities/gather.ts';
import type { SignalSource } from '../../functions/ports.ts';
import { OperatingError } from '../../shared/errors.ts';
import { createTestPlane, GROUP, testTopology } from '../support/plane.ts';

const QUERIES = [
  { type: 'kql', query: 'first', intervalSeconds: 60 },
  { type: 'kql', query: 'second', intervalSeconds: 300 },
];
const REGIONS = ['westeurope', 'northeurope'];

function scene(answers: Record<string, boolean | 'fails'>) {
  const topology = testTopology((draft) => {
    draft.vips.find((vip: { name: string }) => vip.name === 'orders').signals = QUERIES;
    for (const vip of draft.vips) if (vip.name !== 'orders') delete vip.signals;
  });
  const world = createTestPlane({ topology });
  const asked: string[] = [];
  const signals: SignalSource = {
    async query(kql) {
      asked.push(kql);
      const answer = answers[kql];
      if (answer === 'fails' || answer === undefined)
        throw new OperatingError('signal-query', '429', { retryable: true });
      return REGIONS.map((region) => ({ region, isHealthy: region === 'northeurope' || answer }));
    },
  };
  const look = async (afterMs: number) => {
    world.nowMs += afterMs;
    await gather({ ...world.plane, signals })({ group: GROUP });
    return (await world.plane.reports.read(GROUP)).signals.orders ?? {};
  };
  return { asked, look, answers };
}

describe('several queries of one vip', () => {
  test('are all asked, each in its own interval', async () => {
    const { asked, look } = scene({ first: true, second: true });
    expect((await look(0)).westeurope?.verdict).toBe('healthy');
    await look(59_000);
    expect(asked).toEqual(['first', 'second']);
    await look(1000);
    await look(240_000);
    expect(asked).toEqual(['first', 'second', 'first', 'first', 'second']);
  });

  test('say unhealthy when one does, and healthy only when all do', async () => {
    const { look, answers } = scene({ first: true, second: false });
    const seen = await look(0);
    expect([seen.westeurope?.verdict, seen.northeurope?.verdict]).toEqual(['unhealthy', 'healthy']);
    answers.second = 'fails';
    expect((await look(300_000)).westeurope).toMatchObject({
      verdict: 'unknown',
      parts: { 0: { verdict: 'healthy' }, 1: { verdict: 'unknown' } },
    });
  });

  test('that were answered too long ago say nothing', () => {
    const signals = testTopology((draft) => {
      draft.vips[0].signals = QUERIES;
    }).vips[0]?.signals;
    const at = (ageMs: number, verdict: 'healthy' | 'unhealthy') => ({ atMs: 1_000_000 - ageMs, verdict });
    const fuse = (first: ReturnType<typeof at>, second: ReturnType<typeof at>) =>
      fuseSignals(signals ?? [], { 0: first, 1: second }, 1_000_000);
    expect(fuse(at(180_000, 'healthy'), at(900_000, 'healthy'))).toMatchObject({ verdict: 'healthy', atMs: 100_000 });
    expect(fuse(at(180_001, 'unhealthy'), at(0, 'healthy')).verdict).toBe('unknown');
  });
});
