// Signs and verifies orders as compact JWS (RFC 7515), ES256, by jose. The only file that knows the signed form.
import { CompactSign, type CryptoKey, compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose';
import { ORDER_BYTES_MAX, ORDER_JWS_TYPE, type Order, type OrderRefusal, orderSchema } from './order.ts';
import { err, ok, type Result } from './result.ts';

export interface OrderSigningKey {
  readonly kid: string;
  readonly privateJwk: JWK;
}

/** A public key an agent has pinned, by kid. */
export interface OrderVerificationKey {
  readonly kid: string;
  readonly jwk: JWK;
}

export interface RefusedOrder {
  readonly refusal: OrderRefusal;
  readonly detail: string;
}

/** The compact JWS of an order. Throws when the key is no P-256 private key: that is a mistake of configuration. */
export async function signOrder(order: Order, key: OrderSigningKey): Promise<string> {
  const privateKey = await importJWK({ ...key.privateJwk, alg: 'ES256' }, 'ES256');
  return new CompactSign(new TextEncoder().encode(JSON.stringify(order)))
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: ORDER_JWS_TYPE })
    .sign(privateKey);
}

/**
 * Checks size, key, signature and form of a signed order. Whom it is for, its age and its lifetime are the agent's
 * own checks, because they need its state.
 */
export async function verifyOrder(
  jws: string,
  keys: readonly OrderVerificationKey[],
): Promise<Result<Order, RefusedOrder>> {
  if (jws.length > ORDER_BYTES_MAX) return err({ refusal: 'too-large', detail: `${jws.length} bytes` });
  const kid = kidOf(jws);
  if (kid === undefined) return err({ refusal: 'malformed', detail: 'not a compact JWS with a kid' });
  const pinned = keys.find((key) => key.kid === kid);
  if (pinned === undefined) return err({ refusal: 'unknown-key', detail: `kid ${JSON.stringify(kid)} is not pinned` });
  let payload: Uint8Array;
  try {
    const key = (await importJWK({ ...pinned.jwk, alg: 'ES256' }, 'ES256')) as CryptoKey;
    const verified = await compactVerify(jws, key, { algorithms: ['ES256'] });
    if (verified.protectedHeader.typ !== ORDER_JWS_TYPE) {
      return err({ refusal: 'malformed', detail: `typ is not ${ORDER_JWS_TYPE}` });
    }
    payload = verified.payload;
  } catch {
    return err({ refusal: 'bad-signature', detail: `signature by ${JSON.stringify(kid)} does not verify` });
  }
  return parsePayload(payload);
}

function kidOf(jws: string): string | undefined {
  try {
    const { kid } = decodeProtectedHeader(jws);
    return typeof kid === 'string' ? kid : undefined;
  } catch {
    return undefined;
  }
}

function parsePayload(payload: Uint8Array): Result<Order, RefusedOrder> {
  try {
    const parsed = orderSchema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)));
    if (parsed.success) return ok(parsed.data);
    const first = parsed.error.issues[0];
    return err({ refusal: 'malformed', detail: `${first?.path.join('.')}: ${first?.message}` });
  } catch {
    return err({ refusal: 'malformed', detail: 'payload is not JSON' });
  }
}
