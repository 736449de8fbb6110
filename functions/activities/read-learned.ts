// Reads what Route Server holds, for drift and for the engine's view of which rungs may still be on the wire.
import { nvasOf, type Plane } from '../deployment.ts';
import type { LearnedEvidence } from '../engine/types.ts';
import { LEARNED_DRIFT_MS } from '../limits.ts';
import { attempt } from './attempt.ts';
import type { GroupInput, LearnedResult } from './names.ts';

export const readLearned =
  (plane: Plane) =>
  (input: GroupInput): Promise<LearnedResult> =>
    attempt(async () => {
      const { learned } = await plane.proofs.read(input.group);
      const names = nvasOf(plane.deployment.configOf(input.group)).map(({ nva }) => nva.name);
      const { read, failed } = await refreshLearned(plane, input.group, names, learned, LEARNED_DRIFT_MS);
      return { ok: true, read: Object.keys(read).length, failed };
    });

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
