// How long audit records of a long outage take to reach Log Analytics: the real shipping and SDK, to the lab's endpoint.
import tls from 'node:tls';
import type { TokenCredential } from '@azure/identity';
import { shipAudit } from '../../functions/activities/ship-audit.ts';
import { createLogsSink } from '../../functions/adapters/logs-sink.ts';
import { chainRecords } from '../../functions/audit-chain.ts';
import { draft } from '../../functions/audit-drafts.ts';
import type { Outbox } from '../../functions/ports.ts';
import { verifyChain } from '../../infra/lab/audit-check.ts';
import { LOGS_RULE_ID, startAzure } from '../../infra/lab/azure/azure.ts';
import { createAuthority } from '../../infra/lab/azure/certificates.ts';
import { type AuditRecord, auditRecordSchema, CHAIN_START } from '../../shared/audit.ts';
import { createTestPlane, GROUP, START_MS } from '../support/plane.ts';
import type { BenchResult } from './result.ts';

const RECORDS = 100_000;
/** A run ships 10,000 records at most; more runs than this mean that none makes progress. */
const RUNS_MAX = 100;
const PROBLEMS_NAMED_MAX = 5;

/** Time from the end of the outage until the last record arrived. */
export async function benchBackfill(): Promise<BenchResult[]> {
  const { tookMs, runs } = await backfill(RECORDS);
  const thousands = RECORDS.toLocaleString('en');
  const perSecond = Math.round((RECORDS / tookMs) * 1000);
  return [
    { name: `audit, ${thousands} records after an outage`, value: Math.round(tookMs), unit: 'ms' },
    { name: `audit, ${thousands} records after an outage, rate`, value: perSecond, unit: '1/s' },
    { name: `audit, ${thousands} records after an outage, ticks`, value: runs, unit: 'runs' },
  ];
}

export interface Backfill {
  readonly tookMs: number;
  /** Runs of the shipping activity: one a tick. */
  readonly runs: number;
}

/**
 * Ships this many chained records: first into an outage, then to an endpoint that takes them; `isBad` are refused.
 * Throws unless every one arrived once, in order and unchanged.
 */
export async function backfill(count: number, isBad: (eventId: unknown) => boolean = () => false): Promise<Backfill> {
  const authority = await createAuthority();
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), authority.ca]);
  process.env.no_proxy = '127.0.0.1';
  const azure = await startAzure({ authority, principals: [], learned: () => undefined, circuit: () => undefined });
  try {
    const sent = recordsOf(count);
    const sink = createLogsSink(CREDENTIAL, { endpoint: azure.origin, ruleId: LOGS_RULE_ID });
    const clock = { nowMs: () => Date.now() };
    const plane = { ...createTestPlane().plane, clock, outbox: cursorOutbox(sent), sink };
    const ship = () => shipAudit(plane)({ group: GROUP });
    azure.logs.refuse((record) => isBad(record.EventId));
    azure.logs.setDown(true);
    if ((await ship()).ok) throw new Error('shipping succeeds while nobody takes records');
    azure.logs.setDown(false);
    const startMs = performance.now();
    let runs = 0;
    while ((await plane.outbox.depth(GROUP)) > 0) {
      runs += 1;
      const outcome = await ship();
      if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.detail}`);
      if (runs >= RUNS_MAX) throw new Error(`not shipped within ${RUNS_MAX} runs`);
    }
    const tookMs = performance.now() - startMs;
    const problems = arrivalProblems(
      sent,
      azure.logs.records().map((record) => auditRecordSchema.parse(record)),
    );
    if (problems.length > 0) throw new Error(problems.join('; '));
    return { tookMs, runs };
  } finally {
    await azure.stop();
  }
}

/** What is wrong with the records that arrived, at most a few of each kind: lost, twice, out of the chain. */
export function arrivalProblems(sent: readonly AuditRecord[], arrived: readonly AuditRecord[]): string[] {
  const counts = new Map<string, number>();
  for (const { EventId } of arrived) counts.set(EventId, (counts.get(EventId) ?? 0) + 1);
  const few = (found: readonly string[]) => found.slice(0, PROBLEMS_NAMED_MAX);
  return [
    ...few(sent.filter(({ EventId }) => !counts.has(EventId)).map(({ EventId }) => `${EventId} did not arrive`)),
    ...few([...counts].filter(([, count]) => count > 1).map(([id, count]) => `${id} arrived ${count} times`)),
    ...verifyChain(arrived),
  ];
}

const CREDENTIAL: TokenCredential = {
  getToken: async () => ({ token: 'bench', expiresOnTimestamp: Date.now() + 3_600_000 }),
};

/** Chained records as decisions leave them. */
export function recordsOf(count: number): AuditRecord[] {
  const drafts = Array.from({ length: count }, (_, i) =>
    draft(START_MS + i, i % 2 === 0 ? 'decision' : 'order', {
      ...{ Vip: 'orders', Region: 'westeurope', Nva: 'we-nva-1', DecisionId: `d-${i}`, CorrelationId: `c-${i}` },
      ...{ Reason: 'local-unhealthy', Before: 'primary r4 announced', After: 'standby r12 announced' },
      Detail: { rung: 12, prepend: 12, windows: ['11000', '11111'], at: i },
    }),
  );
  return chainRecords(drafts, { epoch: 1, index: -1, hash: CHAIN_START }, GROUP, 'seat-a').records;
}

/** In memory, with a cursor as the table has: what is measured is the shipping, not a store. */
function cursorOutbox(records: readonly AuditRecord[]): Outbox {
  let cursor = 0;
  const never = () => Promise.reject(new Error('not part of shipping'));
  return {
    unshipped: async (_group, limit) => records.slice(cursor, cursor + limit),
    markShipped: async (_group, shipped) => {
      cursor += shipped.length;
    },
    setAside: async (_group, record, why) => {
      throw new Error(`${record.EventId} was set aside: ${why}`);
    },
    depth: async () => records.length - cursor,
    append: never,
    has: never,
    page: never,
    purge: never,
  };
}
