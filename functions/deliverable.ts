// The order one NVA should have now, signed, but only if its audit records are on record already.
import { compareSequence, type Sequence } from '../shared/vocabulary.ts';
import type { Plane } from './deployment.ts';
import { compileOrders } from './engine/orders.ts';
import { isConfirmed } from './lead.ts';
import type { Ledger } from './ledger.ts';
import { newestLedger } from './recent-ledger.ts';

export type Deliverable =
  | { readonly type: 'order'; readonly sequence: Sequence; readonly jws: string }
  /** The NVA has it already. */
  | { readonly type: 'current'; readonly sequence: Sequence }
  /** Nothing may be handed out: no ledger, not trusted, another seat leads, records not confirmed, or no row for it. */
  | { readonly type: 'none'; readonly why: string };

const none = (why: string): Deliverable => ({ type: 'none', why });

/** @param has what the NVA has; absent: the order is made whatever it has. */
export async function deliverable(plane: Plane, group: string, nva: string, has?: Sequence): Promise<Deliverable> {
  const newest = await newestLedger(plane, group);
  if (newest.type === 'absent') return none('no ledger');
  if (newest.type === 'malformed') return none('the ledger cannot be read');
  return toDeliverable(plane, nva, newest.ledger, has);
}

/** Any seat could sign; only the one that leads does, so an agent hears one voice. */
async function toDeliverable(plane: Plane, nva: string, ledger: Ledger, has?: Sequence): Promise<Deliverable> {
  const { group } = ledger;
  if (ledger.seat !== plane.deployment.seat.name) return none(`${ledger.seat} leads`);
  if (!ledger.delivers) return none('the ledger is not trusted');
  // Born, but nobody has decided on it yet: there is no record of it, so there is nothing to hand out.
  if (ledger.chain.index < 0) return none('nothing is decided yet');
  const sequence = { epoch: ledger.epoch, generation: ledger.orderGeneration };
  if (has !== undefined && compareSequence(has, sequence) >= 0) return { type: 'current', sequence };
  const last = ledger.pending.at(-1);
  if (last !== undefined && !(await isConfirmed(plane, group, last)))
    return none('audit records are not confirmed yet');
  const config = plane.deployment.configOf(group);
  const order = compileOrders(ledger.policy, config, sequence, plane.clock.nowMs())[nva];
  return order === undefined ? none('no vip there') : { type: 'order', sequence, jws: await plane.signer.sign(order) };
}
