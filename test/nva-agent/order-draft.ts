// An order for the agent of contoso's westeurope, to be bent by tests.
import type { Order } from '../../shared/order.ts';

export const VIP_PREFIX = '192.0.2.10/32';
/** Prepends of last resort in contoso: rung 6, step 3. */
export const LAST_RESORT = 18;

/** An order for we-nva-1 that puts `orders` on rung 4. */
export function makeOrder(change: Partial<Order> = {}, row: Partial<Order['vips'][number]> = {}): Order {
  const nowMs = Date.now();
  return {
    v: 1,
    to: 'we-nva-1',
    group: 'default',
    epoch: 1,
    generation: 1,
    issuedAtMs: nowMs,
    notAfterMs: nowMs + 60_000,
    vips: [
      {
        vip: 'orders',
        prefix: VIP_PREFIX,
        state: 'announced',
        rung: 4,
        prepend: 12,
        prependAsn: 64500,
        communities: [],
        med: null,
        onLocalFailure: 'last-resort',
        lastResortPrepend: LAST_RESORT,
        decision: 'd-1',
        ...row,
      },
    ],
    ...change,
  };
}
