// What a drill needs beside the moves: that all is well before it begins, and its report on record.
import { draft } from '../audit-drafts.ts';
import type { Plane } from '../deployment.ts';
import { decide } from '../engine/decide.ts';
import type { EngineConfig, Policy } from '../engine/types.ts';
import { isInWindow } from '../engine/windows.ts';
import { changeLedger, confirmPending } from '../lead.ts';
import { type Ledger, parseLedger } from '../ledger.ts';
import { CONCLUDED_KEPT_MS } from '../limits.ts';
import type { ScheduledDrill } from '../schedules.ts';
import { readSight, toSnapshot } from '../snapshot.ts';
import { cancelKey } from '../wishes.ts';
import { attempt } from './attempt.ts';
import type {
  CancelledInput,
  CancelledResult,
  DrillCheckInput,
  DrillCheckResult,
  DrillRecordInput,
  PlainResult,
} from './names.ts';

export const drillCheck =
  (plane: Plane) =>
  (input: DrillCheckInput): Promise<DrillCheckResult> =>
    attempt(() => check(plane, input));

async function check(plane: Plane, input: DrillCheckInput): Promise<DrillCheckResult> {
  const { group, vip, to, scheduled } = input;
  const taken = scheduled === undefined ? [] : await takeUp(plane, input, scheduled);
  const stored = await plane.ledger.read(group);
  const parsed = stored.type === 'found' ? parseLedger(stored.text, group) : undefined;
  const config = plane.deployment.configOf(group);
  const wanted = config.vips.find((candidate) => candidate.name === vip);
  const policy = parsed?.ok ? parsed.value.policy.vips[vip ?? ''] : undefined;
  if (parsed === undefined || !parsed.ok || policy === undefined || wanted === undefined) {
    return { ok: false, code: 'unknown-vip', detail: `${vip} has no policy yet` };
  }
  const from = policy.acting;
  const target =
    to ?? wanted.regions.find((region) => region !== from && policy.regions[region]?.role === 'backup') ?? '';
  const snapshot = toSnapshot(plane, group, parsed.value, await readSight(plane, group));
  const decision = decide(snapshot, parsed.value.policy, config, plane.clock.nowMs());
  const problems = wanted.regions.flatMap((region) => {
    const verdict = decision.verdicts[wanted.name]?.[region]?.verdict ?? 'unknown';
    return verdict === 'healthy' ? [] : [{ code: 'not-well', detail: `${region} is ${verdict}` }];
  });
  problems.push(...taken);
  if (scheduled !== undefined)
    problems.push(...scheduledProblems(config, parsed.value.policy, vip, plane.clock.nowMs()));
  if (target === '' || target === from) problems.push({ code: 'no-target', detail: 'no other region to move to' });
  if (!parsed.value.policy.trusted)
    problems.push({ code: 'untrusted-ledger', detail: 'the ledger waits for a person' });
  if (parsed.value.proofs[wanted.name] !== undefined)
    problems.push({ code: 'proof-open', detail: 'a move is still being proved' });
  return { ok: true, from, to: target, problems };
}

type Problem = { readonly code: string; readonly detail: string };

/** Marks the schedule's time as taken, so that no other seat begins the same drill. */
async function takeUp(plane: Plane, input: DrillCheckInput, { schedule, slotMs }: ScheduledDrill): Promise<Problem[]> {
  const { operation = '' } = input;
  let isTaken = false;
  const outcome = await changeLedger(plane, input.group, ({ ledger }) => {
    const known = ledger.schedules[schedule];
    isTaken = known !== undefined && known.slotMs >= slotMs && known.operation !== operation;
    if (isTaken || known?.operation === operation) return undefined;
    const mark = { slotMs, outcome: 'started' as const, operation };
    return { ledger: { ...ledger, schedules: { ...ledger.schedules, [schedule]: mark } }, drafts: [] };
  });
  if (outcome.type === 'follows') return [{ code: 'not-leader', detail: 'another seat leads' }];
  if (outcome.isCommitted) await confirmPending(plane, input.group, outcome.ledger);
  return isTaken ? [{ code: 'taken', detail: `${schedule} was followed already` }] : [];
}

/** What keeps a schedule, but not a person, from drilling. */
function scheduledProblems(config: EngineConfig, policy: Policy, vip: string | null, nowMs: number): Problem[] {
  const hold = policy.holds.find((one) => one.expiresAtMs > nowMs && (one.vip === undefined || one.vip === vip));
  const isOutside = !isInWindow(config.guards.drillWindows, nowMs);
  return [
    ...(hold === undefined ? [] : [{ code: 'hold', detail: `held by ${hold.actor}: ${hold.reason}` }]),
    ...(isOutside ? [{ code: 'window', detail: 'drills are not allowed at this time' }] : []),
    ...(config.guards.mode === 'shadow' ? [{ code: 'shadow', detail: 'shadow mode: decided, not acted on' }] : []),
  ];
}

export const drillRecord =
  (plane: Plane) =>
  (input: DrillRecordInput): Promise<PlainResult> =>
    attempt(async () => {
      const outcome = await changeLedger(plane, input.group, ({ ledger, nowMs }) => {
        const { operation, vip, actor, actorType, state, report } = input;
        // Asked again after a crash: one drill is one record.
        if (ledger.concluded[recordKey(operation)] !== undefined) return undefined;
        const given = { CorrelationId: operation, Vip: vip ?? '', Actor: actor, ActorType: actorType, Reason: state };
        return {
          ledger: withDrill(ledger, input, nowMs),
          drafts: [draft(nowMs, 'drill', { ...given, Detail: { report } })],
        };
      });
      if (outcome.type === 'leads') await confirmPending(plane, input.group, outcome.ledger);
      return { ok: true };
    });

const recordKey = (operation: string): string => `drill:${operation}`;

/** A drill that was refused moved nothing: it is on record, and leaves the newest that showed something. */
function withDrill(ledger: Ledger, { operation, vip, state, report }: DrillRecordInput, nowMs: number): Ledger {
  const mark = { decisionId: '', generation: 0, keptUntilMs: nowMs + CONCLUDED_KEPT_MS };
  const entry = { operation, outcome: state, reasons: [], ...mark };
  const concluded = { ...ledger.concluded, [recordKey(operation)]: entry };
  if (vip === null || report.phases.length === 0) return { ...ledger, concluded };
  const newest = { operation, atMs: nowMs, state, outageMs: report.outageMs };
  return { ...ledger, concluded, lastDrills: { ...ledger.lastDrills, [vip]: newest } };
}

/** Whether somebody cancelled the operation, as the ledger has it. */
export const readCancelled =
  (plane: Plane) =>
  (input: CancelledInput): Promise<CancelledResult> =>
    attempt(async () => {
      const stored = await plane.ledger.read(input.group);
      const parsed = stored.type === 'found' ? parseLedger(stored.text, input.group) : undefined;
      const isCancelled = parsed?.ok === true && parsed.value.concluded[cancelKey(input.operation)] !== undefined;
      return { ok: true, isCancelled };
    });
