// The audit record: its columns in AnycastAudit_CL, and the hash that chains one record to the one before it.
import { z } from 'zod';
import { ACTOR_TYPES } from './vocabulary.ts';

export const AUDIT_KINDS = [
  'decision',
  'blocked',
  'order',
  'ack',
  'verification',
  'intent',
  'hold',
  'drill',
  'config',
  'seat',
] as const;
export type AuditKind = (typeof AUDIT_KINDS)[number];

export const AUDIT_TABLE = 'AnycastAudit_CL';
export const AUDIT_STREAM = 'Custom-AnycastAudit';
/** Hash before the first record of an epoch. */
export const CHAIN_START = '0'.repeat(64);

/** Column names are those of the Log Analytics table. Absent values are empty strings: the table has no nulls. */
export const auditRecordSchema = z.strictObject({
  /** ISO 8601 in UTC, as the ingestion service wants it. Never hashed: the service may replace it. */
  TimeGenerated: z.string(),
  /** `<group>-<epoch>-<chain index>`: the same record sent twice has the same one. */
  EventId: z.string(),
  Kind: z.enum(AUDIT_KINDS),
  DecisionId: z.string(),
  CorrelationId: z.string(),
  Vip: z.string(),
  Region: z.string(),
  Nva: z.string(),
  Actor: z.string(),
  ActorType: z.enum(ACTOR_TYPES),
  Reason: z.string(),
  Detail: z.record(z.string(), z.unknown()),
  Before: z.string(),
  After: z.string(),
  SnapshotHash: z.string(),
  Seat: z.string(),
  Epoch: z.int(),
  Generation: z.int(),
  ChainIndex: z.int(),
  PrevHash: z.string(),
  Hash: z.string(),
});
export type AuditRecord = z.infer<typeof auditRecordSchema>;

/** A record before it is chained. */
export type AuditDraft = Omit<AuditRecord, 'EventId' | 'Epoch' | 'ChainIndex' | 'PrevHash' | 'Hash' | 'Seat'>;

/**
 * The text whose SHA-256 is a record's Hash: every column but TimeGenerated and Hash, keys sorted at every depth, so
 * that a copy from Log Analytics (which loses key order) hashes the same.
 */
export function chainedText(record: Omit<AuditRecord, 'Hash'>): string {
  const { TimeGenerated: _time, ...hashed } = record;
  const { Hash: _hash, ...rest } = hashed as Omit<AuditRecord, 'TimeGenerated'>;
  return canonicalJson(rest);
}

/** JSON with sorted keys and without undefined members. Every decision hashes what it was based on, so this is quick. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  let members = '';
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    members += `${members === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`;
  }
  return `{${members}}`;
}
