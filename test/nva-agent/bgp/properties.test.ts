// Properties: what is written is read back, any bytes are answered by a value, chunks do not matter, a diff applied is done.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toHex } from '../../../nva-agent/bgp/bytes.ts';
import { decodeMessage, encodeMessage } from '../../../nva-agent/bgp/codec.ts';
import { decodeLine } from '../../../nva-agent/bgp/decode.ts';
import { receive } from '../../../nva-agent/bgp/frame.ts';
import type { Message, Route } from '../../../nva-agent/bgp/messages.ts';
import { planUpdates } from '../../../nva-agent/bgp/rib-out.ts';

const octet = fc.integer({ min: 0, max: 255 });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const asn = fc.integer({ min: 1, max: 0xffffffff });
/** A host address that NEXT_HOP accepts. */
const address = fc.tuple(fc.integer({ min: 1, max: 223 }), octet, octet, octet).map((octets) => octets.join('.'));
const prefix = fc.tuple(uint32, fc.integer({ min: 0, max: 32 })).map(([bits, length]) => {
  const masked = length === 0 ? 0 : (bits & (-1 << (32 - length))) >>> 0;
  return `${[24, 16, 8, 0].map((shift) => (masked >>> shift) & 255).join('.')}/${length}`;
});
const community = fc
  .tuple(fc.integer({ min: 0, max: 65535 }), fc.integer({ min: 0, max: 65535 }))
  .map((two) => two.join(':'));
const largeCommunity = fc.tuple(uint32, uint32, uint32).map((three) => three.join(':'));
const asPath = fc.array(fc.oneof({ weight: 4, arbitrary: asn }, fc.array(asn, { minLength: 1, maxLength: 5 })), {
  maxLength: 20,
});

const update: fc.Arbitrary<Message> = fc
  .record(
    {
      withdrawn: fc.array(prefix, { maxLength: 20 }),
      announced: fc.array(prefix, { minLength: 1, maxLength: 20 }),
      origin: fc.constantFrom('igp', 'egp', 'incomplete'),
      asPath,
      nextHop: address,
      med: uint32,
      localPref: uint32,
      atomicAggregate: fc.constant(true as const),
      aggregator: fc.record({ asn, address }),
      communities: fc.array(community, { minLength: 1, maxLength: 30 }),
      largeCommunities: fc.array(largeCommunity, { minLength: 1, maxLength: 10 }),
      otherAttributes: fc.array(
        fc.record({ flags: fc.constant(0xc0), code: fc.constantFrom(200), value: fc.uint8Array({ maxLength: 300 }) }),
        { minLength: 1, maxLength: 1 },
      ),
    },
    { requiredKeys: ['withdrawn', 'announced', 'origin', 'asPath', 'nextHop'] },
  )
  .map((parts) => ({ type: 'update', ...parts }) as Message);

const capability = fc.oneof(
  fc.record({ code: fc.constant(1 as const), afi: fc.integer({ min: 0, max: 65535 }), safi: octet }),
  fc.record({ code: fc.constantFrom(2, 70) }),
  fc.record({
    code: fc.integer({ min: 71, max: 255 }),
    value: fc.uint8Array({ minLength: 1, maxLength: 40 }).map(toHex),
  }),
);
const open: fc.Arbitrary<Message> = fc
  .record({
    asn,
    holdSeconds: fc.oneof(fc.constant(0), fc.integer({ min: 3, max: 65535 })),
    routerId: address,
    others: fc.array(capability, { maxLength: 20 }),
  })
  .map(({ others, ...parts }) => ({
    type: 'open',
    version: 4,
    ...parts,
    capabilities: [{ code: 65, asn: parts.asn }, ...others],
  }));

const message = fc.oneof(
  update,
  open,
  fc.constant<Message>({ type: 'keepalive' }),
  fc.record({
    type: fc.constant('route-refresh' as const),
    afi: fc.integer({ min: 0, max: 65535 }),
    safi: octet,
    subtype: octet,
  }),
  fc.record({
    type: fc.constant('notification' as const),
    code: octet,
    subcode: octet,
    data: fc.uint8Array({ maxLength: 200 }),
  }),
);

const read = (bytes: Uint8Array, as4: boolean) => decodeMessage(bytes, { as4, isExternal: false });

describe('codec', () => {
  test('what is written is read back, with 4-octet and with 2-octet AS paths', () => {
    fc.assert(
      fc.property(message, fc.boolean(), (value, as4) => {
        expect(read(encodeMessage(value, { as4 }), as4)).toEqual({ ok: true, value });
      }),
      { numRuns: 2000 },
    );
  });
  test('any bytes are answered by messages or an error, never by an exception', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        (body, type, as4) => {
          const length = 19 + body.length;
          const bytes = Uint8Array.of(...new Array<number>(16).fill(255), length >> 8, length & 255, type, ...body);
          for (const whole of receive(new Uint8Array(0), bytes).messages) {
            const decoded = read(whole, as4);
            if (!decoded.ok) expect(decoded.error.code).toBeGreaterThan(0);
          }
          decodeLine(toHex(bytes), { as2: as4 });
        },
      ),
      { numRuns: 5000 },
    );
  });
  test('a message with octets changed is answered by a value that can be written again, if it is one', () => {
    const change = fc.array(fc.tuple(fc.nat({ max: 4095 }), octet), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(message, change, fc.boolean(), (original, changes, as4) => {
        const bytes = encodeMessage(original, { as4 });
        for (const [at, changed] of changes) if (at >= 19) bytes[19 + (at % Math.max(1, bytes.length - 19))] = changed;
        if (receive(new Uint8Array(0), bytes).messages.length === 0) return;
        const decoded = read(bytes.slice(), as4);
        if (!decoded.ok || decoded.value.type !== 'update' || decoded.value.treatAsWithdraw === true) return;
        const again = encodeMessage(decoded.value, { as4: true });
        const { discardedAttributes: _discarded, otherAttributes, ...kept } = decoded.value;
        // We write attributes in ascending order, whatever the peer did.
        const sorted = otherAttributes?.toSorted((a, b) => a.code - b.code);
        const value = sorted === undefined ? kept : { ...kept, otherAttributes: sorted };
        expect(read(again, true)).toEqual({ ok: true, value });
      }),
      { numRuns: 3000 },
    );
  });
});

test('the framer does not depend on how the stream is cut', () => {
  const stream = fc
    .array(message, { maxLength: 6 })
    .map((messages) => messages.map((each) => encodeMessage(each, { as4: true })));
  fc.assert(
    fc.property(
      stream,
      fc.uint8Array({ maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (messages, tail, sizes) => {
        const bytes = Uint8Array.of(...messages.flatMap((each) => [...each]), ...tail);
        const whole = receive(new Uint8Array(0), bytes);
        const cut: Uint8Array[] = [];
        let rest: Uint8Array = new Uint8Array(0);
        let error: unknown;
        for (let at = 0, index = 0; at < bytes.length && error === undefined; index += 1) {
          const size = sizes[index % sizes.length] as number;
          const received = receive(rest, bytes.slice(at, at + size));
          cut.push(...received.messages);
          rest = received.rest;
          error = received.error;
          at += size;
        }
        expect({ messages: cut, rest, error }).toEqual({ error: undefined, ...whole });
      },
    ),
    { numRuns: 500 },
  );
});

describe('Adj-RIB-Out', () => {
  const attributes = fc.record(
    {
      nextHop: fc.constantFrom('10.1.1.4', '10.1.1.5'),
      prepends: fc.integer({ min: 0, max: 4 }),
      med: fc.constantFrom(0, 7),
    },
    { requiredKeys: ['nextHop', 'prepends'] },
  );
  const table = fc
    .dictionary(
      fc.integer({ min: 0, max: 60 }).map((n) => `192.0.2.${n}/32`),
      attributes,
      { maxKeys: 40 },
    )
    .map(
      (entries) =>
        new Map(
          Object.entries(entries).map(([key, { prepends, ...rest }]): [string, Route] => [
            key,
            { prefix: key, asPath: [65001, ...new Array<number>(prepends).fill(64500)], ...rest },
          ]),
        ),
    );
  test('the peer ends with the desired set, each prefix in one UPDATE at most, the count within the limit', () => {
    fc.assert(
      fc.property(table, table, fc.array(fc.integer({ min: 0, max: 60 })), (sent, desired, refresh) => {
        const peerRouteLimit = Math.max(sent.size, desired.size) + 1;
        const resend = new Set(refresh.map((n) => `192.0.2.${n}/32`));
        const plan = planUpdates({ sent, desired, resend, peerRouteLimit, as4: true });
        const peer = new Map(sent);
        for (const { update: each, routes } of plan) {
          expect(peer.size + each.announced.length).toBeLessThanOrEqual(peerRouteLimit);
          for (const gone of each.withdrawn) peer.delete(gone);
          for (const route of routes) peer.set(route.prefix, route);
        }
        expect(Object.fromEntries(peer)).toEqual(Object.fromEntries(desired));
        const touched = plan.flatMap(({ update: each }) => [...each.withdrawn, ...each.announced]);
        expect(new Set(touched).size).toBe(touched.length);
        expect(planUpdates({ sent: peer, desired, resend: new Set(), peerRouteLimit, as4: true })).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
