// Signed orders: what verifies, and each way a document is refused before an agent looks at its own state.
import { beforeAll, describe, expect, test } from '@jest/globals';
import { CompactSign, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import { ORDER_BYTES_MAX, ORDER_JWS_TYPE, type Order } from '../../shared/order.ts';
import {
  type OrderSigningKey,
  type OrderVerificationKey,
  signOrder,
  verifyOrder,
} from '../../shared/order-signature.ts';
import { compareSequence } from '../../shared/vocabulary.ts';

const order: Order = {
  v: 1,
  to: 'we-nva-1',
  group: 'default',
  epoch: 7,
  generation: 412,
  issuedAtMs: 1_795_000_000_000,
  notAfterMs: 1_795_000_060_000,
  vips: [
    {
      vip: 'orders',
      prefix: '192.0.2.10/32',
      state: 'announced',
      rung: 4,
      prepend: 12,
      prependAsn: 64500,
      communities: ['65001:100'],
      med: null,
      onLocalFailure: 'last-resort',
      lastResortPrepend: 18,
      decision: 'd-1',
    },
  ],
};

let signing: OrderSigningKey;
let pinned: OrderVerificationKey;
let other: OrderSigningKey;

async function newKey(kid: string): Promise<{ signing: OrderSigningKey; pinned: OrderVerificationKey }> {
  const pair = await generateKeyPair('ES256', { extractable: true });
  const privateJwk: JWK = await exportJWK(pair.privateKey);
  return { signing: { kid, privateJwk }, pinned: { kid, jwk: await exportJWK(pair.publicKey) } };
}

async function signAs(payload: string, header: { alg: string; kid?: string; typ?: string }): Promise<string> {
  const key = await importJWK({ ...signing.privateJwk, alg: 'ES256' }, 'ES256');
  return new CompactSign(new TextEncoder().encode(payload)).setProtectedHeader(header).sign(key);
}

beforeAll(async () => {
  ({ signing, pinned } = await newKey('we-1'));
  ({ signing: other } = await newKey('we-1'));
});

test('an order signed by a pinned key verifies to itself', async () => {
  expect(await verifyOrder(await signOrder(order, signing), [pinned])).toEqual({ ok: true, value: order });
});

describe('refused as', () => {
  const refusalOf = async (jws: string, keys: readonly OrderVerificationKey[] = [pinned]) => {
    const result = await verifyOrder(jws, keys);
    return result.ok ? 'accepted' : result.error.refusal;
  };
  const header = () => ({ alg: 'ES256', kid: 'we-1', typ: ORDER_JWS_TYPE });

  test('unknown-key: a kid that is not pinned', async () => {
    expect(await refusalOf(await signOrder(order, signing), [{ ...pinned, kid: 'we-2' }])).toBe('unknown-key');
  });
  test('bad-signature: the right kid on another key', async () => {
    expect(await refusalOf(await signOrder(order, other))).toBe('bad-signature');
  });
  test('bad-signature: one bit of the payload changed', async () => {
    const [head, body = '', signature] = (await signOrder(order, signing)).split('.');
    const changed = body.startsWith('A') ? `B${body.slice(1)}` : `A${body.slice(1)}`;
    expect(await refusalOf([head, changed, signature].join('.'))).toBe('bad-signature');
  });
  test('malformed: not a JWS, no kid, another type, not JSON, an order with a row too many', async () => {
    expect(await refusalOf('hello')).toBe('malformed');
    expect(await refusalOf(await signAs('{}', { alg: 'ES256' }))).toBe('malformed');
    expect(await refusalOf(await signAs(JSON.stringify(order), { ...header(), typ: 'JWT' }))).toBe('malformed');
    expect(await refusalOf(await signAs('not json', header()))).toBe('malformed');
    expect(await refusalOf(await signAs(JSON.stringify({ ...order, extra: 1 }), header()))).toBe('malformed');
    expect(await refusalOf(await signAs(JSON.stringify({ ...order, epoch: -1 }), header()))).toBe('malformed');
  });
  test('too-large: above the limit, before any parsing', async () => {
    expect(await refusalOf('x'.repeat(ORDER_BYTES_MAX + 1))).toBe('too-large');
  });
  test('bad-signature: algorithm "none"', async () => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    expect(await refusalOf(`${part({ alg: 'none', kid: 'we-1', typ: ORDER_JWS_TYPE })}.${part(order)}.`)).toBe(
      'bad-signature',
    );
  });
});

test('the epoch outweighs the generation', () => {
  expect(compareSequence({ epoch: 2, generation: 1 }, { epoch: 1, generation: 99 })).toBeGreaterThan(0);
  expect(compareSequence({ epoch: 2, generation: 1 }, { epoch: 2, generation: 2 })).toBeLessThan(0);
  expect(compareSequence({ epoch: 2, generation: 1 }, { epoch: 2, generation: 1 })).toBe(0);
});
