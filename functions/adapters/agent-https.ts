// Talks to agents over HTTPS, trusting the deployment's own CA and nobody else.
import { Agent, request } from 'node:https';
import { z } from 'zod';
import { OperatingError } from '../../shared/errors.ts';
import { ORDER_CONTENT_TYPE } from '../../shared/order.ts';
import type { Nva } from '../../shared/topology-schema.ts';
import { DELIVER_TIMEOUT_MS, PROBE_TIMEOUT_MS } from '../limits.ts';
import type { AgentProbe, DeliverOutcome, OrderChannel } from '../ports.ts';
import { operating } from './operating-error.ts';

/** Answers of agents are short; more than this is not one. */
const ANSWER_BYTES_MAX = 64 * 1024;
/** Connections kept per agent: pushes and probes hardly overlap. */
const CONNECTIONS_MAX = 4;

const acceptedSchema = z.looseObject({ epoch: z.int().min(0), generation: z.int().min(0) });
const problemSchema = z.looseObject({ code: z.string(), detail: z.string().optional() });

export interface AgentChannel extends OrderChannel, AgentProbe {
  close(): void;
}

interface Ask {
  readonly method: 'GET' | 'PUT';
  readonly path: string;
  readonly body?: string;
  readonly timeoutMs: number;
}

/** @param ca PEM of the CA that signed the agents' certificates. */
export function createAgentChannel(ca: string): AgentChannel {
  const agent = new Agent({ ca, keepAlive: true, maxSockets: CONNECTIONS_MAX, maxFreeSockets: 1 });

  /** Resolves with the whole answer, within the time given for all of it. */
  function ask(nva: Nva, { method, path, body, timeoutMs }: Ask): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers =
        body === undefined ? {} : { 'content-type': ORDER_CONTENT_TYPE, 'content-length': Buffer.byteLength(body) };
      const signal = AbortSignal.timeout(timeoutMs);
      const asking = request(new URL(path, nva.agent), { method, headers, agent, signal }, (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > ANSWER_BYTES_MAX) asking.destroy(new Error('answer too long'));
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
        answer.on('error', reject);
      });
      asking.on('error', reject);
      asking.end(body);
    });
  }

  return {
    deliver: (nva, signedOrder) =>
      operating('order-delivery', async () => {
        const put: Ask = { method: 'PUT', path: '/v1/order', body: signedOrder, timeoutMs: DELIVER_TIMEOUT_MS };
        const { status, text } = await ask(nva, put);
        return toOutcome(nva, status, parseJson(text));
      }),
    async probe(nva) {
      try {
        await ask(nva, { method: 'GET', path: '/healthz', timeoutMs: PROBE_TIMEOUT_MS });
        return 'answered';
      } catch {
        return 'failed';
      }
    },
    close: () => agent.destroy(),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A refusal is an answer; anything that is neither acceptance nor refusal is a failure of the way there. */
function toOutcome(nva: Nva, status: number, answer: unknown): DeliverOutcome {
  const accepted = acceptedSchema.safeParse(answer);
  if (status === 200 && accepted.success) {
    const { epoch, generation } = accepted.data;
    return { type: 'acknowledged', sequence: { epoch, generation } };
  }
  const refused = problemSchema.safeParse(answer);
  if (status >= 400 && status < 500 && refused.success) {
    return { type: 'refused', code: refused.data.code, detail: refused.data.detail ?? '' };
  }
  throw new OperatingError('order-delivery', `${nva.name} answered ${status}`, { retryable: status >= 500 });
}
