// Requests that only read: status, one vip, explanation, audit, health.
import type { HttpResponseInit } from '@azure/functions';
import type { AuditPage, Health, Status } from '../../shared/api.ts';
import { AUDIT_KINDS } from '../../shared/audit.ts';
import { OperatingError, problem } from '../../shared/errors.ts';
import { findVip } from '../../shared/topology.ts';
import type { Plane } from '../deployment.ts';
import { explainVip } from '../engine/explain.ts';
import { type Call, json, refuse } from '../http/call.ts';
import { AUDIT_PAGE_DEFAULT, AUDIT_PAGE_MAX } from '../limits.ts';
import { type Overview, readOverview } from '../overview.ts';
import { toStatus } from '../status-answer.ts';

type LedgerState = Status['ledger'];

interface Reading {
  readonly state: LedgerState;
  readonly overviews: readonly Overview[];
  readonly problem: string | null;
}

/** Storage that cannot be reached is something to say, not a reason to say nothing. */
async function readAll(plane: Plane): Promise<Reading> {
  try {
    const found = await Promise.all(plane.deployment.groups.map((group) => readOverview(plane, group)));
    const overviews = found.filter((overview) => overview !== undefined);
    return { state: overviews.length === found.length ? 'ok' : 'absent', overviews, problem: null };
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    return { state: 'unreachable', overviews: [], problem: error.message };
  }
}

async function outboxDepth(plane: Plane): Promise<number | null> {
  try {
    const depths = await Promise.all(plane.deployment.groups.map((group) => plane.outbox.depth(group)));
    return depths.reduce((sum, depth) => sum + depth, 0);
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    return null;
  }
}

export const showStatus = async ({ plane }: Call): Promise<HttpResponseInit> => json(200, await readStatus(plane));

/** The answer of GET /status; a ledger out of reach is said in it. */
export async function readStatus(plane: Plane): Promise<Status> {
  const [reading, depth] = await Promise.all([readAll(plane), outboxDepth(plane)]);
  const { deployment } = plane;
  const status = toStatus(
    {
      deployment: deployment.topology.name,
      nowMs: plane.clock.nowMs(),
      seat: deployment.seat.name,
      ledger: reading.state,
      outboxDepth: depth,
      transport: deployment.topology.transport.kind,
      timing: {
        reportSeconds: deployment.topology.timing.reportSeconds,
        tickSeconds: deployment.topology.timing.tickSeconds,
      },
      seats: deployment.topology.seats.map(({ name, region, url }) => ({ seat: name, region, url })),
    },
    reading.overviews,
  );
  if (reading.problem === null) return status;
  const alert = { vip: null, reason: 'ledger-unreachable', detail: `${reading.problem}; nothing changes on the wire` };
  return { ...status, alerts: [...status.alerts, alert] };
}

/** The overview of the group of the vip in the address, or the problem to answer with. */
async function ofVip({ plane, request }: Call): Promise<{ overview: Overview; vip: string } | HttpResponseInit> {
  const name = request.params.vip ?? '';
  const vip = findVip(plane.deployment.topology, name);
  if (vip === undefined) return refuse(problem(404, 'unknown-vip', 'No such vip', { detail: name.slice(0, 63) }));
  const overview = await readOverview(plane, vip.group);
  if (overview !== undefined) return { overview, vip: name };
  return refuse(problem(503, 'no-ledger', 'Nothing is decided yet', { next: 'see GET /health' }), {
    'retry-after': '5',
  });
}

export async function showVip(call: Call): Promise<HttpResponseInit> {
  const found = await ofVip(call);
  if (!('overview' in found)) return found;
  const frame = { deployment: '', nowMs: found.overview.nowMs, seat: '', ledger: 'ok' as const, outboxDepth: null };
  const row = toStatus(frame, [found.overview]).vips.find((vip) => vip.vip === found.vip);
  return row === undefined ? refuse(problem(503, 'no-ledger', 'Nothing is decided yet')) : json(200, row);
}

export async function showExplanation(call: Call): Promise<HttpResponseInit> {
  const found = await ofVip(call);
  if (!('overview' in found)) return found;
  const { ledger, decision, config, nowMs } = found.overview;
  return json(200, { vip: found.vip, lines: explainVip(ledger.policy, decision, config, found.vip, nowMs) });
}

/**
 * `?vip=&kind=&after=&limit=`: a page of audit records, oldest first. `?last=N`: the newest N instead. Reads the
 * outbox, so it answers while ingestion is down.
 */
export async function showAudit({ plane, request }: Call): Promise<HttpResponseInit> {
  const { query } = request;
  const limit = Number(query.get('limit') ?? query.get('last') ?? AUDIT_PAGE_DEFAULT);
  const kind = query.get('kind') ?? undefined;
  const vip = query.get('vip') ?? undefined;
  if (!Number.isInteger(limit) || limit < 1 || limit > AUDIT_PAGE_MAX) {
    return refuse(problem(400, 'bad-limit', 'Bad limit', { detail: `1 to ${AUDIT_PAGE_MAX}` }));
  }
  if (kind !== undefined && !AUDIT_KINDS.some((known) => known === kind)) {
    return refuse(problem(400, 'bad-kind', 'No such kind', { detail: `one of ${AUDIT_KINDS.join(', ')}` }));
  }
  const group = groupOf(plane, vip, query.get('group'), query.get('after'));
  if (group === undefined) return refuse(problem(404, 'unknown-vip', 'No such vip or group'));
  const filter = { group, limit, ...(vip !== undefined && { vip }), ...(kind !== undefined && { kind }) };
  if (query.has('last')) return json(200, await newest(plane, filter));
  const after = query.get('after') ?? undefined;
  const page = await plane.outbox.page({ ...filter, ...(after !== undefined && { after }) });
  return json(200, page satisfies AuditPage);
}

function groupOf(
  plane: Plane,
  vip: string | undefined,
  group: string | null,
  after: string | null,
): string | undefined {
  const { groups, topology } = plane.deployment;
  if (vip !== undefined) return findVip(topology, vip)?.group;
  const named = group ?? after?.replace(/-\d+-\d+$/, '');
  return named === undefined ? groups[0] : groups.find((known) => known === named);
}

/** The table reads forwards only: begin far enough back by the chain's own count, and keep the end. */
async function newest(
  plane: Plane,
  filter: { group: string; limit: number; vip?: string; kind?: string },
): Promise<AuditPage> {
  const stored = await readOverview(plane, filter.group);
  const { epoch, index } = stored?.ledger.chain ?? { epoch: 0, index: 0 };
  const isFiltered = filter.vip !== undefined || filter.kind !== undefined;
  const isShort = index < filter.limit;
  const after = isFiltered || isShort || epoch === 0 ? undefined : `${filter.group}-${epoch}-${index - filter.limit}`;
  let page = await plane.outbox.page({ ...filter, limit: AUDIT_PAGE_MAX, ...(after !== undefined && { after }) });
  let kept = page.records;
  for (let pages = 0; page.next !== null && pages < TAIL_PAGES_MAX; pages += 1) {
    page = await plane.outbox.page({ ...filter, limit: AUDIT_PAGE_MAX, after: page.next });
    kept = [...kept, ...page.records].slice(-filter.limit);
  }
  return { records: kept.slice(-filter.limit), next: page.next };
}

/** Pages read to find the newest records of a filter. */
const TAIL_PAGES_MAX = 50;

/** Open to everybody, so it tells nothing of vips and regions. */
export async function showHealth({ plane }: Call): Promise<HttpResponseInit> {
  const [reading, depth] = await Promise.all([readAll(plane), outboxDepth(plane)]);
  const decidedAtMs = reading.overviews.reduce<number | null>(
    (oldest, { decidedAtMs: atMs }) => (atMs === null ? oldest : Math.min(oldest ?? atMs, atMs)),
    null,
  );
  const health: Health = {
    ok: reading.state === 'ok' && depth !== null,
    seat: plane.deployment.seat.name,
    leader: reading.overviews[0]?.ledger.seat ?? null,
    ledger: reading.state,
    decisionAgeMs: decidedAtMs === null ? null : plane.clock.nowMs() - decidedAtMs,
    outboxDepth: depth,
  };
  return json(health.ok ? 200 : 503, health);
}
