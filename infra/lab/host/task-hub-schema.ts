// The tables of the task hub in SQLite, and the types of their rows.
import type { EntityMessage, EntityMessageName, EventBody } from './wire.ts';

/** Raise it with every change of the tables: a hub of another version is refused, not guessed at. */
export const SCHEMA_VERSION = 1;

export const SCHEMA = `
CREATE TABLE instances (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, execution_id TEXT NOT NULL, status TEXT NOT NULL,
  input TEXT NOT NULL, output TEXT, custom_status TEXT, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
  parent TEXT, locks TEXT, attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX instances_by_status ON instances (status, updated_ms);
CREATE TABLE history (
  instance_id TEXT NOT NULL, seq INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (instance_id, seq)
) STRICT, WITHOUT ROWID;
-- Messages to instances. due_ms lies in the future for timers; execution_id binds a message to one execution.
CREATE TABLE inbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL, execution_id TEXT, due_ms INTEGER NOT NULL,
  event TEXT NOT NULL
) STRICT;
CREATE INDEX inbox_by_instance ON inbox (instance_id, due_ms, seq);
CREATE INDEX inbox_by_due ON inbox (due_ms);
CREATE TABLE activities (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL, execution_id TEXT NOT NULL, task_id INTEGER NOT NULL,
  name TEXT NOT NULL, input TEXT, attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE entities (
  id TEXT PRIMARY KEY, state TEXT, present INTEGER NOT NULL, locked_by TEXT, updated_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE entity_inbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, entity_id TEXT NOT NULL, name TEXT NOT NULL, message TEXT NOT NULL
) STRICT;
CREATE INDEX entity_inbox_by_entity ON entity_inbox (entity_id, seq);
-- When each timer trigger last ran and was next due, so that a missed run is seen after a restart.
CREATE TABLE schedules (
  function_name TEXT PRIMARY KEY, schedule TEXT NOT NULL, last_ms INTEGER NOT NULL, next_ms INTEGER NOT NULL
) STRICT;
`;

export const RUNTIME_STATUSES = ['Pending', 'Running', 'Suspended', 'Completed', 'Failed', 'Terminated'] as const;
export type RuntimeStatus = (typeof RUNTIME_STATUSES)[number];
export type FinalStatus = 'Completed' | 'Failed' | 'Terminated';
export const FINAL_STATUSES: readonly RuntimeStatus[] = ['Completed', 'Failed', 'Terminated'];

/** The orchestration that waits for a sub-orchestration. */
export interface ParentRow {
  readonly id: string;
  readonly name: string;
  readonly executionId: string;
  readonly taskId: number;
}

/** Entity locks that an execution holds or has asked for. */
export interface LocksRow {
  readonly id: string;
  readonly entityIds: readonly string[];
}

/** input, output and customStatus are JSON texts. */
export interface InstanceRow {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly executionId: string;
  readonly status: RuntimeStatus;
  readonly input: string;
  readonly output: string | null;
  readonly customStatus: string | null;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly parent: ParentRow | null;
  readonly locks: LocksRow | null;
  /** How often a turn was begun since the last one that was committed. */
  readonly attempts: number;
}

export interface InboxRow {
  readonly seq: number;
  readonly event: EventBody;
}

export interface ActivityRow {
  readonly seq: number;
  readonly instanceId: string;
  readonly executionId: string;
  readonly taskId: number;
  readonly name: string;
  /** JSON text; null when the activity has no input. */
  readonly input: string | null;
  readonly attempts: number;
}

export interface EntityRow {
  readonly id: string;
  /** JSON text of the state. */
  readonly state: string | null;
  readonly present: boolean;
  /** The instance that holds the entity's lock. */
  readonly lockedBy: string | null;
  readonly attempts: number;
}

export interface EntityInboxRow {
  readonly seq: number;
  readonly name: EntityMessageName;
  readonly message: EntityMessage;
}

export interface ScheduleRow {
  readonly schedule: string;
  readonly lastMs: number;
  readonly nextMs: number;
}

/** Which instances a query or purge means; times are epoch milliseconds. */
export interface InstanceFilter {
  readonly statuses?: readonly RuntimeStatus[];
  readonly createdFromMs?: number;
  readonly createdToMs?: number;
  readonly updatedToMs?: number;
}
