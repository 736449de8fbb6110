// Which test proves which section of an RFC: every RFC the speaker's source names has a row, every row names a test.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const SOURCE = 'nva-agent/bgp';
const FILES = {
  rfc: 'test/nva-agent/bgp/rfc.test.ts',
  rfc7606: 'test/nva-agent/bgp/rfc7606.test.ts',
  fsm: 'test/nva-agent/bgp/fsm.test.ts',
  session: 'test/nva-agent/bgp/session.test.ts',
  faults: 'test/nva-agent/bgp/session-faults.test.ts',
  codec: 'test/nva-agent/bgp/codec.test.ts',
  rib: 'test/nva-agent/bgp/rib-out.test.ts',
  vectors: 'test/vectors/bgp/messages.ts',
} as const;

/** RFC, section, file, and the name of a test, a group, a row of a table or a vector, as it is written there. */
const PROOFS: readonly (readonly [number, string, keyof typeof FILES, string])[] = [
  [1997, 'COMMUNITIES are written', 'vectors', 'UPDATE: every attribute that is read'],
  [1997, 'a community that is none is refused', 'rib', 'a bad community'],
  [2918, '3', 'rfc', 'RFC 2918 section 3: AFI and SAFI'],
  [2918, '4', 'session', 'a refresh of another family is answered with nothing'],
  [4271, '4.1, 6.1', 'rfc', 'RFC 4271 section 4.1 and 6.1, message header'],
  [4271, '4.2', 'fsm', 'section 4.2: the negotiated hold time, keepalives at a third of it'],
  [4271, '4.3', 'codec', 'a path longer than one segment holds is split (RFC 4271 section 4.3)'],
  [4271, '4.4', 'rfc', 'section 4.4: keepalives at a third of the hold time'],
  [4271, '6.2', 'rfc', 'RFC 4271 section 6.2, OPEN'],
  [4271, '6.3', 'rfc7606', 'NEXT_HOP multicast (RFC 4271 section 6.3)'],
  [
    4271,
    '6.3',
    'rfc7606',
    'RFC 4271 section 6.3: an unknown attribute that claims to be well-known: reset, with the attribute',
  ],
  [4271, '6.5', 'session', 'the hold timer expires on a silent peer: NOTIFICATION 4/0, the connection reset'],
  [4271, '6.6', 'faults', 'an UPDATE before KEEPALIVE is an FSM error'],
  [4271, '6.7', 'session', 'stop sends Cease with its text, which the peer reads'],
  [4271, '6.8', 'rfc', 'RFC 4271 section 6.8, connection collision'],
  [4271, '8.2.2', 'fsm', 'RFC 4271 section 8.2.2, every state and event'],
  [4271, '9.2', 'rib', 'a route no longer wanted is withdrawn, before others are announced'],
  [4271, '10', 'fsm', 'section 10: jitter shortens by up to a quarter, and never the hold time'],
  [4486, '3', 'rfc', 'RFC 4486, 8203 and 9003, Cease'],
  [
    4486,
    '4',
    'faults',
    'the connection of the speaker with the lower identifier is closed with Connection Collision Resolution',
  ],
  [4724, '2', 'rfc7606', 'RFC 4724 section 2: End-of-RIB is an UPDATE with nothing in it'],
  [4724, 'not offered', 'rfc', 'graceful restart is never offered'],
  [4760, '3', 'vectors', 'UPDATE: IPv4 unicast in MP_REACH_NLRI (RFC 4760)'],
  [5492, '3', 'rfc', 'section 3: unknown capabilities are no error'],
  [5492, '4', 'rfc', 'section 4: several capabilities in one parameter, or one in each, are the same'],
  [6286, '2.2', 'rfc', 'our own identifier within our own AS: Bad BGP Identifier (RFC 6286)'],
  [6608, '3', 'faults', 'an UPDATE before KEEPALIVE is an FSM error'],
  [6793, '3', 'rfc', 'section 3: AS_TRANS in the field stands for the ASN of the capability'],
  [6793, '4.1', 'rfc7606', 'section 4.1: between 4-octet speakers AS4_PATH and AS4_AGGREGATOR are discarded'],
  [6793, '4.2.2', 'vectors', 'UPDATE: a 4-octet AS on a 2-octet session (RFC 6793 section 4.2.2)'],
  [6793, '4.2.3', 'rfc7606', 'section 4.2.3: AS4_PATH replaces the end of AS_PATH'],
  [7313, '3', 'session', 'a refresh re-sends everything between begin and end marks (RFC 7313)'],
  [7313, '5', 'faults', 'a ROUTE-REFRESH mark of a wrong length'],
  [7606, '2', 'rfc7606', 'section 2, the effect on routes learned before: treated as withdrawn, or as they stand'],
  [7606, '3', 'rfc7606', 'section 3, what changes'],
  [7606, '4', 'rfc7606', 'section 4, attribute lengths'],
  [7606, '5', 'rfc7606', 'section 5, NLRI'],
  [7606, '7', 'rfc7606', 'section 7, each attribute'],
  [7607, '2', 'rfc', 'AS 0: Bad Peer AS (RFC 7607)'],
  [7607, '2', 'rfc7606', '7.2 AS_PATH with AS 0 (RFC 7607)'],
  [8092, '5', 'rfc7606', 'large communities of length 8 (RFC 8092 section 5)'],
  [8092, 'a large community that is none is refused', 'rib', 'a bad large community'],
  [8203, '2', 'rfc', 'a long text is cut between characters, at 128 octets as RFC 8203 allows'],
  [8654, 'not offered', 'rfc', '4096 octets are a message'],
  [9003, '2', 'rfc', 'section 2: the text travels with its length'],
  [9003, '2', 'vectors', 'NOTIFICATION: administrative shutdown with text (RFC 9003)'],
  [9072, '2', 'rfc', 'section 2: 2-octet lengths behind a type of 255'],
  [
    9072,
    'written when needed',
    'codec',
    'more than 255 octets of capabilities take the extended form (RFC 9072) and come back',
  ],
  [
    9687,
    'the send hold timer',
    'fsm',
    'RFC 9687: the send hold timer runs while something is queued, at least eight minutes',
  ],
];

const texts = new Map(Object.entries(FILES).map(([key, file]) => [key, readFileSync(file, 'utf8')]));
/** Written as the first argument of a test or group, as the first cell of a row, or as the name of a vector. */
const isThere = (file: string, name: string): boolean =>
  ["('", "['", "name: '"].some((before) => texts.get(file)?.includes(`${before}${name}'`));

test.each(PROOFS)('RFC %i, %s: %s', (_rfc, _section, file, name) => {
  expect({ name, isThere: isThere(file, name) }).toEqual({ name, isThere: true });
});

test('a test that is not there, or only begins like that, is noticed', () => {
  expect(isThere('fsm', 'RFC 4271 section 8.2.2, every state')).toBe(false);
  expect(isThere('rfc', 'a bad community')).toBe(false);
});

test('every RFC that the source of the speaker names is proved, and no test named here is skipped', () => {
  const source = readdirSync(SOURCE).map((file) => readFileSync(join(SOURCE, file), 'utf8'));
  const named = source.flatMap((text) => [...text.matchAll(/RFC (\d{4})/g)].map(([, rfc]) => Number(rfc)));
  const proved = new Set(PROOFS.map(([rfc]) => rfc));
  expect(new Set(named).size).toBeGreaterThan(15);
  expect([...new Set(named)].filter((rfc) => !proved.has(rfc))).toEqual([]);
  for (const text of texts.values()) expect(text).not.toMatch(/\b(test|describe)\.(skip|failing|todo)/);
});
