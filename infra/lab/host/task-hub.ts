// The task hub: every instance, message, timer, activity and entity in SQLite, changed in transactions only.
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { quoted, type Row, textOrNull, toInstance, whereOf } from './task-hub-rows.ts';
import {
  type ActivityRow,
  type EntityInboxRow,
  type EntityRow,
  FINAL_STATUSES,
  type InboxRow,
  type InstanceFilter,
  type InstanceRow,
  SCHEMA,
  SCHEMA_VERSION,
  type ScheduleRow,
} from './task-hub-schema.ts';
import { type EntityMessage, type EntityMessageName, type EventBody, EventType, type HistoryEvent } from './wire.ts';

/** What a transaction gave work to; known to the listener only once it has been committed. */
export interface Touched {
  readonly instances: Set<string>;
  readonly entities: Set<string>;
  readonly activities: Set<string>;
  timers: boolean;
}

export interface TaskHubOptions {
  /** Called at '<name>:before' and '<name>:after' each commit; a test kills the process there. */
  readonly onCommitPoint?: ((point: string) => void) | undefined;
  readonly onCommitted?: (touched: Touched) => void;
}

/** An ExecutionStarted must come first in its execution's history, whatever was raised before it. */
const DUE_FIRST = -1;
const DUE_NOW = 0;

/**
 * Opens or makes the task hub. One process owns it: a second one is refused ('database is locked') until the first is
 * gone. WAL with synchronous OFF loses nothing when the process is killed (it may on power loss: this is a lab); waiting
 * for the disk at each checkpoint would stop the event loop for 10 to 80 ms every second or two.
 */
export class TaskHub {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #options: TaskHubOptions;
  #touched: Touched | undefined;
  #closed = false;

  constructor(file: string, options: TaskHubOptions = {}) {
    this.#options = options;
    this.#db = new DatabaseSync(file);
    this.#db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;');
    const found = Number((this.#db.prepare('PRAGMA user_version').get() as Row).user_version);
    if (found === 0) this.#db.exec(`BEGIN; ${SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
    else if (found !== SCHEMA_VERSION) {
      this.#db.close();
      throw new Error(
        `The task hub ${file} has schema version ${found}, this host knows ${SCHEMA_VERSION}: start with a new file.`,
      );
    }
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#statements.clear();
    this.#db.close();
  }

  /** Everything inside happens, or nothing. Rolls back when run throws. Cannot be nested. */
  transaction<T>(name: string, run: () => T): T {
    const touched: Touched = { instances: new Set(), entities: new Set(), activities: new Set(), timers: false };
    this.#db.exec('BEGIN IMMEDIATE');
    this.#touched = touched;
    let result: T;
    try {
      result = run();
      this.#options.onCommitPoint?.(`${name}:before`);
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    } finally {
      this.#touched = undefined;
    }
    this.#options.onCommitted?.(touched);
    this.#options.onCommitPoint?.(`${name}:after`);
    return result;
  }

  // ---------- instances

  instance(id: string): InstanceRow | undefined {
    const row = this.#get('SELECT * FROM instances WHERE id = ?', id);
    return row && toInstance(row);
  }

  /** Instances that fit the filter, oldest first, from the given offset on. */
  instances(filter: InstanceFilter, limit: number, offset = 0): InstanceRow[] {
    const { where, values } = whereOf(filter);
    const rows = this.#all(
      `SELECT * FROM instances ${where} ORDER BY created_ms, id LIMIT ? OFFSET ?`,
      ...values,
      limit,
      offset,
    );
    return rows.map(toInstance);
  }

  countUnfinished(): number {
    const row = this.#get(`SELECT count(*) AS n FROM instances WHERE status NOT IN (${quoted(FINAL_STATUSES)})`);
    return Number(row?.n);
  }

  /** Adds the instance, or replaces one that has ended, with its history. Its ExecutionStarted waits in the inbox. */
  createInstance(row: Omit<InstanceRow, 'output' | 'locks' | 'attempts' | 'status'>): void {
    this.#run('DELETE FROM history WHERE instance_id = ?', row.id);
    this.#run('DELETE FROM inbox WHERE instance_id = ? AND execution_id IS NOT NULL', row.id);
    this.#run(
      `INSERT OR REPLACE INTO instances (id, name, version, execution_id, status, input, custom_status, created_ms, updated_ms, parent)
       VALUES (?, ?, ?, ?, 'Pending', ?, ?, ?, ?, ?)`,
      ...[row.id, row.name, row.version, row.executionId, row.input, row.customStatus, row.createdMs, row.updatedMs],
      row.parent && JSON.stringify(row.parent),
    );
    this.#insertMessage(row.id, row.executionId, DUE_FIRST, {
      EventType: EventType.ExecutionStarted,
      EventId: -1,
      Name: row.name,
      Version: row.version,
      Input: row.input,
      OrchestrationInstance: { InstanceId: row.id, ExecutionId: row.executionId },
      ParentInstance: row.parent && {
        Name: row.parent.name,
        OrchestrationInstance: { InstanceId: row.parent.id },
        TaskScheduleId: row.parent.taskId,
      },
    });
  }

  /** Stores what a turn may change. */
  updateInstance(
    row: Pick<InstanceRow, 'id' | 'status' | 'output' | 'customStatus' | 'locks' | 'attempts' | 'updatedMs'>,
  ): void {
    this.#run(
      'UPDATE instances SET status = ?, output = ?, custom_status = ?, locks = ?, attempts = ?, updated_ms = ? WHERE id = ?',
      ...[
        row.status,
        row.output,
        row.customStatus,
        row.locks && JSON.stringify(row.locks),
        row.attempts,
        row.updatedMs,
        row.id,
      ],
    );
  }

  countTurnAttempt(id: string): void {
    this.#run('UPDATE instances SET attempts = attempts + 1 WHERE id = ?', id);
  }

  /** Removes instances with their history and messages; returns how many. Only ended ones may be given. */
  purge(ids: readonly string[]): number {
    for (const id of ids) {
      this.#run('DELETE FROM history WHERE instance_id = ?', id);
      this.#run('DELETE FROM inbox WHERE instance_id = ?', id);
      this.#run('DELETE FROM instances WHERE id = ?', id);
    }
    return ids.length;
  }

  // ---------- history

  history(instanceId: string): HistoryEvent[] {
    const rows = this.#all('SELECT event FROM history WHERE instance_id = ? ORDER BY seq', instanceId);
    return rows.map((row) => JSON.parse(String(row.event)) as HistoryEvent);
  }

  /** Appends events after the given number of events already there. */
  appendHistory(instanceId: string, after: number, events: readonly HistoryEvent[]): void {
    for (const [index, event] of events.entries()) {
      this.#run(
        'INSERT INTO history (instance_id, seq, event) VALUES (?, ?, ?)',
        instanceId,
        after + index,
        JSON.stringify(event),
      );
    }
  }

  // ---------- messages to instances

  /** Messages that are due, in order. */
  inbox(instanceId: string, nowMs: number, limit: number): InboxRow[] {
    const sql = 'SELECT seq, event FROM inbox WHERE instance_id = ? AND due_ms <= ? ORDER BY due_ms, seq LIMIT ?';
    const rows = this.#all(sql, instanceId, nowMs, limit);
    return rows.map((row) => ({ seq: Number(row.seq), event: JSON.parse(String(row.event)) as EventBody }));
  }

  deleteMessages(seqs: readonly number[]): void {
    for (const seq of seqs) this.#run('DELETE FROM inbox WHERE seq = ?', seq);
  }

  /** Drops all messages of an instance that has ended. */
  clearInbox(instanceId: string): void {
    this.#run('DELETE FROM inbox WHERE instance_id = ?', instanceId);
  }

  /** Has the instance looked at again after the commit. */
  touchInstance(instanceId: string): void {
    this.#inTransaction().instances.add(instanceId);
  }

  /**
   * Puts an event into an instance's inbox. executionId binds it to that execution (completions, timers); null is for
   * whichever execution runs (external events, commands). Returns false when there is no such execution, or it has
   * ended.
   */
  deliver(instanceId: string, executionId: string | null, event: EventBody, dueMs = DUE_NOW): boolean {
    const instance = this.instance(instanceId);
    if (!instance || FINAL_STATUSES.includes(instance.status)) return false;
    if (executionId !== null && instance.executionId !== executionId) return false;
    this.#insertMessage(instanceId, executionId, dueMs, event);
    return true;
  }

  #insertMessage(instanceId: string, executionId: string | null, dueMs: number, event: EventBody): void {
    const sql = 'INSERT INTO inbox (instance_id, execution_id, due_ms, event) VALUES (?, ?, ?, ?)';
    this.#run(sql, instanceId, executionId, dueMs, JSON.stringify(event));
    const touched = this.#inTransaction();
    if (dueMs > DUE_NOW) touched.timers = true;
    // Timers too: they may be due already.
    touched.instances.add(instanceId);
  }

  /** Instances with messages that are due, suspended ones included. */
  instancesDue(nowMs: number): string[] {
    const rows = this.#all('SELECT DISTINCT instance_id FROM inbox WHERE due_ms <= ?', nowMs);
    return rows.map((row) => String(row.instance_id));
  }

  /** When the next timer after nowMs is due. */
  nextDueMs(nowMs: number): number | undefined {
    const due = this.#get('SELECT min(due_ms) AS due FROM inbox WHERE due_ms > ?', nowMs)?.due;
    return due === null || due === undefined ? undefined : Number(due);
  }

  // ---------- activities

  scheduleActivity(row: Omit<ActivityRow, 'seq' | 'attempts'>): void {
    const { lastInsertRowid } = this.#run(
      'INSERT INTO activities (instance_id, execution_id, task_id, name, input) VALUES (?, ?, ?, ?, ?)',
      ...[row.instanceId, row.executionId, row.taskId, row.name, row.input],
    );
    this.#inTransaction().activities.add(String(lastInsertRowid));
  }

  /** Counts the attempt that begins now and returns the activity; undefined when it is done already. */
  beginActivity(seq: number): ActivityRow | undefined {
    const row = this.#get('UPDATE activities SET attempts = attempts + 1 WHERE seq = ? RETURNING *', seq);
    return (
      row && {
        seq: Number(row.seq),
        instanceId: String(row.instance_id),
        executionId: String(row.execution_id),
        taskId: Number(row.task_id),
        name: String(row.name),
        input: textOrNull(row.input),
        attempts: Number(row.attempts),
      }
    );
  }

  deleteActivity(seq: number): void {
    this.#run('DELETE FROM activities WHERE seq = ?', seq);
  }

  activitiesPending(): string[] {
    return this.#all('SELECT seq FROM activities ORDER BY seq').map((row) => String(row.seq));
  }

  // ---------- entities

  entity(id: string): EntityRow | undefined {
    const row = this.#get('SELECT * FROM entities WHERE id = ?', id);
    return (
      row && {
        id: String(row.id),
        state: textOrNull(row.state),
        present: Number(row.present) === 1,
        lockedBy: textOrNull(row.locked_by),
        attempts: Number(row.attempts),
      }
    );
  }

  /** Stores the entity; one that neither exists nor is locked leaves no row behind. */
  putEntity(row: EntityRow, updatedMs: number): void {
    if (!row.present && row.lockedBy === null && row.attempts === 0) {
      this.#run('DELETE FROM entities WHERE id = ?', row.id);
      return;
    }
    this.#run(
      'INSERT OR REPLACE INTO entities (id, state, present, locked_by, updated_ms, attempts) VALUES (?, ?, ?, ?, ?, ?)',
      ...[row.id, row.state, row.present ? 1 : 0, row.lockedBy, updatedMs, row.attempts],
    );
  }

  sendToEntity(entityId: string, name: EntityMessageName, message: EntityMessage): void {
    this.#run(
      'INSERT INTO entity_inbox (entity_id, name, message) VALUES (?, ?, ?)',
      ...[entityId, name, JSON.stringify(message)],
    );
    this.#inTransaction().entities.add(entityId);
  }

  /** Has the entity looked at again after the commit. */
  touchEntity(entityId: string): void {
    this.#inTransaction().entities.add(entityId);
  }

  /** The oldest messages, and all from the holder of the entity's lock: else a long queue could hide its release. */
  entityInbox(entityId: string, lockedBy: string | null, limit: number): EntityInboxRow[] {
    const rows = this.#all(
      `SELECT seq, name, message FROM entity_inbox WHERE entity_id = ?1 AND (message ->> '$.parent' = ?2
         OR seq IN (SELECT seq FROM entity_inbox WHERE entity_id = ?1 ORDER BY seq LIMIT ?3)) ORDER BY seq`,
      ...[entityId, lockedBy, limit],
    );
    return rows.map((row) => ({
      seq: Number(row.seq),
      name: row.name as EntityMessageName,
      message: JSON.parse(String(row.message)) as EntityMessage,
    }));
  }

  deleteEntityMessages(seqs: readonly number[]): void {
    for (const seq of seqs) this.#run('DELETE FROM entity_inbox WHERE seq = ?', seq);
  }

  entitiesPending(): string[] {
    return this.#all('SELECT DISTINCT entity_id FROM entity_inbox').map((row) => String(row.entity_id));
  }

  // ---------- timer triggers

  schedule(functionName: string): ScheduleRow | undefined {
    const row = this.#get('SELECT * FROM schedules WHERE function_name = ?', functionName);
    return row && { schedule: String(row.schedule), lastMs: Number(row.last_ms), nextMs: Number(row.next_ms) };
  }

  putSchedule(functionName: string, row: ScheduleRow): void {
    this.#run(
      'INSERT OR REPLACE INTO schedules (function_name, schedule, last_ms, next_ms) VALUES (?, ?, ?, ?)',
      ...[functionName, row.schedule, row.lastMs, row.nextMs],
    );
  }

  // ---------- statements

  #inTransaction(): Touched {
    if (!this.#touched) throw new Error('The task hub is changed in transactions only.');
    return this.#touched;
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values) as Row | undefined;
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values) as Row[];
  }

  #run(sql: string, ...values: SQLInputValue[]): { lastInsertRowid: number | bigint } {
    this.#inTransaction();
    return this.#prepare(sql).run(...values);
  }
}
