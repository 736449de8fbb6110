// Ships audit records from the outbox to Log Analytics, in order, in bounded batches; what cannot be taken is set aside.
import type { AuditRecord } from '../../shared/audit.ts';
import { OperatingError } from '../../shared/errors.ts';
import type { Plane } from '../deployment.ts';
import { AUDIT_KEPT_MS, SHIP_BATCH, SHIP_BATCHES_MAX } from '../limits.ts';
import type { AuditSink } from '../ports.ts';
import { attempt } from './attempt.ts';
import type { GroupInput, ShipResult } from './names.ts';

export const shipAudit =
  (plane: Plane) =>
  (input: GroupInput): Promise<ShipResult> =>
    attempt(() => run(plane, input.group));

async function run(plane: Plane, group: string): Promise<ShipResult> {
  const { sink } = plane;
  if (sink === undefined) return { ok: true, shipped: 0, setAside: 0 };
  const endMs = plane.clock.nowMs() + Math.max(1000, plane.deployment.topology.timing.tickSeconds * 1000 - 1000);
  let [shipped, setAside] = [0, 0];
  for (let batch = 0; batch < SHIP_BATCHES_MAX && plane.clock.nowMs() < endMs; batch += 1) {
    const records = await plane.outbox.unshipped(group, SHIP_BATCH);
    if (records.length === 0) break;
    const aside = await upload(plane, sink, group, records);
    await plane.outbox.markShipped(group, records, plane.clock.nowMs());
    shipped += records.length - aside;
    setAside += aside;
    if (records.length < SHIP_BATCH) break;
  }
  return { ok: true, shipped, setAside };
}

/** Sends a batch; of a batch that is refused for good each record is tried alone, so that one cannot hold up the rest. */
async function upload(plane: Plane, sink: AuditSink, group: string, records: readonly AuditRecord[]): Promise<number> {
  const refused = await sink.upload(records);
  if (refused.some((one) => !one.permanent)) throwRefusal(refused.find((one) => !one.permanent)?.detail);
  let aside = 0;
  for (const { record } of refused) {
    const [alone] = await sink.upload([record]);
    if (alone === undefined) continue;
    if (!alone.permanent) throwRefusal(alone.detail);
    await plane.outbox.setAside(group, record, alone.detail);
    aside += 1;
  }
  return aside;
}

function throwRefusal(detail: string | undefined): never {
  throw new OperatingError('audit-upload', detail ?? 'not accepted', { retryable: true });
}

export const purgeOutbox = (plane: Plane, group: string): Promise<number> =>
  plane.outbox.purge(group, plane.clock.nowMs() - AUDIT_KEPT_MS);
