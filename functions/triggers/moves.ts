// Requests that change something: failover, failback, drain, undrain, holds, drills. Each becomes a wish the engine judges.
import type { HttpResponseInit } from '@azure/functions';
import type { z } from 'zod';
import {
  AT_DAYS_MAX,
  drainRequestSchema,
  drillRequestSchema,
  failbackRequestSchema,
  failoverRequestSchema,
  holdRequestSchema,
  type Plan,
  trustRequestSchema,
} from '../../shared/api.ts';
import { problem } from '../../shared/errors.ts';
import { findRegion, findVip } from '../../shared/topology.ts';
import type { ActorType } from '../../shared/vocabulary.ts';
import type { Wish } from '../activities/names.ts';
import type { Intent } from '../engine/types.ts';
import { readBody } from '../http/body.ts';
import { type Call, json, refuse } from '../http/call.ts';
import { REQUEST_BYTES_MAX } from '../limits.ts';
import type { OperationInput, OperationKind } from '../orchestrators/names.ts';
import { type Overview, readOverview } from '../overview.ts';
import { findEarlier, identify, startOperation } from './operations.ts';
import { toPlan } from './plan.ts';

/** A request as understood, before anybody judges it. */
interface Asked {
  readonly kind: Exclude<OperationKind, 'cancel'>;
  readonly group: string;
  /** Further groups that the same request is about. */
  readonly alsoGroups?: readonly string[];
  readonly vip: string | null;
  readonly region: string | null;
  readonly reason: string;
  readonly dryRun: boolean;
  readonly seenGeneration?: number | undefined;
  readonly force: readonly string[];
  readonly body: unknown;
  readonly seconds?: number;
  readonly full?: boolean;
  /** Epoch ms: not before then. */
  readonly atMs?: number | undefined;
}

type Understood = Asked | HttpResponseInit;
const isAsked = (understood: Understood): understood is Asked => 'kind' in understood;

const notFound = (code: string, what: string, name: string): HttpResponseInit =>
  refuse(problem(404, code, `No such ${what}`, { detail: name.slice(0, 80) }));

/** Reads the body, lets `understand` make sense of it, and carries it through. */
const handler =
  <T extends z.ZodType>(schema: T, understand: (call: Call, body: z.output<T>) => Understood) =>
  async (call: Call): Promise<HttpResponseInit> => {
    const body = await readBody(call.request, schema, REQUEST_BYTES_MAX);
    if (!body.ok) return refuse(body.error);
    const asked = understand(call, body.value);
    return isAsked(asked) ? carryThrough(call, asked) : asked;
  };

function ofVip(
  call: Call,
  name: string,
  asked: Pick<Asked, 'kind' | 'reason' | 'force' | 'body'> & Partial<Asked>,
): Understood {
  const vip = findVip(call.plane.deployment.topology, name);
  if (vip === undefined) return notFound('unknown-vip', 'vip', name);
  const region = asked.region ?? null;
  if (region !== null && !vip.regions.includes(region))
    return notFound('unknown-region', `region of ${vip.name}`, region);
  return { dryRun: false, ...asked, group: vip.group, vip: vip.name, region };
}

export const failover = handler(failoverRequestSchema, (call, body) =>
  ofVip(call, call.request.params.vip ?? '', { ...body, kind: 'failover', region: body.to ?? null, body }),
);

export const failback = handler(failbackRequestSchema, (call, body) =>
  ofVip(call, call.request.params.vip ?? '', { ...body, kind: 'failback', body }),
);

const ofRegion = (kind: 'drain' | 'undrain') =>
  handler(drainRequestSchema, (call, body) => {
    const region = call.request.params.region ?? '';
    if (findRegion(call.plane.deployment.topology, region) === undefined)
      return notFound('unknown-region', 'region', region);
    const { vip: vipName, ...rest } = body;
    if (vipName !== undefined) return ofVip(call, vipName, { ...rest, kind, region, body });
    const groups = [
      ...new Set(
        call.plane.deployment.topology.vips.filter((vip) => vip.regions.includes(region)).map((vip) => vip.group),
      ),
    ];
    const [group, ...alsoGroups] = groups;
    if (group === undefined) return notFound('unknown-region', 'region with vips', region);
    return { ...body, kind, group, alsoGroups, vip: null, region, body };
  });
export const drain = ofRegion('drain');
export const undrain = ofRegion('undrain');

export const hold = handler(holdRequestSchema, (call, body) => {
  const { vip: vipName, ...rest } = body;
  const asked = { ...rest, kind: 'hold' as const, force: [], body };
  if (vipName !== undefined) return ofVip(call, vipName, asked);
  const [group = 'default', ...alsoGroups] = call.plane.deployment.groups;
  return { ...asked, group, alsoGroups, vip: null, region: null };
});

export const drill = handler(drillRequestSchema, (call, body) =>
  ofVip(call, body.vip, { ...body, kind: 'drill', region: body.to ?? null, force: [], body }),
);

export const trustLedger = handler(trustRequestSchema, (call, body) => {
  const group = call.request.params.group ?? '';
  if (!call.plane.deployment.groups.includes(group)) return notFound('unknown-group', 'group', group);
  return { ...body, kind: 'trust-ledger', group, vip: null, region: null, dryRun: false, force: [], body };
});

const REASON_LENGTH_MAX = 500;

/** Releasing needs no body: the hold says whose it is, the token who releases it, `?reason=` why. */
export async function releaseHold(call: Call): Promise<HttpResponseInit> {
  const id = call.request.params.id ?? '';
  const overviews = await Promise.all(call.plane.deployment.groups.map((group) => readOverview(call.plane, group)));
  const holding = overviews.filter((one) => one?.ledger.policy.holds.some((known) => known.id === id));
  const [overview, ...others] = holding.filter((one) => one !== undefined);
  const held = overview?.ledger.policy.holds.find((known) => known.id === id);
  if (overview === undefined || held === undefined) return notFound('unknown-hold', 'hold', id);
  const asked: Asked = {
    kind: 'hold',
    group: overview.group,
    alsoGroups: others.map((one) => one.group),
    vip: held.vip ?? null,
    region: null,
    reason: call.request.query.get('reason')?.trim().slice(0, REASON_LENGTH_MAX) || `release ${id}`,
    dryRun: false,
    force: [],
    body: { release: id },
  };
  const refused = refuseFollower(call, overview);
  if (refused !== undefined) return refused;
  const identity = identify(call, 'release', asked.body);
  if (!('id' in identity)) return identity;
  const wish: Wish = { type: 'release', id, ...actorOf(call) };
  return (await findEarlier(call, identity)) ?? startOperation(call, toInput(call, asked, identity, wish));
}

// ---------------------------------------------------------------- the way of every change

async function carryThrough(call: Call, asked: Asked): Promise<HttpResponseInit> {
  const identity = identify(call, asked.kind, asked.body);
  if (!('id' in identity)) return identity;
  const late = refuseTime(call, asked);
  if (late !== undefined) return late;
  const earlier = asked.dryRun ? undefined : await findEarlier(call, identity);
  if (earlier !== undefined) return earlier;
  const wish = toWish(call, asked, identity.id);
  const overviews = await readGroups(call, asked, wish);
  const [overview] = overviews;
  if (overview === undefined) {
    const next = 'wait for the first decision, or see GET /health';
    return refuse(problem(503, 'no-ledger', 'Nothing is decided yet', { next }), { 'retry-after': '5' });
  }
  const plan = joinPlans(overviews.map((one) => toPlan(one, wish.type === 'intent' ? wish.intent.id : '')));
  if (asked.seenGeneration !== undefined && asked.seenGeneration !== overview.ledger.generation) {
    const detail = `seen at generation ${asked.seenGeneration}, now ${overview.ledger.generation}`;
    return refuse(
      problem(409, 'moved-on', 'The ledger moved on since the preview', { detail, plan, next: 'look at the new plan' }),
    );
  }
  if (asked.dryRun) return json(200, plan);
  for (const one of overviews) {
    const refused = refuseFollower(call, one) ?? refuseConflict(asked, one);
    if (refused !== undefined) return refused;
  }
  return startOperation(call, toInput(call, asked, identity, wish));
}

/** Empty when any of the groups has no ledger yet: a change is made in all of them or in none. */
async function readGroups(call: Call, asked: Asked, wish: Wish): Promise<readonly Overview[]> {
  const groups = [asked.group, ...(asked.alsoGroups ?? [])];
  // A preview of a later move tells what it would do now.
  const intent = wish.type === 'intent' ? presently(wish.intent) : undefined;
  const read = await Promise.all(groups.map((group) => readOverview(call.plane, group, intent)));
  const found = read.filter((one) => one !== undefined);
  return found.length === groups.length ? found : [];
}

function presently(intent: Intent): Intent {
  const { notBeforeMs: _later, ...now } = intent;
  return now;
}

function joinPlans(plans: readonly Plan[]): Plan {
  const [first] = plans;
  if (first === undefined) throw new Error('no plan');
  return {
    ...first,
    allowed: plans.every((plan) => plan.allowed),
    alreadySo: plans.every((plan) => plan.alreadySo),
    actions: plans.flatMap((plan) => plan.actions),
    blocked: plans.flatMap((plan) => plan.blocked),
    explanation: plans.flatMap((plan) => plan.explanation),
  };
}

const DAY_MS = 24 * 3600_000;

function refuseTime(call: Call, asked: Asked): HttpResponseInit | undefined {
  const nowMs = call.plane.clock.nowMs();
  if (asked.atMs === undefined || (asked.atMs > nowMs && asked.atMs <= nowMs + AT_DAYS_MAX * DAY_MS)) return undefined;
  const detail = `atMs must lie ahead, by ${AT_DAYS_MAX} days at most; it is ${nowMs} now`;
  return refuse(problem(400, 'bad-time', 'Not a time to act at', { detail }));
}

/** Only the leader may change the ledger; a follower says who that is. */
export function refuseFollower(call: Call, overview: Overview): HttpResponseInit | undefined {
  if (overview.otherLeader === null) return undefined;
  const leader = call.plane.deployment.topology.seats.find((seat) => seat.name === overview.otherLeader);
  const next = `ask ${leader?.url ?? overview.otherLeader}`;
  return refuse(
    problem(409, 'not-leader', 'Another seat leads', { detail: overview.otherLeader, leader: leader?.url, next }),
  );
}

function refuseConflict(asked: Asked, overview: Overview): HttpResponseInit | undefined {
  if (asked.kind === 'hold' || asked.kind === 'trust-ledger' || asked.atMs !== undefined) return undefined;
  const other = overview.ledger.policy.intents.find(
    (intent) =>
      intent.deadlineMs > overview.nowMs &&
      (intent.notBeforeMs ?? 0) <= overview.nowMs &&
      (intent.vip === undefined || asked.vip === null || intent.vip === asked.vip),
  );
  if (other === undefined) return undefined;
  const detail = `${other.actor} asked for ${other.type} (${other.reason}) in ${other.operation || other.id}`;
  return refuse(
    problem(409, 'operation-running', 'Another operation is under way', { detail, operation: other.operation }),
  );
}

export function actorOf(call: Call): { actor: string; actorType: ActorType } {
  const { principal } = call;
  return { actor: principal?.name ?? 'unknown', actorType: principal?.isApplication ? 'runbook' : 'human' };
}

function toWish(call: Call, asked: Asked, id: string): Wish {
  const who = actorOf(call);
  const { kind, vip, reason } = asked;
  if (kind === 'hold') {
    return {
      type: 'hold',
      id: `h-${id.slice(3)}`,
      vip,
      seconds: asked.seconds ?? 3600,
      full: asked.full ?? false,
      reason,
      ...who,
    };
  }
  const nowMs = call.plane.clock.nowMs();
  const startMs = asked.atMs ?? nowMs;
  const intent: Intent = {
    id: `i-${id.slice(3)}`,
    type: kind === 'drill' ? 'failover' : kind,
    ...(vip !== null && { vip }),
    ...(asked.region !== null && { region: asked.region }),
    ...who,
    reason,
    force: asked.force,
    createdAtMs: nowMs,
    ...(asked.atMs !== undefined && { notBeforeMs: startMs }),
    deadlineMs: startMs + call.plane.deployment.topology.guards.intentSeconds * 1000,
    operation: id,
  };
  return { type: 'intent', intent };
}

function toInput(call: Call, asked: Asked, identity: { id: string; bodyHash: string }, wish: Wish): OperationInput {
  const nowMs = call.plane.clock.nowMs();
  const { kind, group, vip, region, reason } = asked;
  return {
    ...{ kind, group, vip, region, reason, wish },
    id: identity.id,
    bodyHash: identity.bodyHash,
    ...actorOf(call),
    createdAtMs: nowMs,
    deadlineMs: (asked.atMs ?? nowMs) + call.plane.deployment.topology.guards.intentSeconds * 1000,
    ...(asked.alsoGroups !== undefined && asked.alsoGroups.length > 0 && { alsoGroups: asked.alsoGroups }),
    ...(asked.seconds !== undefined && { seconds: asked.seconds }),
  };
}
