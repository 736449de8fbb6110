// Takes signed orders from anywhere (pushed or in a report's answer) through one door: verify, fence, persist, apply.
import { OperatingError } from '../../shared/errors.ts';
import type { Order, OrderRefusal } from '../../shared/order.ts';
import { type OrderVerificationKey, verifyOrder } from '../../shared/order-signature.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import type { Sequence } from '../../shared/vocabulary.ts';
import type { AgentPlan } from '../agent.ts';
import { judgeOrder } from './order-fence.ts';
import { persistOrder, type StateDisk } from './order-store.ts';

export type OrderOutcome = 'accepted' | 'same' | OrderRefusal;

export type OrderAnswer =
  | { readonly accepted: true; readonly group: string; readonly epoch: number; readonly generation: number }
  | { readonly accepted: false; readonly refusal: OrderRefusal; readonly detail: string };

/** What the desk needs of the agent it serves; asked anew for every order, because a reload may change it. */
export interface OrderDeskOwner {
  readonly plan: () => AgentPlan;
  readonly keys: () => readonly OrderVerificationKey[];
  readonly stateDirectory: string;
  readonly last: (group: string) => Sequence | undefined;
  readonly apply: (order: Order) => void;
  readonly count: (outcome: OrderOutcome, detail: string) => void;
  readonly wallMs: () => number;
  readonly disk?: StateDisk;
}

export interface OrderDesk {
  /** Resolves once the order is applied or refused. Orders are taken one at a time, in order of arrival. */
  accept(jws: string): Promise<OrderAnswer>;
}

/** Orders waiting at the same time; beyond that the newest is refused and its sender tries again. */
export const WAITING_MAX = 32;

/** Order keys of every seat: any of them may act. */
export const pinnedKeys = (topology: Topology): OrderVerificationKey[] =>
  topology.seats.flatMap((seat) => seat.orderKeys);

export function createOrderDesk(owner: OrderDeskOwner): OrderDesk {
  let tail: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return {
    accept: async (jws) => {
      if (waiting >= WAITING_MAX) return refuse(owner, 'not-persisted', `${waiting} orders are waiting already`);
      waiting += 1;
      // One at a time: two orders in flight could otherwise be persisted in one order and applied in the other.
      const turn = tail.then(() => take(owner, jws));
      tail = turn.catch(() => undefined);
      try {
        return await turn;
      } finally {
        waiting -= 1;
      }
    },
  };
}

async function take(owner: OrderDeskOwner, jws: string): Promise<OrderAnswer> {
  const verified = await verifyOrder(jws, owner.keys());
  if (!verified.ok) return refuse(owner, verified.error.refusal, verified.error.detail);
  const order = verified.value;
  const judged = judgeOrder(order, owner.plan(), owner.last(order.group), owner.wallMs());
  if (judged.type === 'refused') return refuse(owner, judged.refusal, judged.detail);
  const { group, epoch, generation } = order;
  if (judged.type === 'new') {
    try {
      await persistOrder(owner.stateDirectory, order, owner.disk);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      return refuse(owner, 'not-persisted', error.message);
    }
    owner.apply(order);
  }
  owner.count(judged.type === 'new' ? 'accepted' : 'same', `${group} epoch ${epoch} generation ${generation}`);
  return { accepted: true, group, epoch, generation };
}

function refuse(owner: OrderDeskOwner, refusal: OrderRefusal, detail: string): OrderAnswer {
  owner.count(refusal, detail);
  return { accepted: false, refusal, detail };
}
