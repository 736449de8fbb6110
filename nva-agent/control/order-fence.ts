// Whether a verified order may be carried out by this NVA: addressed to it, alive, newer than the last, and about vips it knows.
// It must never know how the order arrived, nor where orders are kept.
import { EXPRESSROUTE_ASN, ROUTE_SERVER_ASN, refusePrependAsn } from '../../shared/asn.ts';
import type { Order, OrderRefusal, OrderVip } from '../../shared/order.ts';
import { compareSequence, type Sequence } from '../../shared/vocabulary.ts';
import type { AgentPlan, VipPlan } from '../agent.ts';

export type FenceJudgement =
  | { readonly type: 'new' }
  /** The very order this NVA already has: acknowledged again, applied no second time. */
  | { readonly type: 'same' }
  | { readonly type: 'refused'; readonly refusal: OrderRefusal; readonly detail: string };

/** `last` is the sequence of the group's newest accepted order; `wallMs` the wall clock, because `notAfterMs` is one. */
export function judgeOrder(order: Order, plan: AgentPlan, last: Sequence | undefined, wallMs: number): FenceJudgement {
  if (order.to !== plan.nva) return refused('misaddressed', `for ${order.to}, this is ${plan.nva}`);
  if (!plan.vips.some((vip) => vip.group === order.group)) {
    return refused('unknown-group', `no vip of group ${order.group} here`);
  }
  const age = last === undefined ? 1 : compareSequence(order, last);
  if (age < 0) {
    return refused('older', `${sequenceText(order)} is older than the accepted ${sequenceText(last ?? order)}`);
  }
  if (age === 0) return { type: 'same' };
  if (wallMs > order.notAfterMs) return refused('expired', `${wallMs - order.notAfterMs} ms past notAfterMs`);
  const detail = order.vips.flatMap((row, i) => checkRow(row, i, order, plan)).join('; ');
  return detail === '' ? { type: 'new' } : refused('malformed', detail);
}

const refused = (refusal: OrderRefusal, detail: string): FenceJudgement => ({ type: 'refused', refusal, detail });

const sequenceText = ({ epoch, generation }: Sequence): string => `epoch ${epoch} generation ${generation}`;

/** Everything wrong with one row: a half-understood order is not carried out at all. */
function checkRow(row: OrderVip, index: number, order: Order, plan: AgentPlan): string[] {
  const where = `vips.${index}`;
  const known: VipPlan | undefined = plan.vips.find((vip) => vip.vip === row.vip && vip.group === order.group);
  if (known === undefined) return [`${where}: vip ${row.vip} is not this NVA's in group ${order.group}`];
  const found: string[] = [];
  if (known.prefix !== row.prefix) found.push(`${where}: prefix ${row.prefix} is not ${known.prefix} of ${row.vip}`);
  if (order.vips.findIndex((other) => other.vip === row.vip) !== index) found.push(`${where}: ${row.vip} occurs twice`);
  const why = prependProblem(row.prependAsn);
  if (why !== undefined) found.push(`${where}: prependAsn ${why}`);
  return found;
}

function prependProblem(asn: number): string | undefined {
  if (asn === ROUTE_SERVER_ASN || asn === EXPRESSROUTE_ASN) return `${asn} may stand nowhere in a path`;
  return refusePrependAsn(asn);
}
