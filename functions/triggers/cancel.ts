// Cancels an operation: what waits is dropped, a drill goes back; what is on the wire takes the opposite move.
import type { HttpResponseInit } from '@azure/functions';
import type { Operation } from '../../shared/api.ts';
import { problem } from '../../shared/errors.ts';
import type { Wish } from '../activities/names.ts';
import { sha256 } from '../audit-chain.ts';
import { type Call, refuse } from '../http/call.ts';
import type { OperationInput } from '../orchestrators/names.ts';
import { readOverview } from '../overview.ts';
import { actorOf, refuseFollower } from './moves.ts';
import { findEarlier, type KnownOperation, readOperation, startOperation } from './operations.ts';

const REASON_LENGTH_MAX = 500;

/** `DELETE /operations/{id}?reason=`: starts an operation of its own, the same one however often it is asked. */
export async function cancelOperation(call: Call): Promise<HttpResponseInit> {
  const id = call.request.params.id ?? '';
  const known = /^op-[\w-]{1,60}$/.test(id) ? await readOperation(call.client, id) : undefined;
  if (known === undefined) {
    return refuse(problem(404, 'unknown-operation', 'No such operation', { detail: id.slice(0, 80) }));
  }
  const identity = { id: `op-${sha256(`cancel|${id}`).slice(0, 18)}`, bodyHash: sha256(`cancel|${id}`) };
  const earlier = await findEarlier(call, identity);
  if (earlier !== undefined) return earlier;
  const overview = await readOverview(call.plane, known.group);
  const refused = refuseEnded(known.operation) ?? (overview && refuseFollower(call, overview));
  return refused ?? startOperation(call, toInput(call, known, identity));
}

function refuseEnded(operation: Operation): HttpResponseInit | undefined {
  const { id, state, kind, generation } = operation;
  if (state !== 'running' && state !== 'scheduled') {
    return refuse(problem(409, 'operation-ended', 'The operation is over', { detail: `${id} is ${state}`, operation }));
  }
  if (generation === null || kind === 'drill') return undefined;
  const detail = `${id} was committed as generation ${generation} and is being proved`;
  const next = 'ask for the opposite move';
  return refuse(problem(409, 'already-committed', 'Too late to cancel', { detail, operation, next }));
}

function toInput(call: Call, known: KnownOperation, identity: { id: string; bodyHash: string }): OperationInput {
  const { operation, group } = known;
  const reason = call.request.query.get('reason')?.trim().slice(0, REASON_LENGTH_MAX) || `cancel ${operation.id}`;
  const nowMs = call.plane.clock.nowMs();
  const who = actorOf(call);
  const isDrill = operation.kind === 'drill';
  const wish: Wish = { type: 'cancel', operation: operation.id, isDrill, reason, ...who };
  return {
    ...{ kind: 'cancel', group, vip: operation.vip, region: operation.region, reason, wish, ...identity, ...who },
    ...(known.alsoGroups !== undefined && { alsoGroups: known.alsoGroups }),
    createdAtMs: nowMs,
    deadlineMs: nowMs + call.plane.deployment.topology.guards.intentSeconds * 1000,
  };
}
