// The filter before everything that becomes part of a daemon's configuration or of one of its commands.
// It must never know which daemon it is.
import { parseCommunity } from '../bgp/attribute-values.ts';
import type { Route } from '../bgp/messages.ts';
import { parsePrefix } from '../bgp/nlri.ts';

const PLAIN = /^[\x20-\x7e]*$/;
const PATH_UNSAFE = /["\\;{}\n]/;
const ASN_MAX = 4294967295;

/** The text itself. Throws RangeError when a control or non-ASCII character is in it. */
export function plainText(text: string): string {
  if (!PLAIN.test(text)) throw new RangeError(`${JSON.stringify(text)} holds characters that no daemon may get`);
  return text;
}

/** A file path that can stand between quotes in a daemon's command. Throws RangeError otherwise. */
export function plainPath(path: string): string {
  if (PATH_UNSAFE.test(path)) throw new RangeError(`${JSON.stringify(path)} cannot be quoted`);
  return plainText(path);
}

/** A route of which every part is exactly what it claims to be. Throws RangeError otherwise. */
export function checkedRoute(route: Route): Route {
  const { prefix, asPath, med, communities = [] } = route;
  if (parsePrefix(prefix) === undefined) throw new RangeError(`${JSON.stringify(prefix)} is no prefix`);
  for (const asn of asPath) {
    if (!Number.isInteger(asn) || asn < 1 || asn > ASN_MAX) throw new RangeError(`${String(asn)} is no ASN`);
  }
  if (med !== undefined && !(Number.isInteger(med) && med >= 0 && med <= ASN_MAX)) {
    throw new RangeError(`${String(med)} is no MED`);
  }
  for (const community of communities) {
    if (parseCommunity(community, 2, 0xffff) === undefined) throw new RangeError(`${community} is no community`);
  }
  return route;
}
