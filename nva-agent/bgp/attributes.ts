// Path attributes: one row per attribute says its flags, how it is read, and what RFC 7606 does when it is malformed.
// It must never know the NLRI around them, nor act on a route.

import { mergeAsPaths, readAsPath } from './as-path.ts';
import { aggregatorOf, communitiesOf, largeCommunitiesOf } from './attribute-values.ts';
import { byteAt, readAddress, readUint16, readUint32 } from './bytes.ts';
import { AS_TRANS, ATTRIBUTE, ERROR_CODE, FLAG, ORIGINS, UPDATE_ERROR } from './iana.ts';
import type { Aggregator, AsPath, PathAttributes, ProtocolError, RawAttribute } from './messages.ts';
import { protocolError } from './messages.ts';

/** How to read: `as4` 4-octet AS paths (RFC 6793); `isExternal` drops what only iBGP may carry (RFC 7606 7.5, 7.9, 7.10). */
export interface ReadOptions {
  readonly as4: boolean;
  readonly isExternal: boolean;
}

/** RFC 7606 section 2, strongest last. */
export type Treatment = 'none' | 'discard' | 'withdraw' | 'reset';

/** What the attributes field said. `error` belongs to the strongest treatment met. */
export interface AttributesRead {
  readonly attributes: PathAttributes;
  readonly discarded: readonly number[];
  readonly treatment: Treatment;
  readonly error: ProtocolError | undefined;
  readonly seen: ReadonlySet<number>;
}

interface Draft {
  origin?: PathAttributes['origin'] & string;
  asPath?: AsPath;
  nextHop?: string;
  med?: number;
  localPref?: number;
  atomicAggregate?: true;
  aggregator?: Aggregator;
  communities?: string[];
  largeCommunities?: string[];
  otherAttributes?: RawAttribute[];
  as4Path?: AsPath;
  as4Aggregator?: Aggregator;
}

/** Reads a value into the draft; the answer is the UPDATE error subcode if it is malformed, 0 if it is well formed. */
type ReadValue = (value: Uint8Array, draft: Draft, options: ReadOptions) => number;

interface Rule {
  /** The Optional and Transitive bits that the attribute's specification demands. */
  readonly flags: number;
  readonly onError: 'discard' | 'withdraw';
  /** Dropped by a speaker in this situation, whatever its value. */
  readonly isDropped?: (options: ReadOptions) => boolean;
  /** Absent: the value is carried as it is, once its length was found right. */
  readonly read?: ReadValue;
  readonly lengthMultiple?: number;
}

const WELL_KNOWN = FLAG.TRANSITIVE;
const OPTIONAL_TRANSITIVE = FLAG.OPTIONAL | FLAG.TRANSITIVE;
const OPTIONAL_NON_TRANSITIVE = FLAG.OPTIONAL;
const FLAGS_CHECKED = FLAG.OPTIONAL | FLAG.TRANSITIVE;

const isFromExternal = (options: ReadOptions): boolean => options.isExternal;
/** RFC 6793 section 4.1: between 4-octet speakers AS4_PATH and AS4_AGGREGATOR mean nothing. */
const isFromAs4Speaker = (options: ReadOptions): boolean => options.as4;

/** The section numbers are those of RFC 7606 unless another RFC is named. */
const RULES: Readonly<Record<number, Rule>> = {
  [ATTRIBUTE.ORIGIN]: { flags: WELL_KNOWN, onError: 'withdraw', read: readOrigin }, // 7.1
  [ATTRIBUTE.AS_PATH]: { flags: WELL_KNOWN, onError: 'withdraw', read: readPath }, // 7.2
  [ATTRIBUTE.NEXT_HOP]: { flags: WELL_KNOWN, onError: 'withdraw', read: readNextHop }, // 7.3
  [ATTRIBUTE.MULTI_EXIT_DISC]: { flags: OPTIONAL_NON_TRANSITIVE, onError: 'withdraw', read: readMed }, // 7.4
  [ATTRIBUTE.LOCAL_PREF]: { flags: WELL_KNOWN, onError: 'withdraw', isDropped: isFromExternal, read: readLocalPref }, // 7.5
  [ATTRIBUTE.ATOMIC_AGGREGATE]: { flags: WELL_KNOWN, onError: 'discard', read: readAtomicAggregate }, // 7.6
  [ATTRIBUTE.AGGREGATOR]: { flags: OPTIONAL_TRANSITIVE, onError: 'discard', read: readAggregator }, // 7.7
  [ATTRIBUTE.COMMUNITIES]: {
    flags: OPTIONAL_TRANSITIVE,
    onError: 'withdraw',
    lengthMultiple: 4,
    read: readCommunities,
  }, // 7.8
  [ATTRIBUTE.ORIGINATOR_ID]: {
    flags: OPTIONAL_NON_TRANSITIVE,
    onError: 'withdraw',
    isDropped: isFromExternal,
    read: carryFourOctets,
  }, // 7.9
  [ATTRIBUTE.CLUSTER_LIST]: {
    flags: OPTIONAL_NON_TRANSITIVE,
    onError: 'withdraw',
    isDropped: isFromExternal,
    lengthMultiple: 4,
  }, // 7.10
  [ATTRIBUTE.MP_REACH_NLRI]: { flags: OPTIONAL_NON_TRANSITIVE, onError: 'withdraw' }, // 7.11, read by multiprotocol.ts
  [ATTRIBUTE.MP_UNREACH_NLRI]: { flags: OPTIONAL_NON_TRANSITIVE, onError: 'withdraw' }, // 7.12, likewise
  [ATTRIBUTE.EXTENDED_COMMUNITIES]: { flags: OPTIONAL_TRANSITIVE, onError: 'withdraw', lengthMultiple: 8 }, // 7.14
  [ATTRIBUTE.IPV6_EXTENDED_COMMUNITIES]: { flags: OPTIONAL_TRANSITIVE, onError: 'withdraw', lengthMultiple: 20 }, // 7.15
  [ATTRIBUTE.AS4_PATH]: {
    flags: OPTIONAL_TRANSITIVE,
    onError: 'discard',
    isDropped: isFromAs4Speaker,
    read: readAs4Path,
  }, // RFC 6793 section 6
  [ATTRIBUTE.AS4_AGGREGATOR]: {
    flags: OPTIONAL_TRANSITIVE,
    onError: 'discard',
    isDropped: isFromAs4Speaker,
    read: readAs4Aggregator,
  }, // RFC 6793 section 6
  [ATTRIBUTE.LARGE_COMMUNITIES]: {
    flags: OPTIONAL_TRANSITIVE,
    onError: 'withdraw',
    lengthMultiple: 12,
    read: readLargeCommunities,
  }, // RFC 8092 section 5
};

const OK = 0;

function readOrigin(value: Uint8Array, draft: Draft): number {
  if (value.length !== 1) return UPDATE_ERROR.ATTRIBUTE_LENGTH;
  const origin = ORIGINS[byteAt(value, 0)];
  if (origin === undefined) return UPDATE_ERROR.INVALID_ORIGIN;
  draft.origin = origin;
  return OK;
}

function readPath(value: Uint8Array, draft: Draft, options: ReadOptions): number {
  const path = readAsPath(value, options.as4 ? 4 : 2);
  // RFC 7607 section 2: AS 0 in a path is malformed.
  if (path === undefined || path.flat().includes(0)) return UPDATE_ERROR.MALFORMED_AS_PATH;
  draft.asPath = path;
  return OK;
}

function readAs4Path(value: Uint8Array, draft: Draft): number {
  const path = readAsPath(value, 4);
  if (path === undefined || path.flat().includes(0)) return UPDATE_ERROR.MALFORMED_AS_PATH;
  draft.as4Path = path;
  return OK;
}

/** RFC 4271 section 6.3: a host address; 0/8, multicast and class E are none. */
function readNextHop(value: Uint8Array, draft: Draft): number {
  if (value.length !== 4) return UPDATE_ERROR.ATTRIBUTE_LENGTH;
  const first = byteAt(value, 0);
  if (first === 0 || first >= 224) return UPDATE_ERROR.INVALID_NEXT_HOP;
  draft.nextHop = readAddress(value, 0);
  return OK;
}

function readMed(value: Uint8Array, draft: Draft): number {
  if (value.length !== 4) return UPDATE_ERROR.ATTRIBUTE_LENGTH;
  draft.med = readUint32(value, 0);
  return OK;
}

function readLocalPref(value: Uint8Array, draft: Draft): number {
  if (value.length !== 4) return UPDATE_ERROR.ATTRIBUTE_LENGTH;
  draft.localPref = readUint32(value, 0);
  return OK;
}

function readAtomicAggregate(value: Uint8Array, draft: Draft): number {
  if (value.length !== 0) return UPDATE_ERROR.ATTRIBUTE_LENGTH;
  draft.atomicAggregate = true;
  return OK;
}

function readAggregator(value: Uint8Array, draft: Draft, options: ReadOptions): number {
  const aggregator = aggregatorOf(value, options.as4 ? 4 : 2);
  // RFC 7607 section 2: AS 0 in AGGREGATOR is malformed.
  if (aggregator === undefined || aggregator.asn === 0) return UPDATE_ERROR.ATTRIBUTE_LENGTH;
  draft.aggregator = aggregator;
  return OK;
}

function readAs4Aggregator(value: Uint8Array, draft: Draft): number {
  const aggregator = aggregatorOf(value, 4);
  if (aggregator === undefined || aggregator.asn === 0) return UPDATE_ERROR.ATTRIBUTE_LENGTH;
  draft.as4Aggregator = aggregator;
  return OK;
}

function readCommunities(value: Uint8Array, draft: Draft): number {
  draft.communities = communitiesOf(value);
  return OK;
}

function readLargeCommunities(value: Uint8Array, draft: Draft): number {
  draft.largeCommunities = largeCommunitiesOf(value);
  return OK;
}

function carryFourOctets(value: Uint8Array): number {
  return value.length === 4 ? OK : UPDATE_ERROR.ATTRIBUTE_LENGTH;
}

interface Progress {
  readonly draft: Draft;
  readonly seen: Set<number>;
  readonly discarded: number[];
  treatment: Treatment;
  error: ProtocolError | undefined;
}

const STRENGTH: Readonly<Record<Treatment, number>> = { none: 0, discard: 1, withdraw: 2, reset: 3 };

/** RFC 7606 section 3 (h): of several errors the strongest treatment is used. */
function note(progress: Progress, treatment: Treatment, subcode: number, data?: Uint8Array): void {
  if (STRENGTH[treatment] <= STRENGTH[progress.treatment]) return;
  progress.treatment = treatment;
  progress.error = protocolError(ERROR_CODE.UPDATE, subcode, data);
}

/** Reads bytes[start, end), the Path Attributes field of an UPDATE. */
export function readAttributes(bytes: Uint8Array, start: number, end: number, options: ReadOptions): AttributesRead {
  const progress: Progress = { draft: {}, seen: new Set(), discarded: [], treatment: 'none', error: undefined };
  let at = start;
  while (at < end && progress.treatment !== 'reset') {
    const headerBytes = (byteAt(bytes, at) & FLAG.EXTENDED_LENGTH) === 0 ? 3 : 4;
    // RFC 7606 section 4: a field that overruns makes the route unusable; the NLRI behind it can still be found.
    if (at + headerBytes > end) {
      note(progress, 'withdraw', UPDATE_ERROR.ATTRIBUTE_LENGTH);
      break;
    }
    const length = headerBytes === 3 ? byteAt(bytes, at + 2) : readUint16(bytes, at + 2);
    const next = at + headerBytes + length;
    if (next > end) {
      note(progress, 'withdraw', UPDATE_ERROR.ATTRIBUTE_LENGTH, bytes.slice(at, end));
      break;
    }
    readAttribute(bytes.subarray(at, next), headerBytes, progress, options);
    at = next;
  }
  return finish(progress, options);
}

/** One attribute, header included: `whole` is also the data that an error carries (RFC 4271 section 6.3). */
function readAttribute(whole: Uint8Array, headerBytes: number, progress: Progress, options: ReadOptions): void {
  const flags = byteAt(whole, 0);
  const code = byteAt(whole, 1);
  const rule = RULES[code];
  if (progress.seen.has(code)) {
    noteDuplicate(code, progress);
    return;
  }
  progress.seen.add(code);
  if (rule === undefined) readUnknown(flags, code, whole, headerBytes, progress);
  // RFC 7606 section 3 (c): the Optional and Transitive bits must fit the attribute.
  else if ((flags & FLAGS_CHECKED) !== rule.flags)
    note(progress, 'withdraw', UPDATE_ERROR.ATTRIBUTE_FLAGS, whole.slice());
  else if (rule.isDropped?.(options) === true) discard(code, progress);
  else readKnown(rule, whole, headerBytes, progress, options);
}

/** RFC 7606 section 3 (g): only the first counts, except that a second MP_REACH or MP_UNREACH ends the session. */
function noteDuplicate(code: number, progress: Progress): void {
  const isFatal = code === ATTRIBUTE.MP_REACH_NLRI || code === ATTRIBUTE.MP_UNREACH_NLRI;
  if (isFatal) note(progress, 'reset', UPDATE_ERROR.MALFORMED_ATTRIBUTE_LIST);
}

/** RFC 4271 section 6.3: an unknown attribute must be optional. */
function readUnknown(flags: number, code: number, whole: Uint8Array, headerBytes: number, progress: Progress): void {
  if ((flags & FLAG.OPTIONAL) === 0) note(progress, 'reset', UPDATE_ERROR.UNRECOGNIZED_WELL_KNOWN, whole.slice());
  else carry(flags, code, whole.subarray(headerBytes), progress.draft);
}

function readKnown(rule: Rule, whole: Uint8Array, headerBytes: number, progress: Progress, options: ReadOptions): void {
  const code = byteAt(whole, 1);
  const subcode = readValue(rule, byteAt(whole, 0), code, whole.subarray(headerBytes), progress.draft, options);
  if (subcode === OK) return;
  if (rule.onError === 'discard') discard(code, progress);
  else note(progress, 'withdraw', subcode, whole.slice());
}

function readValue(
  rule: Rule,
  flags: number,
  code: number,
  value: Uint8Array,
  draft: Draft,
  options: ReadOptions,
): number {
  const { lengthMultiple } = rule;
  if (lengthMultiple !== undefined && (value.length === 0 || value.length % lengthMultiple !== 0)) {
    return UPDATE_ERROR.ATTRIBUTE_LENGTH;
  }
  const subcode = rule.read?.(value, draft, options) ?? OK;
  if (subcode === OK && (rule.read === undefined || rule.read === carryFourOctets)) carry(flags, code, value, draft);
  return subcode;
}

function carry(flags: number, code: number, value: Uint8Array, draft: Draft): void {
  draft.otherAttributes ??= [];
  draft.otherAttributes.push({ flags: flags & ~FLAG.EXTENDED_LENGTH, code, value: value.slice() });
}

function discard(code: number, progress: Progress): void {
  progress.discarded.push(code);
  note(progress, 'discard', UPDATE_ERROR.OPTIONAL_ATTRIBUTE);
}

function finish(progress: Progress, options: ReadOptions): AttributesRead {
  const { as4Path, as4Aggregator, ...attributes } = progress.draft;
  const merged = options.as4 ? attributes : mergeAs4(attributes, as4Path, as4Aggregator);
  const { discarded, treatment, error, seen } = progress;
  return { attributes: merged, discarded, treatment, error, seen };
}

/** RFC 6793 section 4.2.3: what 2-octet speakers on the way could not say, unless one of them aggregated since. */
function mergeAs4(
  attributes: PathAttributes,
  as4Path: AsPath | undefined,
  as4Aggregator: Aggregator | undefined,
): PathAttributes {
  const { asPath, aggregator } = attributes;
  if (aggregator !== undefined && as4Aggregator !== undefined && aggregator.asn !== AS_TRANS) return attributes;
  return {
    ...attributes,
    ...(asPath !== undefined && as4Path !== undefined ? { asPath: mergeAsPaths(asPath, as4Path) } : {}),
    ...(aggregator !== undefined && as4Aggregator !== undefined ? { aggregator: as4Aggregator } : {}),
  };
}
