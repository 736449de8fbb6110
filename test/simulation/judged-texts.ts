// What the judge compares of ledgers and orders, as their texts have it.
import type { Ledger } from '../../functions/ledger.ts';
import type { Order } from '../../shared/order.ts';

/** Undefined for none, and for one that somebody has spoilt. */
export function ledgerIn(text: string): Ledger | undefined {
  try {
    return JSON.parse(text) as Ledger;
  } catch {
    return undefined;
  }
}

/** What an order makes an NVA do: its times and the wish to ignore failures aside, which ends by itself. */
export const rowsText = (order: Order): string =>
  JSON.stringify(order.vips.map(({ vip, state, rung, prepend }) => [vip, state, rung, prepend]));
