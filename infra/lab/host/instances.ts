// Adds instances to the task hub.
import { randomUUID } from 'node:crypto';
import { type DurableEngine, findDurable } from './durable-engine.ts';
import { FINAL_STATUSES, type ParentRow } from './task-hub-schema.ts';

export interface NewInstance {
  readonly name: string;
  readonly id: string;
  /** JSON text. */
  readonly input: string;
  readonly version: string | undefined;
  readonly parent: ParentRow | null;
}

/**
 * Adds an instance inside the caller's transaction; an ended one of the same id is overwritten. Returns the reason when
 * one of that id is still running (overridableExistingInstanceStates = NonRunningStates), else undefined.
 */
export function createInstance(engine: DurableEngine, start: NewInstance): string | undefined {
  const existing = engine.hub.instance(start.id);
  if (existing && !FINAL_STATUSES.includes(existing.status)) {
    return `An Orchestration instance with the status ${existing.status} already exists.`;
  }
  const nowMs = engine.clock.now();
  engine.hub.createInstance({
    id: start.id,
    name: findDurable(engine, 'orchestration', start.name) ?? start.name,
    version: start.version ?? engine.settings.defaultVersion,
    executionId: randomUUID(),
    input: start.input,
    customStatus: null,
    createdMs: nowMs,
    updatedMs: nowMs,
    parent: start.parent,
  });
  return undefined;
}
