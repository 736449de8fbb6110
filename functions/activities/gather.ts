// Asks what nobody reported: agents that are overdue, and queries whose turn it is. All in bounded time.
import { findNva } from '../../shared/topology.ts';
import type { Plane } from '../deployment.ts';
import { probesWanted } from '../engine/evidence.ts';
import type { SignalEvidence, SignalVerdict, Snapshot } from '../engine/types.ts';
import { PROBES_MAX } from '../limits.ts';
import type { SignalSource, StoredEvidence } from '../ports.ts';
import { toNvaEvidence } from '../snapshot.ts';
import { attempt } from './attempt.ts';
import type { GatherInput, GatherResult } from './names.ts';

export const gather =
  (plane: Plane) =>
  (input: GatherInput): Promise<GatherResult> =>
    attempt(async () => {
      const evidence = await plane.reports.read(input.group);
      const [probed] = await Promise.all([
        probeOverdue(plane, input.group, evidence),
        askSignals(plane, input.group, evidence),
      ]);
      return { ok: true, probed };
    });

async function probeOverdue(plane: Plane, group: string, stored: StoredEvidence): Promise<string[]> {
  const config = plane.deployment.configOf(group);
  const evidence = { nvas: toNvaEvidence(plane, group, stored) } as Snapshot;
  const wanted = probesWanted(evidence, config, plane.clock.nowMs()).slice(0, PROBES_MAX);
  await Promise.all(
    wanted.map(async (name) => {
      const nva = findNva(plane.deployment.topology, name)?.nva;
      if (nva === undefined) return;
      const outcome = await plane.probe.probe(nva);
      await plane.reports.putProbe(group, name, { atMs: plane.clock.nowMs(), outcome });
    }),
  );
  return wanted;
}

/** A query that fails leaves its vip without that evidence: unknown, never unhealthy. */
async function askSignals(plane: Plane, group: string, stored: StoredEvidence): Promise<void> {
  const source = plane.signals;
  if (source === undefined) return;
  const nowMs = plane.clock.nowMs();
  const due = plane.deployment.configOf(group).vips.flatMap((vip) => {
    const known = stored.signals[vip.name] ?? {};
    const places = vip.signals.flatMap((signal, i) => (isDue(known, i, signal, nowMs) ? [i] : []));
    return places.length > 0 ? [{ vip, known, places }] : [];
  });
  await Promise.all(
    due.map(async ({ vip, known, places }) => {
      const answers = await Promise.all(places.map((i) => askOne(source, vip.signals[i]?.query ?? '')));
      const signals = vip.regions.map((region): [string, SignalEvidence] => {
        const asked = places.map((i, n) => [i, { atMs: nowMs, verdict: verdictOf(answers[n] ?? [], region) }]);
        const parts = { ...known[region]?.parts, ...Object.fromEntries(asked) };
        return [region, fuseSignals(vip.signals, parts, nowMs)];
      });
      await plane.reports.putSignals(group, vip.name, Object.fromEntries(signals));
    }),
  );
}

type Rows = Awaited<ReturnType<SignalSource['query']>>;
type Signals = Plane['deployment']['topology']['vips'][number]['signals'];

function isDue(known: StoredSignals, place: number, signal: Signals[number], nowMs: number): boolean {
  const newest = Math.max(0, ...Object.values(known).map((one) => one.parts?.[place]?.atMs ?? 0));
  return nowMs - newest >= signal.intervalSeconds * 1000;
}
type StoredSignals = StoredEvidence['signals'][string];

async function askOne(source: SignalSource, kql: string): Promise<Rows> {
  const answered = await attempt(async () => ({ ok: true as const, rows: await source.query(kql) }));
  return answered.ok ? answered.rows : [];
}

function verdictOf(rows: Rows, region: string): SignalVerdict {
  const row = rows.find((candidate) => candidate.region === region);
  return row === undefined ? 'unknown' : row.isHealthy ? 'healthy' : 'unhealthy';
}

/** Answers of one query count for this many of its intervals. */
const SIGNAL_INTERVALS = 3;

/** Unhealthy when any query says so, healthy only when all do; answers that are too old say nothing. */
export function fuseSignals(
  signals: Signals,
  parts: NonNullable<SignalEvidence['parts']>,
  nowMs: number,
): SignalEvidence {
  const heard = signals.map((signal, i) => {
    const part = parts[i];
    const freshMs = SIGNAL_INTERVALS * 1000 * signal.intervalSeconds;
    return part === undefined || nowMs - part.atMs > freshMs ? { atMs: nowMs, verdict: 'unknown' as const } : part;
  });
  const says = (verdict: SignalVerdict) => heard.filter((part) => part.verdict === verdict);
  const isWell = says('healthy').length === heard.length;
  const verdict = says('unhealthy').length > 0 ? 'unhealthy' : isWell ? 'healthy' : 'unknown';
  const counted = says(verdict);
  const known = Object.fromEntries(Object.entries(parts).filter(([place]) => Number(place) < signals.length));
  return { atMs: Math.min(nowMs, ...counted.map((part) => part.atMs)), verdict, parts: known };
}
