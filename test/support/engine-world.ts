// Builds what the decision engine is told, in a few words: a deployment, and what its agents last reported.

import { orderedPrepend } from '../../functions/engine/possible.ts';
import type {
  EngineConfig,
  Intent,
  LearnedEvidence,
  NvaEvidence,
  Policy,
  Snapshot,
} from '../../functions/engine/types.ts';
import type { ObserverReport, Report, ReportVip } from '../../shared/report.ts';
import { ladderOf } from '../../shared/topology.ts';
import { type Topology, topologySchema } from '../../shared/topology-schema.ts';

/** A time to count from; far from zero so that ages can be subtracted. */
export const START_MS = 1_000_000_000;

export interface DeploymentOptions {
  readonly regions?: readonly string[];
  readonly nvasPerRegion?: number;
  readonly circuits?: 'shared' | 'separate' | 'vpn';
  readonly headroom?: number;
  readonly step?: number;
  readonly vips?: readonly Readonly<Record<string, unknown>>[];
  readonly guards?: Readonly<Record<string, unknown>>;
  readonly timing?: Readonly<Record<string, unknown>>;
}

/** `a` -> `a-nva-1`, `a-nva-2`, ... */
export const nvaName = (region: string, index = 1): string => `${region}-nva-${index}`;

export function deployment(options: DeploymentOptions = {}): EngineConfig {
  const regions = options.regions ?? ['a', 'b'];
  const circuits = options.circuits ?? 'separate';
  const topology: Topology = topologySchema.parse({
    version: 1,
    name: 'test',
    transport: circuits === 'vpn' ? { kind: 'vpn' } : { kind: 'expressroute', circuits },
    prepend: {
      asn: 64500,
      headroom: options.headroom ?? 4,
      ...(options.step === undefined ? {} : { step: options.step }),
    },
    timing: options.timing ?? {},
    addressSpaces: { azure: ['10.0.0.0/8'], onPremises: [] },
    regions: regions.map((name, r) => ({
      name,
      routeServer: { resourceId: `/rs/${name}`, peers: [`10.${r}.0.4`, `10.${r}.0.5`] },
      nvas: Array.from({ length: options.nvasPerRegion ?? 1 }, (_, n) => ({
        name: nvaName(name, n + 1),
        asn: 65001 + r,
        address: `10.${r}.1.${4 + n}`,
        agent: `https://10.${r}.1.${4 + n}:8443`,
        bgpConnection: nvaName(name, n + 1),
      })),
    })),
    vips: (options.vips ?? [{}]).map((vip, v) => ({
      name: v === 0 ? 'orders' : `vip-${v}`,
      prefix: `192.0.${2 + Math.floor(v / 250)}.${(v % 250) + 1}/32`,
      regions,
      health: { probe: { type: 'tcp', target: '10.0.0.1:80' } },
      ...vip,
    })),
    guards: options.guards ?? {},
    seats: [
      { name: 'seat-w', region: 'w', url: 'https://seat', audience: 'api://seat', orderKeys: [{ kid: 'k', jwk: {} }] },
    ],
    witness: { region: 'w', account: 'https://witness' },
  });
  return configOf(topology, 'default');
}

export function configOf(topology: Topology, group: string): EngineConfig {
  return {
    topology,
    group,
    vips: topology.vips.filter((vip) => vip.group === group),
    ladder: ladderOf(topology),
    guards: topology.guards,
    reportMs: topology.timing.reportSeconds * 1000,
    routeChangeMs: topology.timing.routeChangeSeconds * 1000,
  };
}

/** A seat in a region of its own that has led for long, told nothing yet. */
export function emptySnapshot(overrides: Partial<Snapshot> = {}): Snapshot {
  return {
    group: 'default',
    decisionId: 'd-1',
    nextGeneration: 2,
    seat: { name: 'seat-w', region: 'w', leaderSinceMs: 0, followedFresh: true },
    nvas: {},
    observers: {},
    learned: {},
    seatViews: [],
    signals: {},
    vetoes: {},
    ...overrides,
  };
}

export interface AgentState {
  readonly nva: string;
  readonly peers: readonly string[];
  readonly generation: number;
  readonly sessionsUp: number;
  readonly sessionsSinceMs: number;
  readonly stopping?: boolean;
  readonly vips: readonly ReportVip[];
}

export function reportOf(state: AgentState, atMs: number): Report {
  return {
    v: 1,
    nva: state.nva,
    group: 'default',
    bootId: 'boot',
    seq: 0,
    atMs,
    order: { epoch: 1, generation: state.generation },
    sessions: state.peers.map((peer, i) => ({
      peer,
      state: i < state.sessionsUp ? 'Established' : 'Idle',
      sinceMs: state.sessionsSinceMs,
      holdSeconds: i < state.sessionsUp ? 30 : null,
      routes: [],
    })),
    vips: [...state.vips],
    transition: false,
    stopping: state.stopping ?? false,
  };
}

/** Evidence of a world in which every agent carries out the policy, all is well and was so for an hour. */
export function allWell(
  policy: Policy,
  config: EngineConfig,
  nowMs: number,
  overrides: Partial<Snapshot> = {},
): Snapshot {
  const nvas: Record<string, NvaEvidence> = {};
  const learned: Record<string, LearnedEvidence> = {};
  const longAgoMs = nowMs - 3_600_000;
  for (const region of config.topology.regions) {
    for (const nva of region.nvas) {
      const vips = config.vips.flatMap((vip): ReportVip[] => {
        const row = policy.vips[vip.name]?.regions[region.name];
        if (row === undefined) return [];
        const prepend = orderedPrepend(config, vip, row, region.nvas, nva);
        return [
          {
            vip: vip.name,
            local: { verdict: 'healthy', sinceMs: longAgoMs, window: '11111', latencyMs: 5 },
            announced:
              row.state === 'withheld' ? null : { rung: row.rung, prepend, lastResort: false, sinceMs: longAgoMs },
            flapPenalty: 0,
          },
        ];
      });
      const state = {
        nva: nva.name,
        peers: region.routeServer.peers,
        generation: 1_000_000,
        sessionsUp: 2,
        sessionsSinceMs: longAgoMs,
        vips,
      };
      nvas[nva.name] = { report: { receivedAtMs: nowMs, report: reportOf(state, nowMs) } };
      const routes = Object.fromEntries(
        vips.flatMap((vip) => {
          const prefix = config.vips.find((candidate) => candidate.name === vip.vip)?.prefix ?? '';
          return vip.announced === null ? [] : [[prefix, [nva.asn, ...new Array(vip.announced.prepend).fill(64500)]]];
        }),
      );
      learned[nva.name] = {
        atMs: nowMs,
        peers: Object.fromEntries(region.routeServer.peers.map((peer) => [peer, routes])),
      };
    }
  }
  return emptySnapshot({ nvas, learned, ...overrides });
}

/** A person's wish with a sensible rest; by default to move `orders` now. */
export const intentOf = (overrides: Partial<Intent>): Intent => ({
  id: 'i-1',
  type: 'failover',
  vip: 'orders',
  actor: 'ops',
  actorType: 'human',
  reason: 'CHG0042',
  force: [],
  createdAtMs: START_MS,
  deadlineMs: START_MS + 120_000,
  operation: 'op-1',
  ...overrides,
});

/** The same evidence with one agent's vip row or report changed. */
export function amend(snapshot: Snapshot, nva: string, change: (report: Report) => Report): Snapshot {
  const evidence = snapshot.nvas[nva];
  if (evidence?.report === undefined) throw new Error(`${nva} has not reported`);
  const report = { ...evidence.report, report: change(evidence.report.report) };
  return { ...snapshot, nvas: { ...snapshot.nvas, [nva]: { ...evidence, report } } };
}

/** The agent says this of its own application since `sinceMs`. */
export const saying = (
  snapshot: Snapshot,
  nva: string,
  verdict: ReportVip['local']['verdict'],
  sinceMs: number,
  vip?: string,
): Snapshot =>
  amend(snapshot, nva, (report) => ({
    ...report,
    vips: report.vips.map((row) =>
      vip === undefined || row.vip === vip ? { ...row, local: { ...row.local, verdict, sinceMs } } : row,
    ),
  }));

/** The agent's last report came `ageMs` ago; our own question to it went unanswered. */
export function silent(snapshot: Snapshot, nva: string, nowMs: number, ageMs: number): Snapshot {
  const evidence = snapshot.nvas[nva];
  if (evidence?.report === undefined) throw new Error(`${nva} has not reported`);
  const report = { ...evidence.report, receivedAtMs: nowMs - ageMs };
  return {
    ...snapshot,
    nvas: { ...snapshot.nvas, [nva]: { report, probe: { atMs: nowMs - 1, outcome: 'failed' } } },
  };
}

/** An observer's report: which region answered each vip throughout its last period, or null for nobody. */
export function observerReportOf(
  name: string,
  answers: readonly { readonly vip: string; readonly region: string | null }[],
  atMs: number,
): ObserverReport {
  return {
    v: 1,
    observer: name,
    group: 'default',
    bootId: 'boot',
    seq: 0,
    atMs,
    transition: false,
    vips: answers.map(({ vip, region }) => ({
      vip,
      answeredBy: region,
      sinceMs: region === null ? null : atMs - 60_000,
      requests: 10,
      failures: region === null ? 10 : 0,
      connectMs: 1,
      firstByteMs: 2,
      outageMs: 0,
    })),
  };
}

/** An observer that was answered by `region`, or by nobody. */
export function observing(snapshot: Snapshot, name: string, region: string | null, receivedAtMs: number): Snapshot {
  const report = observerReportOf(name, [{ vip: 'orders', region }], receivedAtMs);
  return { ...snapshot, observers: { ...snapshot.observers, [name]: { receivedAtMs, report } } };
}
