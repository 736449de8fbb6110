// The policy of a vip as it was right after one decision, from the audit: what is there now, undone back to that moment. Pure.
import type { StatusVip } from '../../../shared/api.ts';
import type { AuditRecord } from '../../../shared/audit.ts';
import type { Entry } from './timeline-model.ts';

export interface ThenRegion {
  readonly region: string;
  readonly role: string;
  readonly rung: number;
  /** With today's step. */
  readonly prepend: number;
  readonly state: string;
  /** What it was before, when this decision changed it. */
  readonly before: string | undefined;
  /** What was proved or failed of this decision here, step by step. */
  readonly proofs: readonly (readonly [step: string, outcome: string])[];
}

export interface Then {
  readonly entry: Entry;
  /** Primary regions: who was meant to carry traffic. */
  readonly acting: readonly string[];
  readonly regions: readonly ThenRegion[];
}

interface Row {
  readonly role: string;
  readonly rung: number;
  readonly state: string;
}

/** `primary r3 announced`, as decisions put a region before and after. */
function parseRow(text: string): Row | undefined {
  const [, role = '', rung = '', state = ''] = /^(\S+) r(\d+) (\S+)$/.exec(text) ?? [];
  return role === '' ? undefined : { role, rung: Number(rung), state };
}

/** @param records of the vip, oldest first; they must hold everything since the entry */
export function policyThen(vip: StatusVip, records: readonly AuditRecord[], entry: Entry): Then {
  const last = lastIndexOf(records, entry);
  const step = stepOf(vip);
  const regions = vip.regions.map((now): ThenRegion => {
    const own = records
      .map((record, index) => ({ record, index }))
      .filter(({ record }) => record.Region === now.region);
    const earlier = own.filter(({ index }) => index <= last).flatMap(({ record }) => parseRow(record.After) ?? []);
    const later = own.filter(({ index }) => index > last).flatMap(({ record }) => parseRow(record.Before) ?? []);
    const row = earlier.at(-1) ?? later[0] ?? { role: now.role, rung: now.rung, state: now.state };
    const changed = entry.trail.find((record) => record.Region === now.region && parseRow(record.Before) !== undefined);
    return {
      ...{ region: now.region, ...row, prepend: row.rung * step },
      before: changed?.Before,
      proofs: proofsOf(entry, now.region),
    };
  });
  return { entry, acting: regions.filter(({ role }) => role === 'primary').map(({ region }) => region), regions };
}

/** The last change of the same decision: all of them are one step. */
function lastIndexOf(records: readonly AuditRecord[], entry: Entry): number {
  const own = records.findIndex(({ EventId }) => EventId === entry.id);
  const decision = records[own]?.DecisionId ?? '';
  if (decision === '') return own;
  return Math.max(
    own,
    records.findLastIndex((record) => record.DecisionId === decision && record.Kind === 'decision'),
  );
}

function stepOf(vip: StatusVip): number {
  const known = vip.regions.find(({ rung, prepend }) => rung > 0 && prepend > 0);
  return known === undefined ? 1 : Math.max(1, Math.floor(known.prepend / known.rung));
}

function proofsOf(entry: Entry, region: string): [string, string][] {
  const verified = entry.trail.findLast((record) => record.Kind === 'verification' && record.Region === region);
  if (verified === undefined || !['proved', 'proof-failed'].includes(verified.Reason)) return [];
  return Object.entries(verified.Detail).flatMap(([step, outcome]): [string, string][] =>
    typeof outcome === 'string' ? [[step, outcome]] : [],
  );
}
