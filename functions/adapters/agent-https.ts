// Talks to agents over HTTPS (undici), trusting the deployment's own CA and nobody else.
import { Agent, request } from 'undici';
import { z } from 'zod';
import { OperatingError } from '../../shared/errors.ts';
import { ORDER_CONTENT_TYPE } from '../../shared/order.ts';
import type { Nva } from '../../shared/topology-schema.ts';
import { DELIVER_TIMEOUT_MS, PROBE_TIMEOUT_MS } from '../limits.ts';
import type { AgentProbe, DeliverOutcome, OrderChannel } from '../ports.ts';
import { operating } from './operating-error.ts';

/** Answers of agents are short; more than this is not one. */
const ANSWER_BYTES_MAX = 64 * 1024;

const acceptedSchema = z.looseObject({ epoch: z.int().min(0), generation: z.int().min(0) });
const problemSchema = z.looseObject({ code: z.string(), detail: z.string().optional() });

export interface AgentChannel extends OrderChannel, AgentProbe {
  close(): Promise<void>;
}

/** @param ca PEM of the CA that signed the agents' certificates. */
export function createAgentChannel(ca: string): AgentChannel {
  const dispatcher = new Agent({
    connect: { ca, timeout: PROBE_TIMEOUT_MS },
    connections: 4,
    keepAliveTimeout: 30_000,
    maxResponseSize: ANSWER_BYTES_MAX,
  });

  async function send(nva: Nva, signedOrder: string): Promise<DeliverOutcome> {
    const { statusCode, body } = await request(new URL('/v1/order', nva.agent), {
      method: 'PUT',
      headers: { 'content-type': ORDER_CONTENT_TYPE },
      body: signedOrder,
      dispatcher,
      signal: AbortSignal.timeout(DELIVER_TIMEOUT_MS),
    });
    const answer: unknown = await body.json().catch(() => undefined);
    const accepted = acceptedSchema.safeParse(answer);
    if (statusCode === 200 && accepted.success) {
      const { epoch, generation } = accepted.data;
      return { type: 'acknowledged', sequence: { epoch, generation } };
    }
    const refused = problemSchema.safeParse(answer);
    if (statusCode >= 400 && statusCode < 500 && refused.success) {
      return { type: 'refused', code: refused.data.code, detail: refused.data.detail ?? '' };
    }
    throw new OperatingError('order-delivery', `${nva.name} answered ${statusCode}`, { retryable: statusCode >= 500 });
  }

  return {
    deliver: (nva, signedOrder) => operating('order-delivery', () => send(nva, signedOrder)),
    async probe(nva) {
      try {
        const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
        const { body } = await request(new URL('/healthz', nva.agent), { dispatcher, signal });
        await body.dump();
        return 'answered';
      } catch {
        return 'failed';
      }
    },
    close: () => dispatcher.close(),
  };
}
