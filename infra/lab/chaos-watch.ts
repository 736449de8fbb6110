// Watches what the agents of the lab have persisted: never two orders of one sequence, never an older one after a newer.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Order } from '../../shared/order.ts';
import { compareSequence, type Sequence } from '../../shared/vocabulary.ts';

export interface OrderWatch {
  /** Looks at every agent's disk now and returns what is new and wrong. */
  look(): string[];
  /** Orders seen so far, all agents together. */
  readonly seen: number;
}

/** @param directory the run directory, with a folder for each NVA. */
export function watchOrders(directory: string, nvas: readonly string[]): OrderWatch {
  const known = new Map<string, string>();
  const newest = new Map<string, Sequence>();
  const lookAt = (nva: string, order: Order): string[] => {
    const { group, epoch, generation } = order;
    const text = JSON.stringify(order.vips.map(({ vip, state, rung, prepend }) => [vip, state, rung, prepend]));
    const key = `${nva} ${group} ${epoch}.${generation}`;
    const found: string[] = [];
    if ((known.get(key) ?? text) !== text) found.push(`${key}: two different orders`);
    known.set(key, text);
    const last = newest.get(`${nva} ${group}`);
    if (last !== undefined && compareSequence(order, last) < 0)
      found.push(`${key} came after ${last.epoch}.${last.generation}`);
    else newest.set(`${nva} ${group}`, { epoch, generation });
    return found;
  };
  return {
    look: () => nvas.flatMap((nva) => ordersOf(join(directory, nva, 'state')).flatMap((order) => lookAt(nva, order))),
    get seen() {
      return known.size;
    },
  };
}

/** Orders are replaced by renaming, so what can be read is whole. */
function ordersOf(folder: string): Order[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.startsWith('order-') && file.endsWith('.json'))
      .map((file) => JSON.parse((JSON.parse(readFileSync(join(folder, file), 'utf8')) as { order: string }).order));
  } catch {
    // Not there yet, or renamed in this very moment: the next look sees it.
    return [];
  }
}
