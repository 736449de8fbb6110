// One test per section of the RFCs whose messages this speaker reads and writes. The state machine's are in fsm.test.ts,
// RFC 7606's in rfc7606.test.ts.
import { describe, expect, test } from '@jest/globals';
import { decodeMessage } from '../../../nva-agent/bgp/codec.ts';
import { resolveCollision } from '../../../nva-agent/bgp/collision.ts';
import { frameAt, receive } from '../../../nva-agent/bgp/frame.ts';
import type { OpenMessage } from '../../../nva-agent/bgp/messages.ts';
import { negotiate, openOf } from '../../../nva-agent/bgp/negotiation.ts';
import { cease, SHUTDOWN_TEXT_BYTES_MAX, shutdownText } from '../../../nva-agent/bgp/notification.ts';
import { message, open } from '../../support/bgp-bytes.ts';

const read = (bytes: Uint8Array) => decodeMessage(bytes, { as4: true, isExternal: true });
const errorOf = (bytes: Uint8Array) => {
  const decoded = read(bytes);
  if (decoded.ok) throw new Error(`decoded: ${JSON.stringify(decoded.value)}`);
  return { ...decoded.error, data: [...decoded.error.data] };
};
const openError = (subcode: number, data: number[] = []) => ({ code: 2, subcode, data });

describe('RFC 4271 section 4.1 and 6.1, message header', () => {
  const header = (change: (bytes: Uint8Array) => void) => {
    const bytes = message(4, []);
    change(bytes);
    const frame = frameAt(bytes, 0);
    return frame.type === 'error' ? { ...frame.error, data: [...frame.error.data] } : frame;
  };
  test('a marker that is not all ones: Connection Not Synchronized', () => {
    for (let at = 0; at < 16; at += 1) {
      expect(header((bytes) => bytes.fill(0xfe, at, at + 1))).toEqual({ code: 1, subcode: 1, data: [] });
    }
  });
  test.each([
    [0, 18],
    [0x10, 0x01],
    [0, 0],
    [0xff, 0xff],
  ])('length %i %i: Bad Message Length with the field', (high, low) => {
    expect(header((bytes) => bytes.set([high, low], 16))).toEqual({ code: 1, subcode: 2, data: [high, low] });
  });
  test.each([
    ['OPEN', 1, 28],
    ['UPDATE', 2, 22],
    ['NOTIFICATION', 3, 20],
    ['KEEPALIVE', 4, 20],
    ['ROUTE-REFRESH', 5, 22],
  ])('%s of type %i and length %i: Bad Message Length', (_name, type, length) => {
    const frame = frameAt(message(type, new Array<number>(length - 19).fill(0)), 0);
    expect(frame).toMatchObject({ type: 'error', error: { code: 1, subcode: 2 } });
  });
  test.each([0, 6, 255])('type %i: Bad Message Type with the octet', (type) => {
    expect(header((bytes) => bytes.set([type], 18))).toEqual({ code: 1, subcode: 3, data: [type] });
  });
  test('the marker is judged before the length, the length before the type', () => {
    const bytes = new Uint8Array(19);
    expect(frameAt(bytes, 0)).toMatchObject({ error: { subcode: 1 } });
    bytes.fill(0xff, 0, 16);
    expect(frameAt(bytes, 0)).toMatchObject({ error: { subcode: 2 } });
  });
  test('4096 octets are a message', () => {
    expect(frameAt(message(2, new Array<number>(4077).fill(0)), 0)).toEqual({ type: 'message', bytes: 4096 });
  });
  test('messages before a broken one are still delivered', () => {
    const received = receive(new Uint8Array(0), Uint8Array.of(...message(4, []), ...new Uint8Array(19)));
    expect(received.messages).toHaveLength(1);
    expect(received.error).toMatchObject({ code: 1, subcode: 1 });
  });
});

describe('RFC 4271 section 6.2, OPEN', () => {
  test('version 3: Unsupported Version Number, with the version we speak', () => {
    expect(errorOf(open({ version: 3 }))).toEqual(openError(1, [0, 4]));
  });
  test.each([1, 2])('hold time %i: Unacceptable Hold Time', (holdSeconds) => {
    expect(errorOf(open({ holdSeconds }))).toEqual(openError(6));
  });
  test.each([0, 3, 65535])('hold time %i is acceptable', (holdSeconds) => {
    expect(read(open({ holdSeconds }))).toMatchObject({ ok: true, value: { holdSeconds } });
  });
  test('router id 0.0.0.0: Bad BGP Identifier', () => {
    expect(errorOf(open({ routerId: [0, 0, 0, 0] }))).toEqual(openError(3));
  });
  test('an authentication or unknown parameter: Unsupported Optional Parameter', () => {
    expect(errorOf(open({ parameters: [1, 1, 0] }))).toEqual(openError(4));
    expect(errorOf(open({ parameters: [200, 0] }))).toEqual(openError(4));
  });
  test.each<[string, number[], number | undefined]>([
    ['fewer parameters than announced', [], 4],
    ['more parameters than announced', [2, 0], 0],
    ['a parameter header cut short', [2], undefined],
    ['a parameter that overruns', [2, 9, 2, 0], undefined],
    ['a capability header cut short', [2, 1, 2], undefined],
    ['a capability that overruns', [2, 3, 2, 4, 0], undefined],
  ])('%s: Unspecific', (_name, parameters, parametersLength) => {
    const parts = parametersLength === undefined ? { parameters } : { parameters, parametersLength };
    expect(errorOf(open(parts))).toEqual(openError(0));
  });
  const local = { localAsn: 65001, routerId: '10.0.0.1', holdSeconds: 30 };
  const peerOpen = (parts: Partial<OpenMessage> = {}): OpenMessage => ({
    type: 'open',
    version: 4,
    asn: 65515,
    holdSeconds: 180,
    routerId: '10.0.0.5',
    capabilities: [],
    ...parts,
  });
  test('an AS that is not the configured one: Bad Peer AS', () => {
    expect(negotiate(local, 65002, peerOpen())).toMatchObject({ ok: false, error: { code: 2, subcode: 2 } });
  });
  test('AS 0: Bad Peer AS (RFC 7607)', () => {
    expect(errorOf(open({ asn: 0 }))).toEqual(openError(2));
  });
  test('our own identifier within our own AS: Bad BGP Identifier (RFC 6286)', () => {
    const own = peerOpen({ asn: 65001, routerId: '10.0.0.1' });
    expect(negotiate(local, 65001, own)).toMatchObject({ ok: false, error: { code: 2, subcode: 3 } });
    expect(negotiate(local, 65515, peerOpen({ routerId: '10.0.0.1' }))).toMatchObject({ ok: true });
  });
  test.each([
    [180, 30],
    [9, 9],
    [0, 0],
  ])('section 4.2: of our 30 s and their %i s, %i s hold', (holdSeconds, negotiated) => {
    expect(negotiate(local, 65515, peerOpen({ holdSeconds }))).toMatchObject({ value: { holdSeconds: negotiated } });
  });
  test('section 4.4: keepalives at a third of the hold time', () => {
    expect(negotiate(local, 65515, peerOpen())).toMatchObject({ value: { keepaliveSeconds: 10 } });
  });
});

describe('RFC 5492, capabilities', () => {
  test('section 3: unknown capabilities are no error', () => {
    const decoded = read(open({ parameters: [2, 4, 200, 2, 1, 2] }));
    expect(decoded).toMatchObject({ ok: true, value: { capabilities: [{ code: 200, value: '0102' }] } });
  });
  test('section 4: several capabilities in one parameter, or one in each, are the same', () => {
    const one = read(open({ parameters: [2, 4, 2, 0, 70, 0] }));
    expect(read(open({ parameters: [2, 2, 2, 0, 2, 2, 70, 0] }))).toEqual(one);
    expect(one).toMatchObject({ value: { capabilities: [{ code: 2 }, { code: 70 }] } });
  });
  test('a known capability of the wrong length: Unspecific', () => {
    expect(errorOf(open({ parameters: [2, 4, 65, 2, 0, 1] }))).toEqual(openError(0));
    expect(errorOf(open({ parameters: [2, 3, 1, 1, 0] }))).toEqual(openError(0));
  });
  test('graceful restart is never offered', () => {
    const codes = openOf({ localAsn: 65001, routerId: '10.0.0.1', holdSeconds: 30 }).capabilities.map(
      ({ code }) => code,
    );
    expect(codes).toEqual([1, 2, 65, 70]);
  });
});

describe('RFC 6793, 4-octet ASNs', () => {
  const local = { localAsn: 65001, routerId: '10.0.0.1', holdSeconds: 30 };
  const decodedOpen = (bytes: Uint8Array): OpenMessage => {
    const decoded = read(bytes);
    if (!decoded.ok || decoded.value.type !== 'open') throw new Error('no OPEN');
    return decoded.value;
  };
  test('section 3: AS_TRANS in the field stands for the ASN of the capability', () => {
    const peer = decodedOpen(open({ asn: 23456, parameters: [2, 6, 65, 4, 0xfa, 0x56, 0xea, 0] }));
    expect(negotiate(local, 4200000000, peer)).toMatchObject({ ok: true, value: { as4: true } });
  });
  test('a capability that contradicts the field: Bad Peer AS', () => {
    const peer = decodedOpen(open({ asn: 65515, parameters: [2, 6, 65, 4, 0, 0, 0xff, 0xee] }));
    expect(negotiate(local, 65515, peer)).toMatchObject({ ok: false, error: { subcode: 2 } });
  });
  test('without the capability the session has 2-octet paths', () => {
    expect(negotiate(local, 65515, decodedOpen(open({ asn: 65515 })))).toMatchObject({ value: { as4: false } });
  });
});

describe('RFC 9072, extended optional parameters', () => {
  const extended = (parameters: number[], length = parameters.length) =>
    open({ parameters: [255, length >> 8, length & 0xff, ...parameters], parametersLength: 255 });
  test('section 2: 2-octet lengths behind a type of 255', () => {
    expect(read(extended([2, 0, 2, 70, 0]))).toMatchObject({ ok: true, value: { capabilities: [{ code: 70 }] } });
  });
  test('section 2: the non-extended length may be anything but zero', () => {
    const bytes = open({ parameters: [255, 0, 5, 2, 0, 2, 2, 0], parametersLength: 1 });
    expect(read(bytes)).toMatchObject({ ok: true, value: { capabilities: [{ code: 2 }] } });
  });
  test.each<[string, Uint8Array]>([
    ['a total that is too long', extended([2, 0, 2, 2, 0], 6)],
    ['a total that is too short', extended([2, 0, 2, 2, 0], 4)],
    ['a total cut short', open({ parameters: [255, 0], parametersLength: 255 })],
  ])('%s: Unspecific', (_name, bytes) => {
    expect(errorOf(bytes)).toEqual(openError(0));
  });
});

describe('RFC 2918 and RFC 7313, route refresh', () => {
  test('RFC 2918 section 3: AFI and SAFI', () => {
    expect(read(message(5, [0, 2, 0, 1]))).toEqual({
      ok: true,
      value: { type: 'route-refresh', afi: 2, safi: 1, subtype: 0 },
    });
  });
  test.each([1, 2])(
    'RFC 7313 section 5: subtype %i of a wrong length: Invalid Message Length with the message',
    (subtype) => {
      const bytes = message(5, [0, 1, subtype, 1, 9]);
      expect(errorOf(bytes)).toEqual({ code: 7, subcode: 1, data: [...bytes] });
    },
  );
  test('a request of a wrong length: Bad Message Length', () => {
    expect(errorOf(message(5, [0, 1, 0, 1, 9]))).toEqual({ code: 1, subcode: 2, data: [0, 24] });
  });
});

describe('RFC 4486, 8203 and 9003, Cease', () => {
  test('section 2: the text travels with its length', () => {
    expect([...cease(2, 'bye').data]).toEqual([3, 0x62, 0x79, 0x65]);
    expect(shutdownText(cease(2, 'Wartung über Nacht ✓'))).toBe('Wartung über Nacht ✓');
    expect(shutdownText(cease(4, 'reset'))).toBe('reset');
  });
  test('only shutdown and reset carry a text', () => {
    expect(cease(3, 'ignored').data).toHaveLength(0);
    expect(shutdownText({ code: 6, subcode: 3, data: Uint8Array.of(1, 0x61) })).toBeUndefined();
  });
  test('a long text is cut between characters, at 128 octets as RFC 8203 allows', () => {
    const { data } = cease(2, `x${'ü'.repeat(100)}`);
    expect(data).toHaveLength(SHUTDOWN_TEXT_BYTES_MAX);
    expect(shutdownText({ code: 6, subcode: 2, data })).toBe(`x${'ü'.repeat(63)}`);
  });
  test('a lone surrogate becomes the replacement character', () => {
    expect(shutdownText(cease(2, 'a\ud800b'))).toBe('a\ufffdb');
  });
  test.each<[string, number[]]>([
    ['nothing', []],
    ['length zero', [0]],
    ['a length that overruns', [9, 0x61]],
    ['no UTF-8', [1, 0xff]],
  ])('%s gives no text', (_name, data) => {
    expect(shutdownText({ code: 6, subcode: 2, data: Uint8Array.from(data) })).toBeUndefined();
  });
  test('control characters of a peer do not reach a log', () => {
    expect(shutdownText({ code: 6, subcode: 2, data: Uint8Array.of(3, 0x61, 0x0a, 0x1b) })).toBe('a  ');
  });
});

describe('RFC 4271 section 6.8, connection collision', () => {
  const collision = { localAsn: 65001, peerAsn: 65515, isExistingEstablished: false };
  test.each([
    ['peer higher, new from peer', 1, 2, true, 'close-existing'],
    ['peer higher, new is ours', 1, 2, false, 'close-new'],
    ['peer lower, new from peer', 2, 1, true, 'close-new'],
    ['peer lower, new is ours', 2, 1, false, 'close-existing'],
    ['equal identifiers, peer AS higher, new from peer (RFC 6286)', 1, 1, true, 'close-existing'],
    ['identifiers above 2^31 are unsigned', 0x7fffffff, 0x80000000, true, 'close-existing'],
  ])('%s', (_name, localId, peerId, isNewFromPeer, verdict) => {
    expect(resolveCollision({ ...collision, localId, peerId, isNewFromPeer })).toBe(verdict);
  });
  test.each([true, false])('an established session stays, new from peer: %s', (isNewFromPeer) => {
    const established = { ...collision, isExistingEstablished: true, localId: 1, peerId: 2, isNewFromPeer };
    expect(resolveCollision(established)).toBe('close-new');
  });
  test('both ends keep the same connection, whatever the identifiers', () => {
    for (const [a, b] of [
      [1, 2],
      [2, 1],
      [5, 5],
    ] as const) {
      // A opened the first connection; B's arrives second at A, while A's arrives second at B.
      const atA = resolveCollision({
        localId: a,
        peerId: b,
        localAsn: 1,
        peerAsn: 2,
        isExistingEstablished: false,
        isNewFromPeer: true,
      });
      const atB = resolveCollision({
        localId: b,
        peerId: a,
        localAsn: 2,
        peerAsn: 1,
        isExistingEstablished: false,
        isNewFromPeer: true,
      });
      expect(atA === 'close-existing' ? 'of B' : 'of A').toBe(atB === 'close-existing' ? 'of A' : 'of B');
    }
  });
});
