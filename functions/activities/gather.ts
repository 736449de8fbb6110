// Asks what nobody reported: agents that are overdue, and queries whose turn it is. All in bounded time.
import { findNva } from '../../shared/topology.ts';
import type { Plane } from '../deployment.ts';
import { probesWanted } from '../engine/evidence.ts';
import type { SignalEvidence, Snapshot } from '../engine/types.ts';
import { PROBES_MAX } from '../limits.ts';
import type { StoredEvidence } from '../ports.ts';
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
    const signal = vip.signals[0];
    const newest = Math.max(0, ...Object.values(stored.signals[vip.name] ?? {}).map((known) => known.atMs));
    return signal !== undefined && nowMs - newest >= signal.intervalSeconds * 1000 ? [{ vip, signal }] : [];
  });
  await Promise.all(
    due.map(async ({ vip, signal }) => {
      const answered = await attempt(async () => ({ ok: true as const, rows: await source.query(signal.query) }));
      const rows = answered.ok ? answered.rows : [];
      const signals = vip.regions.map((region): [string, SignalEvidence] => {
        const row = rows.find((candidate) => candidate.region === region);
        return [
          region,
          { atMs: nowMs, verdict: row === undefined ? 'unknown' : row.isHealthy ? 'healthy' : 'unhealthy' },
        ];
      });
      await plane.reports.putSignals(group, vip.name, Object.fromEntries(signals));
    }),
  );
}
