// Ships audit records from the outbox to Log Analytics, in order, in bounded batches; what cannot be taken is set aside.
import type { AuditRecord } from '../../shared/audit.ts';
import { OperatingError } from '../../shared/errors.ts';
import { draft } from '../audit-drafts.ts';
import type { Plane } from '../deployment.ts';
import { changeLedger, confirmPending } from '../lead.ts';
import {
  AUDIT_KEPT_MS,
  SET_ASIDE_NAMED_MAX,
  SHIP_BATCH,
  SHIP_BATCHES_MAX,
  SHIP_BYTES_MAX,
  SHIP_CALLS_PER_MINUTE,
} from '../limits.ts';
import type { AuditSink } from '../ports.ts';
import { attempt } from './attempt.ts';
import type { GroupInput, ShipResult } from './names.ts';

export const shipAudit =
  (plane: Plane) =>
  (input: GroupInput): Promise<ShipResult> =>
    attempt(() => run(plane, input.group));

/** One run: what it may still send, and what it did. */
interface Shipping {
  readonly plane: Plane;
  readonly sink: AuditSink;
  readonly group: string;
  callsLeft: number;
  shipped: number;
  readonly aside: AuditRecord[];
}

async function run(plane: Plane, group: string): Promise<ShipResult> {
  const { sink } = plane;
  if (sink === undefined) return { ok: true, shipped: 0, setAside: 0 };
  const { tickSeconds } = plane.deployment.topology.timing;
  const endMs = plane.clock.nowMs() + Math.max(1000, tickSeconds * 1000 - 1000);
  const callsLeft = Math.floor((tickSeconds * SHIP_CALLS_PER_MINUTE) / 60 / plane.deployment.groups.length);
  const shipping: Shipping = { plane, sink, group, callsLeft: Math.max(1, callsLeft), shipped: 0, aside: [] };
  for (let batch = 0; batch < SHIP_BATCHES_MAX && plane.clock.nowMs() < endMs; batch += 1) {
    const records = await plane.outbox.unshipped(group, SHIP_BATCH);
    const isSettled = await settleAll(shipping, records);
    if (!isSettled || records.length < SHIP_BATCH) break;
  }
  if (shipping.aside.length > 0) await report(shipping);
  return { ok: true, shipped: shipping.shipped, setAside: shipping.aside.length };
}

/** In calls of at most SHIP_BYTES_MAX each, in order. False: the calls of this run are used up. */
async function settleAll(shipping: Shipping, records: readonly AuditRecord[]): Promise<boolean> {
  let call: AuditRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = Buffer.byteLength(JSON.stringify(record)) + 1;
    if (call.length > 0 && bytes + size > SHIP_BYTES_MAX) {
      if (!(await settle(shipping, call))) return false;
      call = [];
      bytes = 0;
    }
    call.push(record);
    bytes += size;
  }
  return settle(shipping, call);
}

/**
 * Sends records until each is taken or set aside. Of what is refused for good the halves are tried, so that a bad
 * record costs a few calls and holds up nobody. The cursor follows in order, so a run that ends early loses nothing.
 */
async function settle(shipping: Shipping, records: readonly AuditRecord[]): Promise<boolean> {
  const { plane, sink, group, aside } = shipping;
  const [only] = records;
  if (only === undefined) return true;
  if (shipping.callsLeft <= 0) return false;
  shipping.callsLeft -= 1;
  const refused = await sink.upload(records);
  const passing = refused.find((one) => !one.permanent);
  if (passing !== undefined) throw new OperatingError('audit-upload', passing.detail, { retryable: true });
  if (refused.length > 0 && records.length > 1) {
    const half = Math.ceil(records.length / 2);
    return (await settle(shipping, records.slice(0, half))) && settle(shipping, records.slice(half));
  }
  const why = refused[0]?.detail;
  if (why !== undefined) {
    await plane.outbox.setAside(group, only, why);
    aside.push(only);
  }
  await plane.outbox.markShipped(group, records, plane.clock.nowMs());
  shipping.shipped += records.length - (why === undefined ? 0 : 1);
  return true;
}

/** Puts on record which records Log Analytics will never have; they stay in the outbox. The leader says so. */
async function report({ plane, group, aside }: Shipping): Promise<void> {
  const eventIds = aside.slice(0, SET_ASIDE_NAMED_MAX).map((record) => record.EventId);
  const outcome = await changeLedger(plane, group, ({ ledger, nowMs }) => ({
    ledger,
    drafts: [draft(nowMs, 'config', { Reason: 'audit-set-aside', Detail: { count: aside.length, eventIds } })],
  }));
  if (outcome.type === 'leads') await confirmPending(plane, group, outcome.ledger);
}

export const purgeOutbox = (plane: Plane, group: string): Promise<number> =>
  plane.outbox.purge(group, plane.clock.nowMs() - AUDIT_KEPT_MS);
