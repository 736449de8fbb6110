// Puts overviews into the form of GET /status. Pure.
import type { Status, StatusObserver, StatusRegion, StatusVip } from '../shared/api.ts';
import type { ObserverReport } from '../shared/report.ts';
import { findNva } from '../shared/topology.ts';
import type { Vip } from '../shared/topology-schema.ts';
import { compareSequence } from '../shared/vocabulary.ts';
import { findDrift } from './drift.ts';
import { compileOrders } from './engine/orders.ts';
import { PEER_STATUS_FRESH_MS } from './engine/other-sources.ts';
import type { LearnedEvidence, RegionPolicy, VipPolicy } from './engine/types.ts';
import type { Overview } from './overview.ts';
import { PROOF_STEPS, type RegionProof } from './ports.ts';
import { nextSlotMs, scheduledIntentId, schedulesOf } from './schedules.ts';

export interface StatusFrame {
  readonly deployment: string;
  readonly nowMs: number;
  readonly seat: string;
  readonly ledger: Status['ledger'];
  readonly outboxDepth: number | null;
  readonly transport?: Status['transport'];
  readonly timing?: Status['timing'];
  readonly seats?: Status['seats'];
}

/** One status of all groups; sequence and leader are those of the first group. */
export function toStatus(frame: StatusFrame, overviews: readonly Overview[]): Status {
  const [first] = overviews;
  return {
    ...frame,
    leader: first?.ledger.seat ?? null,
    epoch: first?.ledger.epoch ?? 0,
    generation: first?.ledger.generation ?? 0,
    decidedAtMs: first?.decidedAtMs ?? null,
    automation: automationOf(overviews),
    operations: overviews.flatMap(toOperations),
    schedules: overviews.flatMap(toSchedules),
    vips: overviews.flatMap((overview) => overview.config.vips.flatMap((vip) => toStatusVip(overview, vip))),
    holds: overviews
      .flatMap((overview) => overview.ledger.policy.holds.filter((hold) => hold.expiresAtMs > overview.nowMs))
      .map(({ id, vip, actor, reason, createdAtMs, expiresAtMs, full }) => ({
        ...{ id, actor, reason, createdAtMs, expiresAtMs, full },
        vip: vip ?? null,
      })),
    alerts: overviews
      .flatMap((overview) => [...overview.decision.alerts, ...driftAlerts(overview)])
      .map(({ vip, reason, detail }) => ({
        vip: vip ?? null,
        reason,
        detail,
      })),
  };
}

function toSchedules({ config, ledger, nowMs }: Overview): NonNullable<Status['schedules']> {
  return schedulesOf(config).map((schedule) => {
    const { name, kind, vip, cron, timeZone, enabled } = schedule;
    const known = ledger.schedules[name];
    const concluded = known && ledger.concluded[scheduledIntentId(name, known.slotMs)]?.outcome;
    const hasBegun = known !== undefined && known.outcome !== 'begun';
    return {
      ...{ schedule: name, kind, vip, cron, timeZone, enabled },
      nextAtMs: enabled ? nextSlotMs(schedule, nowMs) : null,
      last: hasBegun ? { slotMs: known.slotMs, outcome: concluded ?? known.outcome, operation: known.operation } : null,
    };
  });
}

/** Wishes of people that wait to be carried out; one operation may have wished for several vips at once. */
const toOperations = ({ ledger, nowMs }: Overview): NonNullable<Status['operations']> =>
  ledger.policy.intents
    .filter((intent) => intent.deadlineMs > nowMs)
    .map(({ operation, id, type, vip, region, actor, reason, notBeforeMs, deadlineMs }) => ({
      ...{ id: operation || id, kind: type, actor, reason, notBeforeMs: notBeforeMs ?? null, deadlineMs },
      vip: vip ?? null,
      region: region ?? null,
    }));

const driftAlerts = ({ ledger, sight, config, nowMs }: Overview) =>
  findDrift(ledger, sight, config, nowMs).map(({ vip, nva, detail }) => ({
    vip,
    reason: 'drift',
    detail: `${nva}: ${detail}`,
  }));

function automationOf(overviews: readonly Overview[]): Status['automation'] {
  if (overviews.some(({ ledger }) => !ledger.policy.trusted)) return 'untrusted';
  if (overviews.some(({ config }) => config.guards.mode === 'shadow')) return 'shadow';
  const isHeld = overviews.some(({ ledger, nowMs }) =>
    ledger.policy.holds.some((hold) => hold.vip === undefined && hold.expiresAtMs > nowMs),
  );
  return isHeld ? 'held' : 'on';
}

export function toStatusVip(overview: Overview, vip: Vip): StatusVip[] {
  const { decision, ledger } = overview;
  const policy = ledger.policy.vips[vip.name];
  if (policy === undefined) return [];
  const why = decision.reasons.find((reason) => reason.vip === vip.name);
  return [
    {
      vip: vip.name,
      prefix: vip.prefix,
      mode: vip.mode,
      acting: policy.acting,
      actingSinceMs: policy.actingSinceMs,
      servedBy: servedBy(overview, vip),
      reason: why?.reason ?? '',
      detail: why?.detail ?? '',
      decisionId: policy.decision,
      regions: vip.regions.map((region) => toStatusRegion(overview, vip, policy, region)),
      observers: toObservers(overview, vip),
      lastDrill: toLastDrill(overview, vip),
      blocked: decision.blocked
        .filter((blocked) => blocked.vip === vip.name)
        .map(({ wanted, guard, detail }) => ({ kind: wanted.kind, region: wanted.region, guard, detail })),
    },
  ];
}

function toLastDrill({ ledger }: Overview, vip: Vip): StatusVip['lastDrill'] {
  const known = ledger.lastDrills[vip.name];
  if (known === undefined) return null;
  const { atMs, state, outageMs, operation } = known;
  return { atMs, ok: state === 'proved', outageMs, state, operation };
}

/** Who answered the observers lately; null when nobody looked or nobody answered. */
function servedBy(overview: Overview, vip: Vip): string | null {
  const views = Object.values(overview.sight.evidence.observers)
    .filter(({ receivedAtMs }) => overview.nowMs - receivedAtMs <= 3 * overview.config.reportMs)
    .sort((a, b) => b.receivedAtMs - a.receivedAtMs);
  return views[0]?.report.vips.find((seen) => seen.vip === vip.name)?.answeredBy ?? null;
}

function toObservers({ sight, nowMs }: Overview, vip: Vip): StatusObserver[] {
  return Object.entries(sight.evidence.observers).flatMap(([observer, { receivedAtMs, report }]) =>
    report.vips
      .filter((seen) => seen.vip === vip.name)
      .map(({ answeredBy, requests, failures, connectMs, firstByteMs, outageMs, loss, throughput }) => ({
        ...{ observer, answeredBy, requests, failures, connectMs, firstByteMs, outageMs },
        ageMs: nowMs - receivedAtMs,
        loss: loss?.share ?? null,
        throughput: toThroughput(throughput, report.atMs, nowMs - receivedAtMs),
      })),
  );
}

/** The sender's times are only compared with each other. */
function toThroughput(
  sample: ObserverReport['vips'][number]['throughput'],
  reportedAtMs: number,
  reportAgeMs: number,
): StatusObserver['throughput'] {
  if (sample === undefined) return null;
  const { bytesPerSecond, bytes, atMs } = sample;
  return { bytesPerSecond, bytes, ageMs: reportAgeMs + Math.max(0, reportedAtMs - atMs) };
}

const hasFreshObserver = (overview: Overview): boolean =>
  Object.values(overview.sight.evidence.observers).some(
    ({ receivedAtMs }) => overview.nowMs - receivedAtMs <= 3 * overview.config.reportMs,
  );

function toStatusRegion(overview: Overview, vip: Vip, policy: VipPolicy, region: string): StatusRegion {
  const row = policy.regions[region];
  const verdict = overview.decision.verdicts[vip.name]?.[region];
  const proof = overview.sight.proofs.proofs.find((one) => one.vip === vip.name && one.region === region);
  const { ledger, config } = overview;
  const sequence = { epoch: ledger.epoch, generation: ledger.orderGeneration };
  const orders = compileOrders(ledger.policy, config, sequence, overview.nowMs);
  const nvas = config.topology.regions.find((candidate) => candidate.name === region)?.nvas ?? [];
  const ordered = orders[nvas[0]?.name ?? '']?.vips.find((candidate) => candidate.vip === vip.name);
  return {
    region,
    role: row?.role ?? 'out',
    rung: row?.rung ?? 0,
    prepend: ordered?.prepend ?? 0,
    state: row?.state ?? 'withheld',
    serves: hasFreshObserver(overview) ? servedBy(overview, vip) === region : null,
    verdict: verdict?.verdict ?? 'unknown',
    verdictSinceMs: verdict?.sinceMs ?? overview.nowMs,
    detail:
      verdict?.sources
        .map((source) => `${source.source} ${source.says}${source.detail ? ` (${source.detail})` : ''}`)
        .join(', ') ?? '',
    sources: (verdict?.sources ?? []).map(({ source, says, ageMs, detail = '' }) => ({ source, says, ageMs, detail })),
    proofs: toProofs(proof, ledger.proofs[vip.name]?.decisionId),
    nvas: nvas.map((nva) => toStatusNva(overview, vip, nva.name)),
    ...(row?.unprovenSinceMs !== undefined && { unproven: toDoubt(row, row.unprovenSinceMs) }),
  };
}

const toDoubt = (row: RegionPolicy, sinceMs: number): NonNullable<StatusRegion['unproven']> => ({
  sinceMs,
  step: row.unprovenAt ?? '',
  provedSinceMs: row.provedSinceMs ?? null,
});

/** A step that waits for a decision which a newer one took over waits for nobody: it was not checked to the end. */
function toProofs(proof: RegionProof | undefined, openDecisionId: string | undefined): StatusRegion['proofs'] {
  const unseen = { proof: 'not checked' as const, detail: 'no move since the ledger began', atMs: null };
  const isLeft = proof !== undefined && proof.decisionId !== openDecisionId;
  const shown = (name: (typeof PROOF_STEPS)[number]) => {
    const step = proof?.steps[name] ?? unseen;
    if (!isLeft || step.proof !== 'waiting') return step;
    return { ...step, proof: 'not checked' as const, detail: `a newer decision came first; last seen: ${step.detail}` };
  };
  return Object.fromEntries(PROOF_STEPS.map((name) => [name, shown(name)])) as StatusRegion['proofs'];
}

function pathHeld(learned: LearnedEvidence, peer: string, prefix: string): number[] | null {
  const path = learned.peers[peer]?.[prefix];
  return path === undefined ? null : [...path];
}

function toStatusNva(overview: Overview, vip: Vip, nva: string): StatusRegion['nvas'][number] {
  const { ledger } = overview;
  const heard = overview.sight.evidence.reports[nva];
  const seen = heard?.report.vips.find((candidate) => candidate.vip === vip.name);
  const learned = overview.sight.proofs.learned[nva];
  const newest = { epoch: ledger.epoch, generation: ledger.orderGeneration };
  return {
    nva,
    reportAgeMs: heard === undefined ? null : overview.nowMs - heard.receivedAtMs,
    order: heard?.report.order ?? null,
    acknowledged: heard !== undefined && compareSequence(heard.report.order, newest) >= 0,
    sessions: (heard?.report.sessions ?? []).map((session) => ({
      peer: session.peer,
      state: session.state,
      asPath: session.routes.find((route) => route.prefix === vip.prefix)?.asPath ?? null,
      ...(learned?.peers[session.peer] && {
        learned: { asPath: pathHeld(learned, session.peer, vip.prefix), atMs: learned.atMs },
      }),
    })),
    ...toPeerStatus(overview, nva),
    window: seen?.local.window ?? '',
    latencyMs: seen?.local.latencyMs ?? null,
    lastResort: seen?.announced?.lastResort ?? false,
  };
}

/** What is too old says nothing of now: then the NVA shows no status, which is neither up nor down. */
function toPeerStatus(
  { sight, config, nowMs }: Overview,
  nva: string,
): Pick<StatusRegion['nvas'][number], 'peerStatus'> {
  const found = findNva(config.topology, nva);
  const known = found && sight.proofs.peerStatus[found.region.name]?.peers[found.nva.address];
  const fresh = Object.entries(known ?? {}).filter(([, { atMs }]) => nowMs - atMs <= PEER_STATUS_FRESH_MS);
  return fresh.length === 0 ? {} : { peerStatus: fresh.map(([instance, measured]) => ({ instance, ...measured })) };
}
