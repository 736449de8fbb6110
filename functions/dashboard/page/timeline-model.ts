// The audit records of a vip as a history: who acted when, and what was decided. Pure.
import type { AuditRecord } from '../../../shared/audit.ts';

/** Equal values in a row merged; the length is the duration. */
export interface Segment {
  readonly region: string;
  readonly fromMs: number;
  readonly toMs: number;
}

const atMs = (record: AuditRecord): number => Date.parse(record.TimeGenerated);
const isAlert = (record: AuditRecord): boolean => record.Detail.alert === true;
const becamePrimary = (record: AuditRecord): boolean =>
  record.Kind === 'decision' &&
  !isAlert(record) &&
  record.After.startsWith('primary') &&
  !record.Before.startsWith('primary');

/**
 * Which region was primary over the window. Before the first change on record it is who was primary then, known from the
 * record of the one that stopped being it; `acting` stands when nothing changed.
 */
export function actingSegments(
  records: readonly AuditRecord[],
  acting: string,
  window: { readonly fromMs: number; readonly toMs: number },
): Segment[] {
  const changes = records.filter(becamePrimary).map((record) => ({ region: record.Region, fromMs: atMs(record) }));
  const [first] = changes;
  const firstRecord = records.find(
    (record) =>
      record.Before.startsWith('primary') &&
      !record.After.startsWith('primary') &&
      first &&
      atMs(record) <= first.fromMs + 1000,
  );
  const initial = changes.length === 0 ? acting : (firstRecord?.Region ?? '');
  const points = [{ region: initial, fromMs: window.fromMs }, ...changes];
  return points.flatMap(({ region, fromMs }, i) => {
    const next = points[i + 1]?.fromMs ?? window.toMs;
    const segment = { region, fromMs: Math.max(fromMs, window.fromMs), toMs: Math.min(next, window.toMs) };
    return segment.toMs > segment.fromMs && region !== '' ? [segment] : [];
  });
}

export interface Entry {
  readonly id: string;
  readonly time: string;
  readonly kind: string;
  readonly actor: string;
  readonly isAutomatic: boolean;
  readonly reason: string;
  readonly text: string;
  /** Everything recorded of the same decision, oldest first. */
  readonly trail: readonly AuditRecord[];
}

/** Kinds that are news by themselves; orders, acknowledgements and proofs belong to a decision's trail. */
const NEWS = new Set(['decision', 'blocked', 'intent', 'hold', 'drill', 'config', 'seat']);
const ENTRIES_MAX = 100;

/** Newest first. */
export function timelineEntries(records: readonly AuditRecord[]): Entry[] {
  const trails = new Map<string, AuditRecord[]>();
  for (const record of records) {
    if (record.DecisionId === '') continue;
    const trail = trails.get(record.DecisionId);
    if (trail === undefined) trails.set(record.DecisionId, [record]);
    else trail.push(record);
  }
  return records
    .filter(({ Kind }) => NEWS.has(Kind))
    .slice(-ENTRIES_MAX)
    .reverse()
    .map((record) => ({
      id: record.EventId,
      time: record.TimeGenerated,
      kind: isAlert(record) ? 'alert' : record.Kind,
      actor: record.Actor,
      isAutomatic: record.ActorType === 'automation',
      reason: record.Reason,
      text: entryText(record),
      trail: trails.get(record.DecisionId) ?? [record],
    }));
}

const say = (value: unknown): string => (typeof value === 'string' ? value : '');

export function entryText(record: AuditRecord): string {
  const { Detail: detail, Region, Before, After } = record;
  const change = Before === '' && After === '' ? '' : `${Before} → ${After}`;
  const words = [
    say(detail.kind),
    Region,
    change,
    say(detail.detail),
    record.Kind === 'intent' || record.Kind === 'hold' ? say(detail.reason) : '',
  ];
  return words.filter((word) => word !== '').join(' · ');
}
