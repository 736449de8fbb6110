// Reads an agent's status over HTTPS, trusting the CA it is given, and notes the certificate's end and the clock.
import { z } from 'zod';
import type { AgentFacts } from './facts.ts';
import type { AgentReader } from './gather.ts';
import { httpsGet } from './https-get.ts';

const TIMEOUT_MS = 5000;

/** What doctor reads of the agent's status document; the rest may change. */
const statusSchema = z.looseObject({
  nva: z.string(),
  region: z.string(),
  atMs: z.number(),
  orders: z.record(z.string(), z.looseObject({ epoch: z.number(), generation: z.number() })),
  sessions: z.array(
    z.looseObject({
      peer: z.string(),
      state: z.string(),
      routes: z.array(z.looseObject({ prefix: z.string(), asPath: z.array(z.number()) })),
    }),
  ),
  vips: z.array(z.looseObject({ vip: z.string(), group: z.string(), prefix: z.string() })),
  overrides: z.array(z.unknown()),
  counters: z.looseObject({
    orders: z.record(z.string(), z.number()),
    reports: z.record(z.string(), z.number()),
  }),
});

export function createAgentReader(ca: string | undefined): AgentReader {
  return {
    async status(nva, nowMs) {
      const sentAtMs = nowMs();
      const answer = await httpsGet(`${nva.agent}/v1/status`, { ca, timeoutMs: TIMEOUT_MS });
      if (answer.status !== 200) throw new Error(`HTTP ${answer.status}`);
      const { body, certificateEndsAtMs } = answer;
      const halfwayMs = (sentAtMs + nowMs()) / 2;
      const status = statusSchema.parse(JSON.parse(body));
      return {
        ...{ nva: status.nva, region: status.region, orders: status.orders, certificateEndsAtMs },
        clockOffsetMs: status.atMs - halfwayMs,
        sessions: status.sessions,
        vips: status.vips,
        orderCounts: status.counters.orders,
        reportCounts: status.counters.reports,
        overrides: status.overrides.length,
      } satisfies AgentFacts;
    },
  };
}
