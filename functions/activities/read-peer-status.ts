// Reads Route Server's own view of its sessions now and then: shown beside what agents say, alone never acted on.
import { nvasOf, type Plane } from '../deployment.ts';
import { PEER_STATUS_MS } from '../limits.ts';
import type { StoredProofs } from '../ports.ts';
import { attempt } from './attempt.ts';

/** Reads each region whose reading is due; what cannot be read stays as it was, and grows old. Returns how many failed. */
export async function refreshPeerStatus(
  plane: Plane,
  group: string,
  known: StoredProofs['peerStatus'],
): Promise<{ read: number; failed: number }> {
  const reader = plane.peerStatus;
  if (reader === undefined) return { read: 0, failed: 0 };
  const atMs = plane.clock.nowMs();
  const regions = new Set(nvasOf(plane.deployment.configOf(group)).map(({ region }) => region));
  const due = [...regions].filter(({ name }) => atMs - (known[name]?.atMs ?? 0) >= PEER_STATUS_MS);
  const results = await Promise.all(
    due.map((region) =>
      attempt(async () => {
        await plane.proofs.putPeerStatus(group, region.name, { atMs, peers: await reader.read(region) });
        return { ok: true as const };
      }),
    ),
  );
  const read = results.filter((result) => result.ok).length;
  return { read, failed: results.length - read };
}
