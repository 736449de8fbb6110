// The order: the policy as one NVA must carry it out, for one group of vips. The signed form is in order-signature.ts.
import { z } from 'zod';
import { LOCAL_FAILURES, ROUTE_STATES } from './vocabulary.ts';

/** An order must be accepted for the first time within this long after it was issued. */
export const ORDER_LIFETIME_MS = 60_000;
/** Size limit of a signed order on the wire. */
export const ORDER_BYTES_MAX = 1024 * 1024;
export const ORDER_CONTENT_TYPE = 'application/jose';
export const ORDER_JWS_TYPE = 'anycast-order+jws';

const community = z.string().regex(/^\d{1,5}:\d{1,5}$/);

export const orderVipSchema = z.strictObject({
  vip: z.string().min(1),
  prefix: z.string().min(1),
  state: z.enum(ROUTE_STATES),
  rung: z.int().min(0).max(64),
  prepend: z.int().min(0).max(40),
  prependAsn: z.int().min(1).max(65535),
  communities: z.array(community).max(32),
  med: z.int().min(0).max(4294967295).nullable(),
  onLocalFailure: z.enum(LOCAL_FAILURES),
  lastResortPrepend: z.int().min(0).max(40),
  /**
   * NVA whose connections of this vip may still live: it carried the vip before a planned move to this one. Absent
   * after a takeover: there is nobody to hand packets to, and nothing to wait for.
   */
  previousOwner: z.string().min(1).optional(),
  /** NVA that carries the vip after a planned move away from this one. */
  nextOwner: z.string().min(1).optional(),
  /** Identifier of the decision that set this row, for the audit trail. */
  decision: z.string(),
});

export const orderSchema = z.strictObject({
  v: z.literal(1),
  to: z.string().min(1),
  group: z.string().min(1),
  epoch: z.int().min(0),
  generation: z.int().min(0),
  issuedAtMs: z.int().min(0),
  notAfterMs: z.int().min(0),
  vips: z.array(orderVipSchema).max(4000),
});

export type Order = z.infer<typeof orderSchema>;
export type OrderVip = z.infer<typeof orderVipSchema>;

/** Why an agent refuses an order; each is a label of `anycast_agent_orders_total{outcome}` and a problem code. */
export const ORDER_REFUSALS = [
  'malformed',
  'too-large',
  'unknown-key',
  'bad-signature',
  'misaddressed',
  'unknown-group',
  'expired',
  'older',
  'not-persisted',
] as const;
export type OrderRefusal = (typeof ORDER_REFUSALS)[number];
