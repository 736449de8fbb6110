// Pushes the newest order to one NVA, once: what fails is tried again at the next look, or handed out with a report.
import { findNva } from '../../shared/topology.ts';
import { deliverable } from '../deliverable.ts';
import type { Plane } from '../deployment.ts';
import { attempt } from './attempt.ts';
import type { DeliverInput, DeliverResult } from './names.ts';

export const deliverOrder =
  (plane: Plane) =>
  async (input: DeliverInput): Promise<DeliverResult> => {
    const result = await attempt(() => run(plane, input));
    return { ...result, nva: input.nva };
  };

async function run(plane: Plane, { group, nva }: DeliverInput): Promise<DeliverResult> {
  const found = findNva(plane.deployment.topology, nva);
  if (found === undefined) return { ok: false, nva, code: 'unknown-nva', detail: `${nva} is not in the topology` };
  const ready = await deliverable(plane, group, nva);
  if (ready.type !== 'order') {
    return { ok: false, nva, code: 'not-deliverable', detail: ready.type === 'none' ? ready.why : 'has it' };
  }
  const outcome = await plane.orders.deliver(found.nva, ready.jws);
  if (outcome.type === 'refused')
    return { ok: true, nva, refused: { code: outcome.code, detail: outcome.detail.slice(0, 300) } };
  return { ok: true, nva, sequence: outcome.sequence };
}
