// Signs orders with the seat's private key; the key is read once at start, so no vault stands in a failover's way.
import type { JWK } from 'jose';
import { signOrder } from '../../shared/order-signature.ts';
import type { OrderSigner } from '../ports.ts';

export function createOrderSigner(privateJwk: JWK & { readonly kid: string }): OrderSigner {
  return { sign: (order) => signOrder(order, { kid: privateJwk.kid, privateJwk }) };
}
