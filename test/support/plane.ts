// A control plane for tests: the real code on in-memory stores, a clock that a test turns, and agents it can break.

import { createMemoryProofs, createMemoryReports } from '../../functions/adapters/memory/memory-evidence.ts';
import { createMemoryLedger, type MemoryLedger } from '../../functions/adapters/memory/memory-ledger.ts';
import { createMemoryOutbox, type MemoryOutbox } from '../../functions/adapters/memory/memory-outbox.ts';
import { createDeployment, type Plane } from '../../functions/deployment.ts';
import { type Ledger, parseLedger } from '../../functions/ledger.ts';
import type { Ports, Principal } from '../../functions/ports.ts';
import type { ApiRole } from '../../shared/api.ts';
import { OperatingError } from '../../shared/errors.ts';
import type { Order } from '../../shared/order.ts';
import type { Report } from '../../shared/report.ts';
import { parseTopology } from '../../shared/topology.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import type { LocalVerdict, Sequence } from '../../shared/vocabulary.ts';
import { contoso } from './topology.ts';

export const START_MS = 1_790_000_000_000;
export const GROUP = 'default';

/** Contoso with all defaults filled in, after `bend` had its way with it. */
// biome-ignore lint/suspicious/noExplicitAny: tests bend the object on purpose.
export function testTopology(bend: (draft: any) => void = () => undefined): Topology {
  const draft = contoso();
  bend(draft);
  const parsed = parseTopology(JSON.stringify(draft));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value.topology;
}

/** An agent that carries out what it accepted. */
export interface TestAgent {
  order: Order | undefined;
  verdict: LocalVerdict;
  /** Neither answers nor reports. */
  isDead: boolean;
  refusesWith: string | undefined;
  delivered: number;
}

/** Ports that fail as if the other side could not be reached. */
export type Outage = 'ledger' | 'outbox' | 'outbox-append' | 'reports' | 'routes' | 'sink' | 'tokens';

export interface TestPlane {
  readonly plane: Plane;
  readonly ledger: MemoryLedger;
  readonly outbox: MemoryOutbox;
  readonly agents: ReadonlyMap<string, TestAgent>;
  readonly outages: Set<Outage>;
  readonly shipped: unknown[];
  nowMs: number;
  /** Every living agent reports. */
  report(names?: readonly string[]): Promise<void>;
  ledgerNow(): Ledger;
}

export interface TestPlaneOptions {
  readonly topology?: Topology;
  readonly seat?: string;
  /** Another seat of the same deployment: shares stores, agents and clock. */
  readonly beside?: TestPlane;
}

export function createTestPlane(options: TestPlaneOptions = {}): TestPlane {
  const topology: Topology = options.topology ?? options.beside?.plane.deployment.topology ?? testTopology();
  const seat = topology.seats.find((one) => one.name === (options.seat ?? topology.seats[0]?.name));
  if (seat === undefined) throw new Error('no such seat');
  const { beside } = options;
  const agents =
    beside?.agents ?? new Map(topology.regions.flatMap((region) => region.nvas.map((nva) => [nva.name, newAgent()])));
  const outages = new Set<Outage>();
  const shipped = beside?.shipped ?? [];
  const own: { nowMs: number } = { nowMs: START_MS };
  const time = () => beside?.nowMs ?? own.nowMs;
  const clock = { nowMs: time };
  const ledger = beside?.ledger ?? createMemoryLedger(clock);
  const outbox = beside?.outbox ?? createMemoryOutbox();
  const reports = createMemoryReports();
  const proofs = beside?.plane.proofs ?? createMemoryProofs();
  const ports: Ports = {
    clock,
    ledger: failing(ledger, outages, 'ledger'),
    reports: failing(reports, outages, 'reports'),
    proofs,
    outbox: failing(failing(outbox, outages, 'outbox'), outages, 'outbox-append', 'append'),
    orders: {
      async deliver(nva, text) {
        const agent = agents.get(nva.name);
        if (agent === undefined || agent.isDead)
          throw new OperatingError('order-delivery', 'no answer', { retryable: true });
        if (agent.refusesWith !== undefined) return { type: 'refused', code: agent.refusesWith, detail: 'as told' };
        const order = JSON.parse(text) as Order;
        agent.order = order;
        agent.delivered += 1;
        return { type: 'acknowledged', sequence: { epoch: order.epoch, generation: order.generation } };
      },
    },
    probe: { probe: async (nva) => (agents.get(nva.name)?.isDead === false ? 'answered' : 'failed') },
    // Signing has its own tests; here an order must be readable.
    signer: { sign: async (order) => JSON.stringify(order) },
    tokens: {
      async verify(token) {
        if (outages.has('tokens')) throw new OperatingError('token-keys', 'keys unreachable', { retryable: true });
        const principal = PRINCIPALS[token];
        return principal === undefined
          ? { type: 'refused', code: 'token-invalid', detail: 'unknown' }
          : { type: 'verified', principal };
      },
    },
    routes: failing(
      {
        learned: async (region, nva) => {
          const routes = Object.fromEntries(wire(topology, agents, nva.name));
          return Object.fromEntries(region.routeServer.peers.map((peer) => [peer, routes]));
        },
        circuit: async (region) =>
          region.circuit &&
          region.nvas.flatMap((nva) =>
            wire(topology, agents, nva.name).map(([prefix, path]) => ({
              prefix,
              asPath: [65515, ...path],
              device: 'primary' as const,
            })),
          ),
      },
      outages,
      'routes',
    ),
    sink: failing(
      {
        upload: async (records) => {
          shipped.push(...records);
          return [];
        },
      },
      outages,
      'sink',
    ),
  };
  const plane: Plane = { ...ports, deployment: createDeployment(topology, seat) };
  let seq = 0;
  return {
    ...{ plane, ledger, outbox, agents, outages, shipped },
    get nowMs() {
      return time();
    },
    set nowMs(value: number) {
      own.nowMs = value;
    },
    async report(names = [...agents.keys()]) {
      seq += 1;
      for (const name of names) {
        const agent = agents.get(name);
        if (agent === undefined || agent.isDead) continue;
        await reports.putReport(GROUP, time(), reportOf(topology, name, agent, time(), seq));
      }
    },
    ledgerNow() {
      const parsed = parseLedger(ledger.textOf(GROUP) ?? '', GROUP);
      if (!parsed.ok) throw new Error('no readable ledger');
      return parsed.value;
    },
  };
}

const newAgent = (): TestAgent => ({
  order: undefined,
  verdict: 'healthy',
  isDead: false,
  refusesWith: undefined,
  delivered: 0,
});

const principal = (name: string, roles: readonly ApiRole[], isApplication = false): Principal => ({
  id: `id-${name}`,
  name,
  isApplication,
  roles,
});
/** Tokens that the test verifier knows, by their text. */
export const PRINCIPALS: Readonly<Record<string, Principal>> = {
  reader: principal('reader', ['Failover.Read']),
  operator: principal('operator', ['Failover.Operate']),
  runbook: principal('runbook', ['Failover.Operate'], true),
  agent: principal('agent', ['Agent.Report'], true),
  stranger: principal('stranger', []),
};

/** Every call, or every call of one kind, fails while the outage lasts. */
function failing<T extends object>(port: T, outages: ReadonlySet<Outage>, name: Outage, only?: keyof T): T {
  return new Proxy(port, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key);
      if (typeof member !== 'function' || (only !== undefined && key !== only)) return member;
      return async (...args: unknown[]) => {
        if (outages.has(name)) throw new OperatingError(`${name}-down`, `${name} is down`, { retryable: true });
        return (member as (...given: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

function wire(topology: Topology, agents: ReadonlyMap<string, TestAgent>, name: string): [string, number[]][] {
  const agent = agents.get(name);
  const nva = topology.regions.flatMap((region) => region.nvas).find((one) => one.name === name);
  if (agent === undefined || nva === undefined) return [];
  return (agent.order?.vips ?? [])
    .filter((row) => row.state === 'announced')
    .map((row) => {
      const count = agent.verdict === 'unhealthy' ? row.lastResortPrepend : row.prepend;
      return [row.prefix, [nva.asn, ...new Array<number>(count).fill(row.prependAsn)]];
    });
}

export function reportOf(topology: Topology, name: string, agent: TestAgent, atMs: number, seq: number): Report {
  const region = topology.regions.find((one) => one.nvas.some((nva) => nva.name === name));
  const vips = topology.vips.filter((vip) => vip.regions.includes(region?.name ?? ''));
  const agents = new Map([[name, agent]]);
  const has: Sequence = agent.order ?? { epoch: 0, generation: 0 };
  const isBad = agent.verdict === 'unhealthy';
  return {
    ...{ v: 1, nva: name, group: GROUP, bootId: 'boot-1', seq, atMs, transition: false, stopping: false },
    order: { epoch: has.epoch, generation: has.generation },
    sessions: (region?.routeServer.peers ?? []).map((peer) => ({
      ...{ peer, state: 'Established' as const, sinceMs: START_MS - 60_000, holdSeconds: 30 },
      routes: wire(topology, agents, name).map(([prefix, asPath]) => ({ prefix, asPath })),
    })),
    vips: vips.map((vip) => {
      const row = agent.order?.vips.find((one) => one.vip === vip.name);
      const announced =
        row?.state === 'announced'
          ? {
              rung: row.rung,
              prepend: isBad ? row.lastResortPrepend : row.prepend,
              lastResort: isBad,
              sinceMs: START_MS,
            }
          : null;
      const local = {
        verdict: agent.verdict,
        sinceMs: START_MS - 60_000,
        window: isBad ? '11000' : '11111',
        latencyMs: 3,
      };
      return { vip: vip.name, local, announced, flapPenalty: 0 };
    }),
  };
}
