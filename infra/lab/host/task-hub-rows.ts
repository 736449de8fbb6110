// Turns rows of SQLite into the types of the task hub, and filters into SQL.
import type { SQLInputValue } from 'node:sqlite';
import type { InstanceFilter, InstanceRow } from './task-hub-schema.ts';

/** A row as SQLite gives it. */
export type Row = Record<string, unknown>;

export function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}

export function parsedOrNull<T>(value: unknown): T | null {
  return value === null || value === undefined ? null : (JSON.parse(String(value)) as T);
}

export function toInstance(row: Row): InstanceRow {
  return {
    id: String(row.id),
    name: String(row.name),
    version: String(row.version),
    executionId: String(row.execution_id),
    status: row.status as InstanceRow['status'],
    input: String(row.input),
    output: textOrNull(row.output),
    customStatus: textOrNull(row.custom_status),
    createdMs: Number(row.created_ms),
    updatedMs: Number(row.updated_ms),
    parent: parsedOrNull(row.parent),
    locks: parsedOrNull(row.locks),
    attempts: Number(row.attempts),
  };
}

/** Only for our own constants: values from outside go through parameters. */
export function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(', ');
}

export function whereOf(filter: InstanceFilter): { where: string; values: SQLInputValue[] } {
  const conditions: [string, SQLInputValue][] = [];
  if (filter.createdFromMs !== undefined) conditions.push(['created_ms >= ?', filter.createdFromMs]);
  if (filter.createdToMs !== undefined) conditions.push(['created_ms <= ?', filter.createdToMs]);
  if (filter.updatedToMs !== undefined) conditions.push(['updated_ms <= ?', filter.updatedToMs]);
  const sql = conditions.map(([condition]) => condition);
  const values = conditions.map(([, value]) => value);
  if (filter.statuses) {
    sql.push(filter.statuses.length === 0 ? 'FALSE' : `status IN (${filter.statuses.map(() => '?').join(', ')})`);
    values.push(...filter.statuses);
  }
  return { where: sql.length === 0 ? '' : `WHERE ${sql.join(' AND ')}`, values };
}
