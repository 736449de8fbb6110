// Follows the schedules of anycast.yaml: what is due, what was missed. Takes the time and what the ledger remembers.
import { Cron } from 'croner';
import type { AuditDraft } from '../shared/audit.ts';
import type { Schedule } from '../shared/topology-schema.ts';
import { draft, intentDraft } from './audit-drafts.ts';
import type { EngineConfig, Intent } from './engine/types.ts';
import type { Ledger, ScheduleState } from './ledger.ts';
import { SCHEDULE_LATE_MS } from './limits.ts';

/** One time of one schedule; `slotMs` in epoch ms. */
export interface ScheduledDrill {
  readonly schedule: string;
  readonly slotMs: number;
}

export interface Timed {
  /** Moves whose time has come: they go through all guards of automation. */
  readonly intents: readonly Intent[];
  readonly drills: readonly ScheduledDrill[];
  /** The same object when nothing is to be remembered. */
  readonly schedules: Ledger['schedules'];
  readonly drafts: readonly AuditDraft[];
}

const crons = new WeakMap<Schedule, Cron>();
function cronOf(schedule: Schedule): Cron {
  const known = crons.get(schedule) ?? new Cron(schedule.cron, { timezone: schedule.timeZone, paused: true });
  crons.set(schedule, known);
  return known;
}

/** Newest time at or before the given one, epoch ms. */
export const latestSlotMs = (schedule: Schedule, nowMs: number): number | undefined =>
  cronOf(schedule)
    .previousRuns(1, new Date(nowMs + 1))[0]
    ?.getTime();

export const nextSlotMs = (schedule: Schedule, nowMs: number): number | null =>
  cronOf(schedule).nextRun(new Date(nowMs))?.getTime() ?? null;

export const schedulesOf = (config: EngineConfig): Schedule[] =>
  config.topology.schedules.filter((schedule) => config.vips.some((vip) => vip.name === schedule.vip));

/** A schedule seen for the first time begins now; one that was late is missed, once, with how late. */
export function followSchedules(ledger: Pick<Ledger, 'schedules'>, config: EngineConfig, nowMs: number): Timed {
  const intents: Intent[] = [];
  const drills: ScheduledDrill[] = [];
  const drafts: AuditDraft[] = [];
  let schedules = ledger.schedules;
  const remember = (name: string, state: ScheduleState) => {
    schedules = { ...schedules, [name]: state };
  };
  for (const schedule of schedulesOf(config)) {
    const known = ledger.schedules[schedule.name];
    const slotMs = schedule.enabled ? latestSlotMs(schedule, nowMs) : nowMs;
    if (known === undefined) remember(schedule.name, { slotMs: slotMs ?? nowMs, outcome: 'begun', operation: '' });
    // Turned off: when it is turned on again, what lay between is nobody's omission.
    if (!schedule.enabled || known === undefined || slotMs === undefined || slotMs <= known.slotMs) continue;
    if (nowMs - slotMs > SCHEDULE_LATE_MS) {
      drafts.push(missedDraft(schedule, slotMs, nowMs));
      remember(schedule.name, { slotMs, outcome: 'missed', operation: '' });
    } else if (schedule.kind === 'drill') drills.push({ schedule: schedule.name, slotMs });
    else {
      const intent = intentOf(schedule, slotMs, config, nowMs);
      intents.push(intent);
      drafts.push(intentDraft(nowMs, intent, 'asked'));
      remember(schedule.name, { slotMs, outcome: 'asked', operation: '' });
    }
  }
  return { intents, drills, schedules, drafts };
}

export const scheduledIntentId = (schedule: string, slotMs: number): string => `s-${schedule}-${slotMs}`;
export const scheduleActor = (schedule: string): string => `schedule ${schedule}`;

const intentOf = (schedule: Schedule, slotMs: number, config: EngineConfig, nowMs: number): Intent => ({
  id: scheduledIntentId(schedule.name, slotMs),
  type: schedule.kind === 'failback' ? 'failback' : 'failover',
  vip: schedule.vip,
  ...(schedule.to !== undefined && { region: schedule.to }),
  actor: scheduleActor(schedule.name),
  actorType: 'automation',
  reason: schedule.reason,
  force: [],
  createdAtMs: nowMs,
  deadlineMs: slotMs + SCHEDULE_LATE_MS + config.guards.intentSeconds * 1000,
  operation: '',
});

const missedDraft = (schedule: Schedule, slotMs: number, nowMs: number): AuditDraft =>
  draft(nowMs, schedule.kind === 'drill' ? 'drill' : 'intent', {
    Vip: schedule.vip,
    Actor: scheduleActor(schedule.name),
    Reason: 'missed',
    Detail: { schedule: schedule.name, kind: schedule.kind, slotMs, lateMs: nowMs - slotMs },
  });
