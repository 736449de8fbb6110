// What a change of the routes means for connections that live: whom to share them with, and when an NVA may be stopped.
// Pure: knows orders and announcements only.
import type { Order, OrderVip } from '../shared/order.ts';
import type { DataPlaneConfig, DataPlaneVip } from './dataplane/plan.ts';
import type { Announcement } from './route/announcement.ts';

/** One vip whose connections two NVAs share from now on. */
export interface Sharing {
  readonly vip: string;
  readonly peer: string;
}

/**
 * Vips that a new order moves to this NVA from a named previous owner, or away from it to a named next one. A takeover
 * names nobody and so asks for nothing. `last` is the group's order before.
 */
export function sharingOf(order: Order, last: Order | undefined, config: DataPlaneConfig): Sharing[] {
  return order.vips.flatMap((row) => {
    const before = last?.vips.find((candidate) => candidate.vip === row.vip);
    const peer = isBetter(row, before) ? row.previousOwner : isWorse(row, before) ? row.nextOwner : undefined;
    const peers = config.vips.find((vip) => vip.vip === row.vip)?.secondChance?.peers ?? [];
    return peer !== undefined && peers.includes(peer) ? [{ vip: row.vip, peer }] : [];
  });
}

const isBetter = (row: OrderVip, before: OrderVip | undefined): boolean =>
  row.state === 'announced' && (before === undefined || before.state === 'withheld' || row.prepend < before.prepend);

const isWorse = (row: OrderVip, before: OrderVip | undefined): boolean =>
  before?.state === 'announced' && (row.state === 'withheld' || row.prepend > before.prepend);

/** One vip whose packets are asked back of every NVA that may take over. */
export interface AskBack {
  readonly vip: string;
  readonly peers: readonly string[];
}

/** A stopping NVA shares with whoever takes over: the only other one. */
export const sharingOfStop = (config: DataPlaneConfig): Sharing[] =>
  config.vips.flatMap((vip) => {
    const [peer, ...more] = vip.secondChance?.peers ?? [];
    return peer === undefined || more.length > 0 ? [] : [{ vip: vip.vip, peer }];
  });

/** With several others nobody knows who that will be, so each of them is asked. */
export const askingOfStop = (config: DataPlaneConfig): AskBack[] =>
  config.vips.flatMap(({ vip, secondChance }) =>
    secondChance === undefined || secondChance.peers.length < 2 ? [] : [{ vip, peers: secondChance.peers }],
  );

export interface VipLoad {
  readonly vip: DataPlaneVip;
  readonly announced: Announcement | null;
  /** How long the present announcement, or its absence, has lasted. */
  readonly announcedForMs: number;
  readonly established: number;
}

/**
 * Whether the NVA may be stopped as far as this vip is concerned: it draws no traffic, and its connections are over or
 * have had their time (capSeconds with a second chance, drainSeconds without).
 */
export function isSafeToStop({ vip, announced, announcedForMs, established }: VipLoad): boolean {
  if (announced !== null && !announced.lastResort) return false;
  const capSeconds = vip.secondChance?.capSeconds ?? vip.drainSeconds;
  return established === 0 || announcedForMs >= capSeconds * 1000;
}
