// Proves, step by step, that the network does what one vip's row in one region says. Pure; nothing is ever assumed.
import { announcedPath } from '../shared/ladder.ts';
import type { Order, OrderVip } from '../shared/order.ts';
import type { Report, ReportSession } from '../shared/report.ts';
import type { Nva, Region, Vip } from '../shared/topology-schema.ts';
import { compareSequence, type Sequence } from '../shared/vocabulary.ts';
import type { LearnedEvidence } from './engine/types.ts';
import type { CircuitRoute, ProofStep, ProofStepName, StoredEvidence } from './ports.ts';

export interface Proving {
  readonly vip: Vip;
  readonly region: Region;
  /** Whether this region should answer: it acts, or the vip is active-active. */
  readonly isActing: boolean;
  /** Regions whose answer is right. */
  readonly actingRegions: readonly string[];
  /** By NVA name, as compiled from the policy that is being proved. */
  readonly orders: Readonly<Record<string, Order>>;
  /** Every NVA must have this order or a newer one. */
  readonly sequence: Sequence;
  readonly sinceMs: number;
  readonly evidence: StoredEvidence;
  readonly learned: Readonly<Record<string, LearnedEvidence>>;
  /** undefined: no circuit named; null: it could not be read. */
  readonly circuit: readonly CircuitRoute[] | undefined | null;
  /** False: there is no way to read learned routes. */
  readonly canReadRoutes: boolean;
  readonly observers: readonly string[];
  readonly reportMs: number;
  readonly nowMs: number;
}

export type Proved = Readonly<Record<ProofStepName, ProofStep>>;

export function prove(at: Proving): Proved {
  return {
    agent: proveAgent(at),
    routeServer: proveRouteServer(at),
    circuit: proveCircuit(at),
    observer: proveObserver(at),
  };
}

const step = (at: Proving, proof: ProofStep['proof'], detail: string): ProofStep => ({ proof, detail, atMs: at.nowMs });

// ---------------------------------------------------------------- what is expected

type Expected = readonly number[] | 'withheld';

/**
 * The path this NVA should have on the wire: as ordered, or at last resort where its reflex said so, which is in the
 * order too. Undefined: the order has no row.
 */
export function expectedPath(nva: Nva, row: OrderVip | undefined, report: Report | undefined): Expected | undefined {
  if (row === undefined) return undefined;
  const announced = report?.vips.find((vip) => vip.vip === row.vip)?.announced;
  if (row.state === 'withheld') return 'withheld';
  if (announced === null && row.onLocalFailure === 'withdraw') return 'withheld';
  const prepend = announced?.lastResort === true ? row.lastResortPrepend : row.prepend;
  return announcedPath(nva.asn, row.prependAsn, prepend);
}

const rowOf = (at: Proving, nva: Nva): OrderVip | undefined =>
  at.orders[nva.name]?.vips.find((row) => row.vip === at.vip.name);

const samePath = (a: readonly number[] | undefined, b: Expected): boolean =>
  b === 'withheld' ? a === undefined : a !== undefined && a.length === b.length && a.every((asn, i) => asn === b[i]);

const pathText = (path: Expected | undefined): string =>
  path === undefined || path === 'withheld' ? 'nothing' : path.join(' ');

// ---------------------------------------------------------------- agent

function isSilent(at: Proving, nva: string): boolean {
  const heard = at.evidence.reports[nva];
  return heard === undefined || at.nowMs - heard.receivedAtMs > 3 * at.reportMs;
}

function proveAgent(at: Proving): ProofStep {
  const { nvas } = at.region;
  const silent = nvas.filter((nva) => isSilent(at, nva.name));
  if (silent.length === nvas.length)
    return step(at, 'not checked', `silent: ${silent.map((nva) => nva.name).join(', ')}`);
  const doubts = nvas.filter((nva) => !isSilent(at, nva.name)).flatMap((nva) => doubtAgent(at, nva));
  if (doubts.length > 0) return step(at, 'waiting', doubts.join('; '));
  return step(at, 'proved', `${nvas.length - silent.length}/${nvas.length} acknowledged, adj-RIB-out agrees`);
}

function doubtAgent(at: Proving, nva: Nva): string[] {
  const report = at.evidence.reports[nva.name]?.report;
  if (report === undefined) return [`${nva.name} never reported`];
  if (compareSequence(report.order, at.sequence) < 0) {
    return [`${nva.name} has order ${report.order.epoch}.${report.order.generation}`];
  }
  const expected = expectedPath(nva, rowOf(at, nva), report);
  const up = report.sessions.filter((session) => session.state === 'Established');
  if (expected === undefined) return [];
  if (up.length === 0 && expected !== 'withheld') return [`${nva.name} has no session`];
  return up
    .map((session) => ({ session, path: advertised(session, at.vip.prefix) }))
    .filter(({ path }) => !samePath(path, expected))
    .map(({ session, path }) => `${nva.name} tells ${session.peer} ${pathText(path)}, ordered ${pathText(expected)}`);
}

const advertised = (session: ReportSession, prefix: string): readonly number[] | undefined =>
  session.routes.find((route) => route.prefix === prefix)?.asPath;

// ---------------------------------------------------------------- Route Server

function proveRouteServer(at: Proving): ProofStep {
  if (!at.canReadRoutes) return step(at, 'not checked', 'no access to learned routes is configured');
  const details: string[] = [];
  let seen = 0;
  let held = 0;
  for (const nva of at.region.nvas.filter((candidate) => !isSilent(at, candidate.name))) {
    const learned = at.learned[nva.name];
    const expected = expectedPath(nva, rowOf(at, nva), at.evidence.reports[nva.name]?.report);
    if (expected === undefined) continue;
    if (learned === undefined || learned.atMs < at.sinceMs) {
      details.push(`${nva.name} not read since the move`);
      continue;
    }
    for (const [peer, routes] of Object.entries(learned.peers)) {
      seen += 1;
      if (samePath(routes[at.vip.prefix], expected)) held += 1;
      else details.push(`${peer} holds ${pathText(routes[at.vip.prefix])}, expected ${pathText(expected)}`);
    }
  }
  if (details.length > 0) return step(at, 'waiting', details.join('; '));
  if (seen === 0) return step(at, 'not checked', 'no NVA of the region reports');
  return step(at, 'proved', `${held}/${seen}`);
}

// ---------------------------------------------------------------- circuit

function proveCircuit(at: Proving): ProofStep {
  if (at.circuit === undefined) return step(at, 'not checked', 'no circuit named in anycast.yaml');
  if (at.circuit === null) return step(at, 'not checked', 'the circuit could not be read');
  const rows = at.circuit.filter((route) => route.prefix === at.vip.prefix);
  const wanted = at.region.nvas
    .filter((nva) => !isSilent(at, nva.name))
    .flatMap((nva) => {
      const path = expectedPath(nva, rowOf(at, nva), at.evidence.reports[nva.name]?.report);
      return path === undefined ? [] : [path];
    });
  if (wanted.length === 0) return step(at, 'not checked', 'no NVA of the region reports');
  const announced = wanted.filter((path) => path !== 'withheld');
  if (announced.length === 0) {
    return rows.length === 0 ? step(at, 'proved', 'withdrawn') : step(at, 'waiting', 'the circuit still shows it');
  }
  if (rows.length === 0) return step(at, 'waiting', 'the circuit does not show it');
  if (rows.every((row) => announced.some((path) => endsWith(row.asPath, path)))) {
    return step(at, 'proved', `${rows.length} path(s), ${rows[0]?.asPath.join(' ')}`);
  }
  const isStripped = rows.some((row) =>
    announced.some((path) => path.length > 1 && !endsWith(row.asPath, path) && row.asPath.length < path.length),
  );
  const shown = rows.map((row) => row.asPath.join(' ')).join('; ');
  return step(at, 'waiting', `${isStripped ? 'prepend does not arrive on-premises: ' : ''}the circuit shows ${shown}`);
}

/** The edge puts Azure's own numbers in front; what the NVA sent stands at the end. */
const endsWith = (path: readonly number[], end: readonly number[]): boolean =>
  path.length >= end.length && end.every((asn, i) => asn === path[path.length - end.length + i]);

// ---------------------------------------------------------------- observers

function proveObserver(at: Proving): ProofStep {
  if (!at.isActing) return step(at, 'not checked', 'this region does not act');
  if (at.observers.length === 0) return step(at, 'not checked', 'no observer in anycast.yaml');
  const views = at.observers.flatMap((name) => {
    const heard = at.evidence.observers[name];
    const isFresh =
      heard !== undefined && at.nowMs - heard.receivedAtMs <= 3 * at.reportMs && heard.receivedAtMs >= at.sinceMs;
    const seen = isFresh ? heard.report.vips.find((vip) => vip.vip === at.vip.name) : undefined;
    return seen === undefined ? [] : [{ name, answeredBy: seen.answeredBy }];
  });
  if (views.length === 0) return step(at, 'waiting', 'no observer has reported since the move');
  const wrong = views.filter((view) => view.answeredBy === null || !at.actingRegions.includes(view.answeredBy));
  const text = (list: typeof views) => list.map((view) => `${view.name} by ${view.answeredBy ?? 'nobody'}`).join(', ');
  return wrong.length > 0
    ? step(at, 'waiting', `answered: ${text(wrong)}`)
    : step(at, 'proved', `answered: ${text(views)}`);
}
