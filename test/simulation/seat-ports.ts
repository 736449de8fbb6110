// The ports of one simulated seat: everything outside is asked across wires that may be slow, lossy or cut.
import { auditAhead } from '../../functions/activities/audit-ahead.ts';
import { decideAndCommit } from '../../functions/activities/decide-and-commit.ts';
import { deliverOrder } from '../../functions/activities/deliver-order.ts';
import { drillCheck, drillRecord, readCancelled } from '../../functions/activities/drill.ts';
import { gather } from '../../functions/activities/gather.ts';
import { ACTIVITIES } from '../../functions/activities/names.ts';
import { readLearned } from '../../functions/activities/read-learned.ts';
import { recordDelivery } from '../../functions/activities/record-delivery.ts';
import { shipAudit } from '../../functions/activities/ship-audit.ts';
import { startVerify } from '../../functions/activities/start-verify.ts';
import { verifyStep } from '../../functions/activities/verify-step.ts';
import { createMemoryReports } from '../../functions/adapters/memory/memory-evidence.ts';
import { createDeployment, type Plane } from '../../functions/deployment.ts';
import { DELIVER_TIMEOUT_MS, PROBE_TIMEOUT_MS } from '../../functions/limits.ts';
import type { ReportStore, StoredEvidence } from '../../functions/ports.ts';
import type { AuditRecord } from '../../shared/audit.ts';
import { OperatingError } from '../../shared/errors.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import type { Activity } from './durable-host.ts';
import type { Network } from './network.ts';
import type { SimAgent } from './sim-agent.ts';
import type { SimSeat } from './sim-seat.ts';
import type { Stores } from './stores.ts';
import type { Timeline } from './timeline.ts';
import type { Process, Wires } from './wires.ts';

/** Everything outside that a seat talks to. */
export interface Places {
  readonly storage: Process;
  readonly arm: Process;
  readonly ingestion: Process;
}

export interface Outside {
  readonly topology: Topology;
  readonly timeline: Timeline;
  readonly wires: Wires;
  readonly stores: Stores;
  readonly network: Network;
  readonly places: Places;
  readonly agents: ReadonlyMap<string, SimAgent>;
  /** The storage account is slow: this much is added to every request. */
  readonly storageDelayMs: () => number;
}

const STORAGE_TIMEOUT_MS = 4000;
const ARM_TIMEOUT_MS = 5000;

export function createSeatPlane(seat: SimSeat, outside: Outside, reports: ReportStore): Plane {
  const { stores, network, agents, topology, places, wires } = outside;
  const ask = <T>(code: string, to: Process, timeoutMs: number, handle: () => T | Promise<T>): Promise<T> =>
    askAcross(seat.process, outside, code, to, timeoutMs, handle);
  const storage = <T extends object>(port: T): T => overWire(seat.process, outside, port);
  return {
    deployment: createDeployment(topology, seat.seat),
    clock: { nowMs: () => seat.nowMs() },
    ledger: storage(stores.ledger),
    reports: storage(reports),
    proofs: storage(stores.proofs),
    outbox: storage(stores.outbox),
    orders: {
      deliver: async (nva, text) => {
        const agent = agents.get(nva.name);
        if (agent === undefined) throw new Error(`no agent ${nva.name}`);
        return await ask('order-delivery', agent.process, DELIVER_TIMEOUT_MS, () => agent.accept(text));
      },
    },
    probe: {
      probe: async (nva) => {
        const agent = agents.get(nva.name);
        if (agent === undefined) return 'failed';
        const reply = await wires.request(seat.process, agent.process, PROBE_TIMEOUT_MS, () => true);
        return reply.type === 'answered' ? 'answered' : 'failed';
      },
    },
    signer: { sign: async (order) => JSON.stringify(order) },
    tokens: { verify: async () => ({ type: 'refused', code: 'none', detail: 'nobody asks over HTTP here' }) },
    routes: {
      learned: async (region, nva) =>
        await ask('arm', places.arm, ARM_TIMEOUT_MS, () => network.learned(region.name, nva.name)),
      circuit: async (region) =>
        await ask('arm', places.arm, ARM_TIMEOUT_MS, () =>
          region.nvas.flatMap((nva) =>
            Object.values(network.learned(region.name, nva.name)).flatMap((routes, i) =>
              Object.entries(routes).map(([prefix, asPath]) => ({
                ...{ prefix, asPath: [65515, ...asPath] },
                device: i === 0 ? ('primary' as const) : ('secondary' as const),
              })),
            ),
          ),
        ),
    },
    sink: {
      upload: async (records) =>
        await ask('ingestion', places.ingestion, ARM_TIMEOUT_MS, () => {
          for (const record of records) stores.shipped.set(record.EventId, record as AuditRecord);
          return [];
        }),
    },
  };
}

async function askAcross<T>(
  from: Process,
  { wires }: Outside,
  code: string,
  to: Process,
  timeoutMs: number,
  handle: () => T | Promise<T>,
): Promise<T> {
  const reply = await wires.request(from, to, timeoutMs, handle);
  if (reply.type === 'answered') return reply.value;
  throw new OperatingError(code, `${to.name}: ${reply.why}`, { retryable: true });
}

/** The same port across the wire: every call may be late, lost, or done without anybody hearing of it. */
function overWire<T extends object>(from: Process, outside: Outside, port: T): T {
  const { storageDelayMs, timeline, places } = outside;
  return new Proxy(port, {
    get: (target, key) => {
      const member: unknown = Reflect.get(target, key);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => {
        const slowMs = storageDelayMs();
        if (slowMs > 0) await pause(from, timeline, slowMs);
        return await askAcross(from, outside, 'storage', places.storage, STORAGE_TIMEOUT_MS, () =>
          (member as (...a: unknown[]) => unknown).apply(target, args),
        );
      };
    },
  });
}

function pause(process: Process, timeline: Timeline, delayMs: number): Promise<void> {
  const { boot } = process;
  return new Promise((resolve) => {
    timeline.after(delayMs, () =>
      process.resume(boot, () => {
        timeline.stir();
        resolve();
      }),
    );
  });
}

export const activitiesOf = (plane: Plane): Readonly<Record<string, Activity>> => ({
  [ACTIVITIES.gather]: gather(plane),
  [ACTIVITIES.decideAndCommit]: decideAndCommit(plane),
  [ACTIVITIES.auditAhead]: auditAhead(plane),
  [ACTIVITIES.deliverOrder]: deliverOrder(plane),
  [ACTIVITIES.recordDelivery]: recordDelivery(plane),
  [ACTIVITIES.startVerify]: (input: never, client) => startVerify(client as never, input),
  [ACTIVITIES.verifyStep]: verifyStep(plane),
  [ACTIVITIES.shipAudit]: shipAudit(plane),
  [ACTIVITIES.readLearned]: readLearned(plane),
  [ACTIVITIES.drillCheck]: drillCheck(plane),
  [ACTIVITIES.drillRecord]: drillRecord(plane),
  [ACTIVITIES.readCancelled]: readCancelled(plane),
  [ACTIVITIES.purgeHistory]: async () => ({ ok: true }),
});

export interface SimReports extends ReportStore {
  put<K extends keyof StoredEvidence>(kind: K, name: string, row: StoredEvidence[K][string]): void;
}

/** A seat's table of what it heard. What a reader got never changes under its hands: it is copied when it was read. */
export function createReports(evidence: { current: StoredEvidence }): SimReports {
  let isRead = true;
  const put: SimReports['put'] = (kind, name, row) => {
    if (isRead) {
      const { reports, observers, probes } = evidence.current;
      evidence.current = {
        ...evidence.current,
        ...{ reports: { ...reports }, observers: { ...observers }, probes: { ...probes } },
      };
      isRead = false;
    }
    (evidence.current[kind] as Record<string, typeof row>)[name] = row;
  };
  return {
    ...createMemoryReports(),
    put,
    putReport: async (_group, receivedAtMs, report) => put('reports', report.nva, { receivedAtMs, report }),
    putObserverReport: async (_group, receivedAtMs, report) =>
      put('observers', report.observer, { receivedAtMs, report }),
    putProbe: async (_group, nva, probe) => put('probes', nva, probe),
    read: async () => {
      isRead = true;
      return evidence.current;
    },
    heard: async () =>
      Object.fromEntries(
        Object.entries(evidence.current.reports).map(([nva, { receivedAtMs }]) => [nva, receivedAtMs]),
      ),
  };
}
