// The heartbeat's bytes: there and back, padded to full size, and nonsense refused.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeHeartbeat, encodeHeartbeat, type Heartbeat } from '../../../nva-agent/dataplane/heartbeat.ts';
import { SECOND_CHANCE_VIPS_MAX } from '../../../shared/data-plane-checks.ts';

const SIZE = 1450 - 28;
const address = fc.ipV4();
const heartbeat: fc.Arbitrary<Heartbeat> = fc.record({
  from: address,
  to: address,
  boot: fc.integer({ min: 0, max: 0xffffffff }),
  sentMs: fc.double({ noNaN: true }),
  echoBoot: fc.integer({ min: 0, max: 0xffffffff }),
  echoMs: fc.double({ noNaN: true }),
  vips: fc.array(fc.record({ address, isAsked: fc.boolean(), isActive: fc.boolean() }), {
    maxLength: SECOND_CHANCE_VIPS_MAX,
  }),
});

test('decodes to what was encoded, and is as long as the path must carry', () => {
  fc.assert(
    fc.property(heartbeat, (value) => {
      const bytes = encodeHeartbeat(value, SIZE);
      expect(bytes).toHaveLength(SIZE);
      expect(decodeHeartbeat(bytes, SIZE)).toEqual(value);
    }),
  );
});

test('as many vips as a topology may have fit the smallest tunnel', () => {
  const vips = Array.from({ length: SECOND_CHANCE_VIPS_MAX }, () => ({
    address: '192.0.2.1',
    isAsked: true,
    isActive: true,
  }));
  const value = { from: '10.0.0.1', to: '10.0.0.2', boot: 1, sentMs: 1, echoBoot: 1, echoMs: 1, vips };
  expect(decodeHeartbeat(encodeHeartbeat(value, 1230 - 28), 1230 - 28)).toEqual(value);
  expect(() => encodeHeartbeat({ ...value, vips: [...vips, ...vips] }, 1230 - 28)).toThrow(RangeError);
});

test('bytes of any kind never throw; another size, another magic or a count beyond the end is no heartbeat', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodeHeartbeat(bytes, bytes.length) === undefined),
  );
  const good = encodeHeartbeat(
    { from: '10.0.0.1', to: '10.0.0.2', boot: 1, sentMs: 1, echoBoot: 1, echoMs: 1, vips: [] },
    100,
  );
  expect(decodeHeartbeat(good, 101)).toBeUndefined();
  expect(
    decodeHeartbeat(
      Uint8Array.from(good, (byte, i) => (i === 0 ? 0 : byte)),
      100,
    ),
  ).toBeUndefined();
  expect(
    decodeHeartbeat(
      Uint8Array.from(good, (byte, i) => (i === 37 ? 13 : byte)),
      100,
    ),
  ).toBeUndefined();
  expect(
    decodeHeartbeat(
      Uint8Array.from(good, (byte, i) => (i === 37 ? 12 : byte)),
      100,
    )?.vips,
  ).toHaveLength(12);
});
