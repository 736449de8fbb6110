// What a seat sees as log lines, one per thing: alerts and the workbook on Azure read them. Pure.
import type { Status, StatusRegion, StatusVip } from '../shared/api.ts';

/** Begins every line; infra/azure/monitoring/functions/AnycastStatus.kql cuts it off. */
export const STATUS_LINE_MARK = 'anycast-status ';
/** Vips told of one by one; beyond that only those that are not well. */
const VIPS_MAX = 200;

interface Line {
  readonly type: 'seat' | 'vip' | 'nva' | 'hold';
  readonly [key: string]: unknown;
}

/**
 * Every seat tells of itself; the leader also of vips, NVAs and holds, once a minute.
 *
 * @param isMinute whether the longer lines are due
 */
export function statusLines(status: Status, isMinute: boolean): string[] {
  const leads = status.leader === status.seat;
  const lines: Line[] = [seatLine(status, leads)];
  if (leads && isMinute) lines.push(...toldVips(status).map(vipLine), ...nvaLines(status), ...holdLines(status));
  const frame = { deployment: status.deployment, seat: status.seat };
  return lines.map((line) => STATUS_LINE_MARK + JSON.stringify({ ...line, ...frame }));
}

const seatLine = (status: Status, leads: boolean): Line => ({
  type: 'seat',
  leads,
  leader: status.leader,
  ledger: status.ledger,
  decisionAgeMs: status.decidedAtMs === null ? null : status.nowMs - status.decidedAtMs,
  outboxDepth: status.outboxDepth,
  automation: status.automation,
  generation: status.generation,
  alerts: status.alerts.length,
});

function toldVips({ vips }: Status): readonly StatusVip[] {
  if (vips.length <= VIPS_MAX) return vips;
  const isWell = (vip: StatusVip) => actingOf(vip)?.verdict === 'healthy';
  return vips.filter((vip) => !isWell(vip)).slice(0, VIPS_MAX);
}

const actingOf = (vip: StatusVip): StatusRegion | undefined => vip.regions.find(({ region }) => region === vip.acting);

/** A region announces when it is told to and an NVA of it has a session up. */
const announces = (region: StatusRegion): boolean =>
  region.state === 'announced' &&
  region.nvas.some((nva) => nva.sessions.some((session) => session.state === 'Established'));

function vipLine(vip: StatusVip): Line {
  const acting = actingOf(vip);
  return {
    type: 'vip',
    vip: vip.vip,
    mode: vip.mode,
    acting: vip.acting,
    verdict: acting?.verdict ?? 'unknown',
    rung: acting?.rung ?? 0,
    prepend: acting?.prepend ?? 0,
    announcing: vip.regions.filter(announces).length,
    observed: vip.regions.some((region) => region.serves !== null),
    servedBy: vip.servedBy ?? '',
    latencyMs: acting?.nvas.find((nva) => nva.latencyMs !== null)?.latencyMs ?? null,
    reason: vip.reason,
  };
}

/** An NVA stands once in the answer for each of its vips; it is out when none of them wants it on the wire. */
function nvaLines(status: Status): Line[] {
  const lines = new Map<string, { readonly line: Line; isOut: boolean }>();
  for (const { regions } of status.vips) {
    for (const region of regions) {
      const isOut = region.role === 'drained' || region.role === 'out';
      for (const nva of region.nvas) {
        const known = lines.get(nva.nva);
        if (known !== undefined) known.isOut &&= isOut;
        else lines.set(nva.nva, { line: nvaLine(region.region, nva), isOut });
      }
    }
  }
  return [...lines.values()].map(({ line, isOut }) => ({ ...line, isOut }));
}

const nvaLine = (region: string, nva: StatusRegion['nvas'][number]): Line => ({
  type: 'nva',
  nva: nva.nva,
  region,
  reportAgeMs: nva.reportAgeMs,
  sessions: nva.sessions.length,
  sessionsUp: nva.sessions.filter((session) => session.state === 'Established').length,
  acknowledged: nva.acknowledged,
});

const holdLines = (status: Status): Line[] =>
  status.holds.map((hold) => ({
    type: 'hold',
    id: hold.id,
    vip: hold.vip ?? '',
    actor: hold.actor,
    leftMs: hold.expiresAtMs - status.nowMs,
  }));
