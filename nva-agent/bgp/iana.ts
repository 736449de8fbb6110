// Every registry number of BGP that this speaker uses, with its RFC name, and nothing else.
// https://www.iana.org/assignments/bgp-parameters and .../capability-codes

/** Sizes fixed by RFC 4271 section 4.1. Extended messages (RFC 8654) are not offered, so 4096 is the limit both ways. */
export const HEADER_BYTES = 19;
export const MARKER_BYTES = 16;
export const MESSAGE_BYTES_MAX = 4096;

export const BGP_VERSION = 4;
export const BGP_PORT = 179;

/** Stands for any ASN above 65535 in a 2-octet field (RFC 6793). */
export const AS_TRANS = 23456;

export const MESSAGE_TYPE = { OPEN: 1, UPDATE: 2, NOTIFICATION: 3, KEEPALIVE: 4, ROUTE_REFRESH: 5 } as const;

/** OPEN optional parameters: only capabilities (RFC 5492) are in use; 255 marks the extended form (RFC 9072). */
export const PARAMETER = { CAPABILITIES: 2, EXTENDED_LENGTH: 255 } as const;

export const CAPABILITY = {
  MULTIPROTOCOL: 1,
  ROUTE_REFRESH: 2,
  FOUR_OCTET_ASN: 65,
  ENHANCED_ROUTE_REFRESH: 70,
} as const;

export const AFI_IPV4 = 1;
export const SAFI_UNICAST = 1;

/** ROUTE-REFRESH subtypes: a request (RFC 2918), begin and end of the re-sent routes (RFC 7313). */
export const REFRESH = { REQUEST: 0, BEGIN: 1, END: 2 } as const;

export const ATTRIBUTE = {
  ORIGIN: 1,
  AS_PATH: 2,
  NEXT_HOP: 3,
  MULTI_EXIT_DISC: 4,
  LOCAL_PREF: 5,
  ATOMIC_AGGREGATE: 6,
  AGGREGATOR: 7,
  COMMUNITIES: 8,
  ORIGINATOR_ID: 9,
  CLUSTER_LIST: 10,
  MP_REACH_NLRI: 14,
  MP_UNREACH_NLRI: 15,
  EXTENDED_COMMUNITIES: 16,
  AS4_PATH: 17,
  AS4_AGGREGATOR: 18,
  IPV6_EXTENDED_COMMUNITIES: 25,
  LARGE_COMMUNITIES: 32,
} as const;

/** Attribute flags, RFC 4271 section 4.3. */
export const FLAG = { OPTIONAL: 0x80, TRANSITIVE: 0x40, PARTIAL: 0x20, EXTENDED_LENGTH: 0x10 } as const;

export const ORIGINS = ['igp', 'egp', 'incomplete'] as const;

export const AS_SET = 1;
export const AS_SEQUENCE = 2;
/** A segment's length is one octet (RFC 4271 section 4.3). */
export const AS_SEGMENT_MAX = 255;

export const ERROR_CODE = {
  MESSAGE_HEADER: 1,
  OPEN: 2,
  UPDATE: 3,
  HOLD_TIMER_EXPIRED: 4,
  FSM: 5,
  CEASE: 6,
  ROUTE_REFRESH: 7,
  SEND_HOLD_TIMER_EXPIRED: 8,
} as const;

export const HEADER_ERROR = { NOT_SYNCHRONIZED: 1, BAD_LENGTH: 2, BAD_TYPE: 3 } as const;

export const OPEN_ERROR = {
  UNSPECIFIC: 0,
  UNSUPPORTED_VERSION: 1,
  BAD_PEER_AS: 2,
  BAD_BGP_IDENTIFIER: 3,
  UNSUPPORTED_PARAMETER: 4,
  UNACCEPTABLE_HOLD_TIME: 6,
} as const;

export const UPDATE_ERROR = {
  MALFORMED_ATTRIBUTE_LIST: 1,
  UNRECOGNIZED_WELL_KNOWN: 2,
  MISSING_WELL_KNOWN: 3,
  ATTRIBUTE_FLAGS: 4,
  ATTRIBUTE_LENGTH: 5,
  INVALID_ORIGIN: 6,
  INVALID_NEXT_HOP: 8,
  OPTIONAL_ATTRIBUTE: 9,
  INVALID_NETWORK: 10,
  MALFORMED_AS_PATH: 11,
} as const;

/** RFC 6608. */
export const FSM_ERROR = { IN_OPEN_SENT: 1, IN_OPEN_CONFIRM: 2, IN_ESTABLISHED: 3 } as const;

/** RFC 4486. */
export const CEASE = {
  UNSPECIFIC: 0,
  MAXIMUM_PREFIXES: 1,
  ADMINISTRATIVE_SHUTDOWN: 2,
  PEER_DECONFIGURED: 3,
  ADMINISTRATIVE_RESET: 4,
  CONNECTION_REJECTED: 5,
  OTHER_CONFIGURATION_CHANGE: 6,
  CONNECTION_COLLISION: 7,
  OUT_OF_RESOURCES: 8,
} as const;

/** RFC 7313. */
export const ROUTE_REFRESH_ERROR = { INVALID_LENGTH: 1 } as const;

/** Registry names: `names[code][subcode]`; index 0 is the name of the code itself. */
const ERROR_NAMES: Readonly<Record<number, readonly string[]>> = {
  1: ['Message Header Error', 'Connection Not Synchronized', 'Bad Message Length', 'Bad Message Type'],
  2: [
    'OPEN Message Error',
    'Unsupported Version Number',
    'Bad Peer AS',
    'Bad BGP Identifier',
    'Unsupported Optional Parameter',
    'Authentication Failure',
    'Unacceptable Hold Time',
    'Unsupported Capability',
    '',
    '',
    '',
    'Role Mismatch',
  ],
  3: [
    'UPDATE Message Error',
    'Malformed Attribute List',
    'Unrecognized Well-known Attribute',
    'Missing Well-known Attribute',
    'Attribute Flags Error',
    'Attribute Length Error',
    'Invalid ORIGIN Attribute',
    'AS Routing Loop',
    'Invalid NEXT_HOP Attribute',
    'Optional Attribute Error',
    'Invalid Network Field',
    'Malformed AS_PATH',
  ],
  4: ['Hold Timer Expired'],
  5: [
    'Finite State Machine Error',
    'Receive Unexpected Message in OpenSent State',
    'Receive Unexpected Message in OpenConfirm State',
    'Receive Unexpected Message in Established State',
  ],
  6: [
    'Cease',
    'Maximum Number of Prefixes Reached',
    'Administrative Shutdown',
    'Peer De-configured',
    'Administrative Reset',
    'Connection Rejected',
    'Other Configuration Change',
    'Connection Collision Resolution',
    'Out of Resources',
    'Hard Reset',
    'BFD Down',
  ],
  7: ['ROUTE-REFRESH Message Error', 'Invalid Message Length'],
  8: ['Send Hold Timer Expired'],
};

/** The registry's name of a NOTIFICATION's code and subcode; an unassigned subcode gets its code's name. */
export function errorName(code: number, subcode: number): string {
  const names = ERROR_NAMES[code];
  if (names === undefined) return `Unknown Error ${code}`;
  return names[subcode] || (names[0] as string);
}
