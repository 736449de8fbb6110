// Writes what the deployment found out into anycast.yaml: audience, public order keys, identities of NVAs. Comments stay.
import { type Document, isMap, isSeq, parseDocument, type YAMLMap } from 'yaml';
import type { OrderKey } from './secrets.ts';

export interface Pins {
  /** Audience of every seat. */
  readonly audience?: string;
  /** The key each seat signs with. */
  readonly orderKeys?: Readonly<Record<string, OrderKey>>;
  /** Object id of the identity that reports for each NVA. */
  readonly principals?: Readonly<Record<string, string>>;
}

/** The text with these values in it; the same text when all of them were there already. */
export function pin(text: string, pins: Pins): string {
  const document = parseDocument(text);
  let changed = false;
  for (const seat of namedItems(document, ['seats'])) {
    if (pins.audience !== undefined) changed = set(seat, 'audience', pins.audience) || changed;
    const key = pins.orderKeys?.[String(seat.get('name'))];
    if (key !== undefined) changed = pinKey(document, seat, key) || changed;
  }
  for (const region of namedItems(document, ['regions'])) {
    for (const nva of itemsOf(region.get('nvas'))) {
      const principal = pins.principals?.[String(nva.get('name'))];
      if (principal !== undefined) changed = set(nva, 'principalId', principal) || changed;
    }
  }
  return changed ? document.toString({ lineWidth: 0 }) : text;
}

const itemsOf = (node: unknown): YAMLMap[] =>
  isSeq(node) ? node.items.filter((item): item is YAMLMap => isMap(item)) : [];

const namedItems = (document: Document, path: readonly string[]): YAMLMap[] => itemsOf(document.getIn(path, true));

function set(map: YAMLMap, key: string, value: string): boolean {
  if (map.get(key) === value) return false;
  map.set(key, value);
  return true;
}

/** The text with exactly these public keys pinned for these seats, in this order. */
export function pinKeys(text: string, bySeat: ReadonlyMap<string, readonly OrderKey[]>): string {
  const document = parseDocument(text);
  for (const seat of namedItems(document, ['seats'])) {
    const keys = bySeat.get(String(seat.get('name')));
    if (keys !== undefined) seat.set('orderKeys', document.createNode(keys.map(publicHalf)));
  }
  return document.toString({ lineWidth: 0 });
}

function publicHalf({ kid, publicJwk: { kty, crv, x, y } }: OrderKey) {
  return { kid, jwk: { kty, crv, x, y } };
}

function pinKey(document: Document, seat: YAMLMap, key: OrderKey): boolean {
  const pinned = itemsOf(seat.get('orderKeys', true));
  if (pinned[0]?.get('kid') === key.kid) return false;
  seat.set('orderKeys', document.createNode([publicHalf(key)]));
  return true;
}
