// Path attributes to octets, in ascending order of type (RFC 4271 section 5).
// It must never know which routes they describe.

import { asPathOctets, needsAs4Path } from './as-path.ts';
import { aggregatorOctets, communityOctets, largeCommunityOctets } from './attribute-values.ts';
import { addressOctets, uint16, uint32 } from './bytes.ts';
import { ATTRIBUTE, FLAG, ORIGINS } from './iana.ts';
import type { PathAttributes } from './messages.ts';

const WELL_KNOWN = FLAG.TRANSITIVE;
const OPTIONAL_TRANSITIVE = FLAG.OPTIONAL | FLAG.TRANSITIVE;

type Entry = readonly [code: number, flags: number, value: ArrayLike<number>];

/** The attributes field; `as4` says whether the peer reads 4-octet AS paths, else AS4_PATH and AS4_AGGREGATOR are added. */
export function attributeOctets(attributes: PathAttributes, as4: boolean): number[] {
  const entries: Entry[] = [
    ...wellKnownEntries(attributes, as4),
    ...optionalEntries(attributes, as4),
    ...(attributes.otherAttributes ?? []).map(({ code, flags, value }): Entry => [code, flags, value]),
  ];
  return entries.sort((a, b) => a[0] - b[0]).flatMap(entryOctets);
}

function entryOctets([code, flags, value]: Entry): number[] {
  const octets = Array.from(value);
  return octets.length > 255
    ? [flags | FLAG.EXTENDED_LENGTH, code, ...uint16(octets.length), ...octets]
    : [flags, code, octets.length, ...octets];
}

function wellKnownEntries(attributes: PathAttributes, as4: boolean): Entry[] {
  const { origin, asPath, nextHop, localPref, atomicAggregate } = attributes;
  const entries: Entry[] = [];
  if (origin !== undefined) entries.push([ATTRIBUTE.ORIGIN, WELL_KNOWN, [ORIGINS.indexOf(origin)]]);
  if (asPath !== undefined) entries.push([ATTRIBUTE.AS_PATH, WELL_KNOWN, asPathOctets(asPath, as4 ? 4 : 2)]);
  if (nextHop !== undefined) entries.push([ATTRIBUTE.NEXT_HOP, WELL_KNOWN, addressOctets(nextHop)]);
  if (localPref !== undefined) entries.push([ATTRIBUTE.LOCAL_PREF, WELL_KNOWN, uint32(localPref)]);
  if (atomicAggregate === true) entries.push([ATTRIBUTE.ATOMIC_AGGREGATE, WELL_KNOWN, []]);
  return entries;
}

function optionalEntries(attributes: PathAttributes, as4: boolean): Entry[] {
  const { asPath, med, aggregator, communities, largeCommunities } = attributes;
  const entries: Entry[] = [];
  if (med !== undefined) entries.push([ATTRIBUTE.MULTI_EXIT_DISC, FLAG.OPTIONAL, uint32(med)]);
  if (aggregator !== undefined) {
    entries.push([ATTRIBUTE.AGGREGATOR, OPTIONAL_TRANSITIVE, aggregatorOctets(aggregator, as4 ? 4 : 2)]);
  }
  if (communities !== undefined && communities.length > 0) {
    entries.push([ATTRIBUTE.COMMUNITIES, OPTIONAL_TRANSITIVE, communities.flatMap(communityOctets)]);
  }
  if (largeCommunities !== undefined && largeCommunities.length > 0) {
    entries.push([ATTRIBUTE.LARGE_COMMUNITIES, OPTIONAL_TRANSITIVE, largeCommunities.flatMap(largeCommunityOctets)]);
  }
  if (!as4 && asPath !== undefined && needsAs4Path(asPath)) {
    entries.push([ATTRIBUTE.AS4_PATH, OPTIONAL_TRANSITIVE, asPathOctets(asPath, 4)]);
  }
  if (!as4 && aggregator !== undefined && aggregator.asn > 0xffff) {
    entries.push([ATTRIBUTE.AS4_AGGREGATOR, OPTIONAL_TRANSITIVE, aggregatorOctets(aggregator, 4)]);
  }
  return entries;
}
