// Operations: starts one per accepted request, and shows how far each has come.
import { randomUUID } from 'node:crypto';
import type { HttpResponseInit } from '@azure/functions';
import { OrchestrationRuntimeStatus } from 'durable-functions';
import type { Operation } from '../../shared/api.ts';
import { canonicalJson } from '../../shared/audit.ts';
import { OperatingError, problem } from '../../shared/errors.ts';
import { sha256 } from '../audit-chain.ts';
import { type Call, type Client, json, refuse } from '../http/call.ts';
import { parseLedger } from '../ledger.ts';
import type { DrillOutcome } from '../orchestrators/drill.ts';
import { type OperationInput, ORCHESTRATIONS } from '../orchestrators/names.ts';
import type { OperationProgress } from '../orchestrators/operation.ts';
import { isNotFound, startOnce } from '../start-once.ts';
import { cancelKey } from '../wishes.ts';

const KEY_LENGTH_MAX = 200;

/** What one request is identified by: the caller's Idempotency-Key, or nothing but itself. */
export interface RequestIdentity {
  readonly id: string;
  readonly bodyHash: string;
}

/** The same caller with the same key means the same operation; the body tells whether it is the same wish. */
export function identify(call: Call, kind: string, body: unknown): RequestIdentity | HttpResponseInit {
  const key = call.request.headers.get('idempotency-key');
  const bodyHash = sha256(canonicalJson({ kind, path: call.request.params, body }));
  if (key === null) return { id: `op-${randomUUID().slice(0, 18)}`, bodyHash };
  if (key === '' || key.length > KEY_LENGTH_MAX) {
    return refuse(
      problem(400, 'idempotency-key', 'Bad Idempotency-Key', { detail: `1 to ${KEY_LENGTH_MAX} characters` }),
    );
  }
  return { id: `op-${sha256(`${call.principal?.id}|${key}`).slice(0, 18)}`, bodyHash };
}

/** Answers 409 when the key was used for another wish, with the operation when for the same; undefined when it is new. */
export async function findEarlier(call: Call, identity: RequestIdentity): Promise<HttpResponseInit | undefined> {
  const known = await readOperation(call.client, identity.id);
  if (known === undefined) return undefined;
  if (known.bodyHash !== identity.bodyHash) {
    const detail = `this key started ${identity.id} with another request`;
    return refuse(
      problem(409, 'idempotency-conflict', 'Key already used', { detail, next: 'use a new Idempotency-Key' }),
    );
  }
  return accepted(known.operation);
}

export async function startOperation(call: Call, input: OperationInput): Promise<HttpResponseInit> {
  const name = input.kind === 'drill' ? ORCHESTRATIONS.drill : ORCHESTRATIONS.operation;
  await startOnce(call.client, name, input.id, input);
  return accepted(toOperation(input, undefined));
}

const accepted = (operation: Operation): HttpResponseInit =>
  json(202, operation, { location: `/api/operations/${operation.id}`, 'retry-after': '1' });

export async function showOperation(call: Call): Promise<HttpResponseInit> {
  const id = call.request.params.id ?? '';
  const known = /^op-[\w-]{1,60}$/.test(id) ? await readOperation(call.client, id) : undefined;
  if (known !== undefined) return json(200, await asTheLedgerHasIt(call, known));
  return refuse(problem(404, 'unknown-operation', 'No such operation', { detail: id.slice(0, 80) }));
}

export interface KnownOperation {
  readonly operation: Operation;
  readonly bodyHash: string;
  readonly group: string;
  readonly alsoGroups?: readonly string[];
}

/** An operation that sleeps until its time does not know yet that it was cancelled; the ledger does. */
async function asTheLedgerHasIt(call: Call, { operation, group }: KnownOperation): Promise<Operation> {
  if (operation.state !== 'scheduled') return operation;
  const stored = await call.plane.ledger.read(group);
  const parsed = stored.type === 'found' ? parseLedger(stored.text, group) : undefined;
  const cancelled = parsed?.ok ? parsed.value.concluded[cancelKey(operation.id)] : undefined;
  return cancelled === undefined ? operation : { ...operation, state: 'cancelled', problems: [...cancelled.reasons] };
}

export async function readOperation(client: Client, id: string): Promise<KnownOperation | undefined> {
  try {
    const status = await client.getStatus(id);
    const input = status.input as OperationInput;
    const progress = (status.output ?? status.customStatus ?? undefined) as OperationProgress | undefined;
    const hasDied = DEAD.includes(status.runtimeStatus);
    const operation = toOperation(input, hasDied ? undefined : progress);
    const { bodyHash, group, alsoGroups } = input;
    const known = { operation, bodyHash, group, ...(alsoGroups && { alsoGroups }) };
    if (!hasDied) return known;
    const problems = [{ code: 'orchestration', detail: String(status.output ?? status.runtimeStatus).slice(0, 500) }];
    return { ...known, operation: { ...operation, state: 'failed', problems } };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    const detail = error instanceof Error ? error.message : String(error);
    throw new OperatingError('durable-status', detail.slice(0, 500), { retryable: true, cause: error });
  }
}

const DEAD: readonly OrchestrationRuntimeStatus[] = [
  OrchestrationRuntimeStatus.Failed,
  OrchestrationRuntimeStatus.Terminated,
  OrchestrationRuntimeStatus.Canceled,
];

function toOperation(input: OperationInput, progress: OperationProgress | DrillOutcome | undefined): Operation {
  const { id, kind, vip, region, actor, actorType, reason, createdAtMs, deadlineMs } = input;
  return {
    ...{ id, kind, vip, region, actor, actorType, reason, createdAtMs, deadlineMs },
    state: progress?.state ?? 'running',
    finishedAtMs: progress?.finishedAtMs ?? null,
    decisionId: progress?.decisionId ?? null,
    generation: progress?.generation ?? null,
    steps: [...(progress?.steps ?? [])],
    problems: [...(progress?.problems ?? [])],
    ...(progress !== undefined &&
      'report' in progress && { report: { ...progress.report, phases: [...progress.report.phases] } }),
  };
}
