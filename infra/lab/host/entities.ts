// Runs entities: batches of operations one after the other, and the locks of critical sections.
import { randomUUID } from 'node:crypto';
import { ATTEMPTS_MAX, type DurableEngine, findDurable, messageOf, report } from './durable-engine.ts';
import { unknownFunction } from './invocation.ts';
import { type EntityInboxRow, type EntityRow, FINAL_STATUSES } from './task-hub-schema.ts';
import {
  type EntityAnswer,
  type EntityMessage,
  EventType,
  parseSchedulerId,
  returnedValue,
  schedulerId,
} from './wire.ts';

/** Oldest messages that one batch looks at; the rest waits for the next. */
const BATCH_MESSAGES_MAX = 500;

/** What may run now. */
export interface BatchPlan {
  /** Operations, in order. */
  readonly operations: readonly EntityMessage[];
  /** Lock requests that this batch grants, to be passed on along their lock sets. */
  readonly granted: readonly EntityMessage[];
  readonly lockedBy: string | null;
  /** Sequence numbers of all messages that this batch takes. */
  readonly taken: readonly number[];
}

/**
 * Decides what of the inbox may run: while the entity is locked, the lock holder's messages only. A release lets the
 * first of those that waited go on. A lock request whose owner has ended meanwhile (isAlive says no) is dropped.
 */
export function planBatch(
  lockedBy: string | null,
  inbox: readonly EntityInboxRow[],
  isAlive: (message: EntityMessage) => boolean,
): BatchPlan {
  const waiting = [...inbox];
  const operations: EntityMessage[] = [];
  const granted: EntityMessage[] = [];
  const taken: number[] = [];
  let holder = lockedBy;
  for (;;) {
    const index = waiting.findIndex(
      ({ name, message }) => name === 'release' || holder === null || message.parent === holder,
    );
    const [row] = index < 0 ? [] : waiting.splice(index, 1);
    if (!row) return { operations, granted, lockedBy: holder, taken };
    const { message, name } = row;
    taken.push(row.seq);
    if (name === 'release') {
      if (message.parent === holder) holder = null;
    } else if (!message.lockset) {
      operations.push(message);
    } else if (isAlive(message)) {
      holder = message.parent ?? null;
      granted.push(message);
    }
  }
}

/** Runs one batch of the entity, if there is anything for it. Rejects only when the host itself failed. */
export async function runBatch(engine: DurableEngine, entityId: string): Promise<void> {
  const { hub, clock } = engine;
  const entity = hub.entity(entityId) ?? { id: entityId, state: null, present: false, lockedBy: null, attempts: 0 };
  const inbox = hub.entityInbox(entityId, entity.lockedBy, BATCH_MESSAGES_MAX);
  const plan = planBatch(entity.lockedBy, inbox, (message) => isAlive(engine, message));
  if (plan.taken.length === 0) return;
  hub.transaction('entity-begin', () => hub.putEntity({ ...entity, attempts: entity.attempts + 1 }, clock.now()));
  const answer = await runOperations(engine, entity, plan.operations);
  if (hub.isClosed) return;
  hub.transaction('entity', () => commitBatch(engine, entity, plan, answer));
}

function isAlive(engine: DurableEngine, { parent, parentExecution }: EntityMessage): boolean {
  const instance = parent === undefined ? undefined : engine.hub.instance(parent);
  return (
    instance !== undefined && !FINAL_STATUSES.includes(instance.status) && instance.executionId === parentExecution
  );
}

/** Entity handlers report their own errors inside the answer; what rejects here failed as a whole, the state stays. */
async function runOperations(
  engine: DurableEngine,
  entity: EntityRow,
  operations: readonly EntityMessage[],
): Promise<EntityAnswer> {
  const { name = '', key = '' } = parseSchedulerId(entity.id) ?? {};
  const functionName = findDurable(engine, 'entity', name);
  if (operations.length === 0) return failedAnswer(entity, [], '');
  if (functionName === undefined)
    return reportFailure(engine, entity, operations, unknownFunction(name, 'an entity function'));
  if (entity.attempts >= ATTEMPTS_MAX) {
    const reason = `Poison message: a batch of entity '${entity.id}' was begun ${entity.attempts} times and never ended.`;
    return reportFailure(engine, entity, operations, reason);
  }
  const trigger = {
    self: { name, key },
    exists: entity.present,
    state: entity.state,
    batch: operations.map(({ op, input, signal }) => ({ name: op, input: input ?? null, isSignal: signal === true })),
  };
  try {
    const response = await engine.app.invoke(functionName, { entityTrigger: { string: JSON.stringify(trigger) } });
    return returnedValue(response) as EntityAnswer;
  } catch (error) {
    return reportFailure(engine, entity, operations, `Entity function '${functionName}' failed: ${messageOf(error)}`);
  }
}

function reportFailure(
  engine: DurableEngine,
  entity: EntityRow,
  operations: readonly EntityMessage[],
  reason: string,
): EntityAnswer {
  report(engine, 'error', reason);
  return failedAnswer(entity, operations, reason);
}

/** Every operation failed, nothing changed. */
function failedAnswer(entity: EntityRow, operations: readonly EntityMessage[], reason: string): EntityAnswer {
  const results = operations.map(() => ({ isError: true, result: JSON.stringify(reason) }));
  return { entityExists: entity.present, entityState: entity.state, results, signals: [] };
}

function commitBatch(engine: DurableEngine, entity: EntityRow, plan: BatchPlan, answer: EntityAnswer): void {
  const { hub } = engine;
  hub.deleteEntityMessages(plan.taken);
  // The state is kept even when an operation failed: there is no rollback on the out-of-process path.
  const state = answer.entityExists ? (answer.entityState ?? null) : null;
  const row = { id: entity.id, state, present: answer.entityExists, lockedBy: plan.lockedBy, attempts: 0 };
  hub.putEntity(row, engine.clock.now());
  for (const [index, message] of plan.operations.entries()) {
    const { isError = true, result } = answer.results[index] ?? {};
    // A call waits for the answer, a signal does not.
    if (!message.signal)
      reply(engine, message, { ...(result !== undefined && { result }), ...(isError && { exceptionType: 'Error' }) });
  }
  for (const message of plan.granted) passLockOn(engine, message);
  for (const signal of answer.signals) {
    const message = { id: randomUUID(), op: signal.name, signal: true, ...(signal.input && { input: signal.input }) };
    hub.sendToEntity(schedulerId(signal.target), 'op', { ...message, parent: entity.id });
  }
  if (plan.taken.length >= BATCH_MESSAGES_MAX || plan.lockedBy !== entity.lockedBy) hub.touchEntity(entity.id);
}

/** The reply is an event named after the request, bound to the execution that asked. */
function reply(
  engine: DurableEngine,
  request: EntityMessage,
  answer: { result?: string; exceptionType?: string },
): void {
  if (request.parent === undefined || request.parentExecution === undefined) return;
  engine.hub.deliver(request.parent, request.parentExecution, {
    EventType: EventType.EventRaised,
    EventId: -1,
    Name: request.id,
    Input: JSON.stringify(answer),
  });
}

/** The last entity of the lock set tells the instance that it holds all of them. */
function passLockOn(engine: DurableEngine, message: EntityMessage): void {
  const pos = (message.pos ?? 0) + 1;
  const next = message.lockset?.[pos];
  if (next) engine.hub.sendToEntity(schedulerId(next), 'op', { ...message, pos });
  else reply(engine, message, { result: JSON.stringify('Lock Acquisition Completed') });
}
