// The way back of a region whose proof failed: seen again for long enough, without a break, where it was missed or
// further along the way of users. A successful proof or a person's move clears the doubt at once.
import type { Vip } from '../../shared/topology-schema.ts';
import { STALE_PERIODS } from './evidence.ts';
import { LEARNED_FRESH_MS } from './other-sources.ts';
import { isSettled } from './possible.ts';
import { lookAt, type Round } from './round.ts';
import type { FusedVerdict, RegionPolicy } from './types.ts';

/** What was missed must have been seen for this long. */
export const PROVED_AGAIN_MS = 300_000;

/** The row without any trace of a failed proof. */
export function withoutDoubt(row: RegionPolicy): RegionPolicy {
  const { unprovenSinceMs: _since, unprovenAt: _at, provedSinceMs: _proved, ...clear } = row;
  return clear;
}

/** The row with its doubt as this look leaves it; the same object when nothing is new. */
export function followDoubt(
  round: Round,
  vip: Vip,
  region: string,
  row: RegionPolicy,
  fused: FusedVerdict,
): RegionPolicy {
  if (row.unprovenSinceMs === undefined) return row;
  const witness = fused.verdict === 'healthy' ? findWitness(round, vip, region, row) : undefined;
  if (witness === undefined) {
    const { provedSinceMs: _broken, ...doubted } = row;
    return row.provedSinceMs === undefined ? row : doubted;
  }
  const provedSinceMs = row.provedSinceMs ?? round.nowMs;
  if (round.nowMs - provedSinceMs >= PROVED_AGAIN_MS) {
    const detail = `${witness}, for ${PROVED_AGAIN_MS / 60_000} min without a break`;
    round.provedAgain.push({ vip: vip.name, region, detail });
    return withoutDoubt(row);
  }
  lookAt(round, provedSinceMs + PROVED_AGAIN_MS);
  return row.provedSinceMs === undefined ? { ...row, provedSinceMs } : row;
}

/** Who sees now what the failed proof missed. Route Server cannot speak for the circuit and for users behind it. */
function findWitness(round: Round, vip: Vip, region: string, row: RegionPolicy): string | undefined {
  const observer = answeredObserver(round, vip, region);
  if (observer !== undefined) return `observer ${observer} is answered by it`;
  const isNear = row.unprovenAt === 'agent' || row.unprovenAt === 'routeServer';
  return isNear && isHeld(round, vip, region, row) ? 'both Route Server instances hold its route' : undefined;
}

function answeredObserver(round: Round, vip: Vip, region: string): string | undefined {
  const freshMs = STALE_PERIODS * round.config.reportMs;
  return Object.entries(round.snapshot.observers).find(([, { receivedAtMs, report }]) => {
    const seen = report.vips.find((candidate) => candidate.vip === vip.name);
    const isFresh = round.nowMs - receivedAtMs <= freshMs;
    return isFresh && seen?.answeredBy === region && seen.requests > 0 && seen.failures === 0;
  })?.[0];
}

/** Acknowledged, announced and held as ordered, by readings made since the proof failed and still fresh. */
function isHeld(round: Round, vip: Vip, region: string, row: RegionPolicy): boolean {
  if (row.state !== 'announced') return false;
  const nvas = round.regions.get(region)?.nvas ?? [];
  const isRead = nvas.every(({ name }) => {
    const atMs = round.snapshot.learned[name]?.atMs ?? 0;
    return atMs > (row.unprovenSinceMs ?? 0) && round.nowMs - atMs <= LEARNED_FRESH_MS;
  });
  return isRead && isSettled(round, vip, region, row);
}
