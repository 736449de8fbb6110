// Asks the applications of all regions from where this seat stands, where anycast.yaml wants it; all in bounded time.
import { seatProbeOf } from '../../shared/topology.ts';
import type { ProbeConfig } from '../../shared/topology-schema.ts';
import type { Plane } from '../deployment.ts';
import type { AppEvidence, EngineConfig, SeatApps } from '../engine/types.ts';
import { APP_TIMEOUT_MS, APPS_AT_ONCE, APPS_MAX, APPS_TIME_MS } from '../limits.ts';
import type { StoredProofs } from '../ports.ts';
import { attempt } from './attempt.ts';

interface Asked {
  readonly vip: string;
  readonly region: string;
  readonly probe: ProbeConfig;
  readonly timeoutMs: number;
}

/**
 * Asks each application whose turn it is, those that waited longest first. What is not reached in the time of one look
 * keeps its older answer, which grows stale: unknown, never unhealthy.
 */
export async function refreshApps(
  plane: Plane,
  group: string,
  known: StoredProofs['apps'],
): Promise<{ read: number; failed: number }> {
  const source = plane.apps;
  const config = plane.deployment.configOf(group);
  const seat = plane.deployment.seat.name;
  const before = known?.[seat] ?? {};
  const wanted = source === undefined ? [] : appsWanted(config, before);
  if (source === undefined || wanted.length === 0) return { read: 0, failed: 0 };
  const beganMs = plane.clock.nowMs();
  const waiting = [...wanted];
  const answers: Record<string, Record<string, AppEvidence>> = {};
  let read = 0;
  const askOn = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (plane.clock.nowMs() - beganMs >= APPS_TIME_MS) return;
      const { vip, region, probe, timeoutMs } = next;
      const answer = await source.ask(probe, timeoutMs);
      answers[vip] = { ...answers[vip], [region]: { atMs: plane.clock.nowMs(), ...answer } };
      read += 1;
    }
  };
  await Promise.all(Array.from({ length: APPS_AT_ONCE }, askOn));
  const kept = await attempt(async () => {
    await plane.proofs.putApps(group, seat, merge(config, before, answers));
    return { ok: true as const };
  });
  return kept.ok ? { read, failed: 0 } : { read: 0, failed: 1 };
}

/** Applications to ask in one look, those that waited longest first. */
export function appsWanted(config: EngineConfig, before: SeatApps): Asked[] {
  const askedAtMs = ({ vip, region }: Asked) => before[vip]?.[region]?.atMs ?? 0;
  const all = config.vips.flatMap((vip) =>
    config.topology.regions.flatMap((region): Asked[] => {
      const probe = vip.regions.includes(region.name) ? seatProbeOf(vip, region) : undefined;
      if (probe === undefined) return [];
      return [{ vip: vip.name, region: region.name, probe, timeoutMs: Math.min(APP_TIMEOUT_MS, vip.health.timeoutMs) }];
    }),
  );
  return all.sort((a, b) => askedAtMs(a) - askedAtMs(b)).slice(0, APPS_MAX);
}

/** What is not in the topology any more is forgotten. */
function merge(config: EngineConfig, before: SeatApps, answers: SeatApps): SeatApps {
  return Object.fromEntries(
    config.vips.flatMap(({ name }) => {
      const merged = { ...before[name], ...answers[name] };
      return Object.keys(merged).length === 0 ? [] : [[name, merged]];
    }),
  );
}
