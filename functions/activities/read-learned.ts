// Reads what holds nothing up when it is late: Route Server's routes (drift, and which rungs may still be on the wire),
// its metric, and what applications answer this seat.

import { baseRung } from '../../shared/ladder.ts';
import { nvasOf, type Plane } from '../deployment.ts';
import type { EngineConfig, LearnedEvidence, Policy } from '../engine/types.ts';
import { parseLedger } from '../ledger.ts';
import { LEARNED_DRIFT_MS, LEARNED_PROOF_MS } from '../limits.ts';
import { attempt } from './attempt.ts';
import type { GroupInput, LearnedResult } from './names.ts';
import { refreshApps } from './probe-apps.ts';
import { refreshPeerStatus } from './read-peer-status.ts';

export const readLearned =
  (plane: Plane) =>
  (input: GroupInput): Promise<LearnedResult> =>
    attempt(async () => {
      const { group } = input;
      const config = plane.deployment.configOf(group);
      const [{ learned, peerStatus, apps }, stored] = await Promise.all([
        plane.proofs.read(group),
        plane.ledger.read(group),
      ]);
      const parsed = stored.type === 'found' ? parseLedger(stored.text, group) : undefined;
      const unsettled = parsed?.ok ? unsettledRegions(parsed.value.policy, config) : new Set<string>();
      const namesOf = (isUnsettled: boolean) =>
        nvasOf(config)
          .filter(({ region }) => unsettled.has(region.name) === isUnsettled)
          .map(({ nva }) => nva.name);
      const soonMs = Math.max(LEARNED_PROOF_MS, config.routeChangeMs);
      const results = await Promise.all([
        refreshLearned(plane, group, namesOf(true), learned, soonMs),
        refreshLearned(plane, group, namesOf(false), learned, LEARNED_DRIFT_MS),
        refreshPeerStatus(plane, group, peerStatus),
        refreshApps(plane, group, apps),
      ]);
      const readOf = ({ read }: (typeof results)[number]) =>
        typeof read === 'number' ? read : Object.keys(read).length;
      const read = results.reduce((sum, result) => sum + readOf(result), 0);
      return { ok: true, read, failed: results.reduce((sum, result) => sum + result.failed, 0) };
    });

/**
 * Regions that may still have an earlier rung on the wire, or that recentring is to bring back to their base: headroom
 * comes back only once the former is seen to be gone and the latter's present rung seen to be there.
 */
const unsettledRegions = (policy: Policy, config: EngineConfig): Set<string> =>
  new Set(
    config.vips.flatMap((vip) =>
      Object.entries(policy.vips[vip.name]?.regions ?? {}).flatMap(([region, row]) =>
        row.maybe.length > 0 || row.rung !== baseRung(config.ladder, vip.regions.indexOf(region)) ? [region] : [],
      ),
    ),
  );

/** Reads the named NVAs' routes where the known reading is older than `olderThanMs`; what cannot be read stays as it was. */
export async function refreshLearned(
  plane: Plane,
  group: string,
  names: readonly string[],
  known: Readonly<Record<string, LearnedEvidence>>,
  olderThanMs: number,
): Promise<{ read: Record<string, LearnedEvidence>; failed: number }> {
  const reader = plane.routes;
  if (reader === undefined) return { read: {}, failed: 0 };
  const askedAtMs = plane.clock.nowMs();
  const due = nvasOf(plane.deployment.configOf(group)).filter(
    ({ nva }) => names.includes(nva.name) && askedAtMs - (known[nva.name]?.atMs ?? 0) >= olderThanMs,
  );
  const read: Record<string, LearnedEvidence> = {};
  const results = await Promise.all(
    due.map(({ region, nva }) =>
      attempt(async () => {
        // The time of asking, not of the answer: what changed in between may or may not be in it.
        const learned: LearnedEvidence = { atMs: askedAtMs, peers: await reader.learned(region, nva) };
        await plane.proofs.putLearned(group, nva.name, learned);
        read[nva.name] = learned;
        return { ok: true as const };
      }),
    ),
  );
  return { read, failed: results.filter((result) => !result.ok).length };
}
