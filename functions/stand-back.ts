// Whether a seat should doubt its own ears: nobody reports to it, while another seat hears agents. Pure.
import { VIEW_FRESH_MS } from './limits.ts';
import type { StoredSeatView } from './ports.ts';

/** Silence of this many periods from every NVA at once is deafness, when somebody else hears them. */
const DEAF_PERIODS = 5;
/** What the other seat heard must be this new when it wrote so. */
const HEARD_PERIODS = 3;

export interface Hearing {
  readonly seat: string;
  /** When this seat last heard each NVA. */
  readonly heardAtMs: readonly number[];
  /** Of the other seats at least. */
  readonly views: readonly StoredSeatView[];
  readonly reportMs: number;
  readonly nowMs: number;
}

/**
 * The name of the seat that hears agents while this one hears none, or undefined: then this one may lead. With nobody
 * who hears better it leads on, for the agents may be what is silent.
 */
export function findBetterEar({ seat, heardAtMs, views, reportMs, nowMs }: Hearing): string | undefined {
  if (heardAtMs.some((atMs) => nowMs - atMs <= DEAF_PERIODS * reportMs)) return undefined;
  return views.find(
    (view) =>
      view.seat !== seat &&
      nowMs - view.atMs <= VIEW_FRESH_MS &&
      Object.values(view.heardAtMs).some((atMs) => view.atMs - atMs <= HEARD_PERIODS * reportMs),
  )?.seat;
}
