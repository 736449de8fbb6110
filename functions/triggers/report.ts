// report: what agents and observers send. Stored, looked at when it matters, answered with the order if one is due.
import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { OperatingError, problem } from '../../shared/errors.ts';
import {
  type ObserverReport,
  observerReportSchema,
  REPORT_BYTES_MAX,
  type Report,
  type ReportAnswer,
  reportSchema,
} from '../../shared/report.ts';
import { findNva } from '../../shared/topology.ts';
import { compareSequence } from '../../shared/vocabulary.ts';
import { deliverable } from '../deliverable.ts';
import type { Plane } from '../deployment.ts';
import { PROBE_PERIODS } from '../engine/evidence.ts';
import { readBody } from '../http/body.ts';
import { type Call, json, refuse } from '../http/call.ts';
import { OVERDUE_CHECK_MS, VIEW_MS } from '../limits.ts';
import { toView } from '../seat-view.ts';
import { evaluateAt, evaluateNow } from './start-evaluate.ts';

const anyReportSchema = z.union([reportSchema, observerReportSchema]);

/** A report this much later than its period has somebody look when it becomes overdue. */
const LATE_PERIODS = 1.1;
/** Silence is looked at while it is news; after that every tick sees it. */
const NEWS_PERIODS = 4;
/** Sources remembered to save writes; beyond that the oldest are forgotten, which costs a write. */
const REMEMBERED_MAX = 10_000;

interface Heard {
  readonly bootId: string;
  readonly seq: number;
  readonly storedAtMs: number;
}

/**
 * What one process remembers between reports, only to save work: forgetting any of it costs a write or a read, never
 * a decision.
 */
export interface ReportMemory {
  readonly heard: Map<string, Heard>;
  /** Since when a source's report is being written. */
  readonly writing: Map<string, number>;
  readonly overdueCheckedAtMs: Map<string, number>;
  readonly viewWrittenAtMs: Map<string, number>;
  /** Newest order known to stand, by group. */
  readonly sequence: Map<string, { epoch: number; generation: number; readAtMs: number }>;
  /** Groups whose newest order is being looked for. */
  readonly looking: Set<string>;
}

export const newReportMemory = (): ReportMemory => ({
  heard: new Map(),
  writing: new Map(),
  overdueCheckedAtMs: new Map(),
  viewWrittenAtMs: new Map(),
  sequence: new Map(),
  looking: new Set(),
});

export const takeReport =
  (memory: ReportMemory) =>
  async (call: Call): Promise<HttpResponseInit> => {
    const name = call.request.params.nva ?? '';
    const refused = checkSender(call, name);
    if (refused !== undefined) return refused;
    const body = await readBody(call.request, anyReportSchema, REPORT_BYTES_MAX);
    if (!body.ok) return refuse(body.error);
    const report = body.value;
    const sender = 'nva' in report ? report.nva : report.observer;
    if (sender !== name) return mismatch(`the report is from ${sender}, the address says ${name}`);
    // Whoever may speak for an observer must not put words into an NVA's mouth.
    if ('nva' in report !== isNva(call, name)) return mismatch(`${name} sends another kind of report`);
    if (!call.plane.deployment.groups.includes(report.group)) return mismatch(`no such group: ${report.group}`);
    const nowMs = call.plane.clock.nowMs();
    if (isOld(memory, name, report)) return json(200, { accepted: true } satisfies ReportAnswer);
    const isStored = await store(call.plane, memory, name, report, nowMs);
    // The report is kept now: what fails from here on is made up for by the next tick or report.
    await bestEffort(call, () => lookIfNeeded(call, memory, report, nowMs, isStored));
    const order =
      'nva' in report ? await bestEffort(call, () => orderFor(call.plane, memory, report, nowMs)) : undefined;
    return json(200, { accepted: true, ...(order !== undefined && { order }) } satisfies ReportAnswer);
  };

const mismatch = (detail: string): HttpResponseInit =>
  refuse(problem(400, 'mismatch', 'Report does not fit', { detail }));

/**
 * The name must be one of ours. Where the topology names a principal, only that one may speak for it; and a principal
 * that is named somewhere speaks for those names only, so that one stolen identity is no key to all.
 */
function checkSender(call: Call, name: string): HttpResponseInit | undefined {
  const { topology } = call.plane.deployment;
  const senders = [...topology.regions.flatMap((region) => region.nvas), ...topology.observers];
  const sender = senders.find((one) => one.name === name);
  if (sender === undefined)
    return refuse(problem(404, 'unknown-nva', 'No such NVA or observer', { detail: name.slice(0, 63) }));
  if (call.thumbprint !== undefined) return checkCertificate(call.plane, name, call.thumbprint);
  const id = call.principal?.id;
  const isForeign = sender.principalId !== undefined && sender.principalId !== id;
  const isElsewhere = sender.principalId === undefined && senders.some((one) => one.principalId === id);
  if (!isForeign && !isElsewhere) return undefined;
  return refuse(problem(403, 'other-principal', 'Not allowed', { detail: `this identity may not report for ${name}` }));
}

const isNva = ({ plane }: Call, name: string): boolean => findNva(plane.deployment.topology, name) !== undefined;

/** A certificate speaks for the observers that pin it and for nobody else, least of all an NVA. */
function checkCertificate({ deployment }: Plane, name: string, thumbprint: string): HttpResponseInit | undefined {
  const observer = deployment.topology.observers.find((one) => one.name === name);
  const pinned = observer?.credential === 'client-certificate' ? observer.certificates : [];
  if (pinned.some((one) => one.replaceAll(':', '').toLowerCase() === thumbprint)) return undefined;
  const detail = `this certificate may not report for ${name}`;
  const next = `pin its SHA-256 ${thumbprint} under observers[].certificates, if it is that observer's`;
  return refuse(problem(403, 'other-certificate', 'Not allowed', { detail, next }));
}

async function bestEffort<T>(call: Call, run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    call.log.warn(`${error.code}: ${error.message}`);
    return undefined;
  }
}

type AnyReport = Report | ObserverReport;

/** Delivered late or twice: what is known is newer. */
function isOld(memory: ReportMemory, name: string, report: AnyReport): boolean {
  const known = memory.heard.get(`${name}|${report.group}`);
  return known !== undefined && known.bootId === report.bootId && report.seq <= known.seq;
}

/** Writes at most once per half period and source, but any transition at once. True when it was written. */
async function store(
  plane: Plane,
  memory: ReportMemory,
  name: string,
  report: AnyReport,
  nowMs: number,
): Promise<boolean> {
  const key = `${name}|${report.group}`;
  const known = memory.heard.get(key);
  const halfPeriodMs = (plane.deployment.topology.timing.reportSeconds * 1000) / 2;
  // A write that hangs does not keep later reports away for longer than one that is done.
  const newestMs = Math.max(known?.storedAtMs ?? 0, memory.writing.get(key) ?? 0);
  if (!report.transition && known?.bootId === report.bootId && nowMs - newestMs < halfPeriodMs) return false;
  memory.writing.set(key, nowMs);
  try {
    if ('nva' in report) await plane.reports.putReport(report.group, nowMs, report);
    else await plane.reports.putObserverReport(report.group, nowMs, report);
  } finally {
    memory.writing.delete(key);
  }
  memory.heard.delete(key);
  memory.heard.set(key, { bootId: report.bootId, seq: report.seq, storedAtMs: nowMs });
  const [oldest] = memory.heard.keys();
  if (memory.heard.size > REMEMBERED_MAX && oldest !== undefined) memory.heard.delete(oldest);
  return true;
}

/** Reports are the second clock: a transition is looked at now, somebody else's silence when it is overdue. */
async function lookIfNeeded(
  call: Call,
  memory: ReportMemory,
  report: AnyReport,
  nowMs: number,
  isStored: boolean,
): Promise<void> {
  const { group } = report;
  if (isStored && report.transition) {
    await evaluateNow(call.client, group, nowMs);
    return;
  }
  if (nowMs - (memory.overdueCheckedAtMs.get(group) ?? 0) < OVERDUE_CHECK_MS) return;
  memory.overdueCheckedAtMs.set(group, nowMs);
  const heard = await call.plane.reports.heard(group);
  const { reportMs } = call.plane.deployment.configOf(group);
  const late = Object.values(heard).filter(
    (atMs) => nowMs - atMs > LATE_PERIODS * reportMs && nowMs - atMs < NEWS_PERIODS * reportMs,
  );
  if (late.length > 0)
    await evaluateAt(call.client, group, Math.max(nowMs, Math.min(...late) + PROBE_PERIODS * reportMs));
  if (nowMs - (memory.viewWrittenAtMs.get(group) ?? 0) < VIEW_MS) return;
  memory.viewWrittenAtMs.set(group, nowMs);
  const views = await call.plane.ledger.readViews(group);
  const own = views.find((view) => view.seat === call.plane.deployment.seat.name);
  await call.plane.ledger.writeView(group, toView(call.plane, heard, own?.decidedAtMs ?? null));
}

/**
 * The newest order, when this NVA is behind: push and pull carry the same. One report of a group looks for it at a time;
 * those that come meanwhile are answered by what is known, unless that is a period old.
 */
async function orderFor(
  plane: Plane,
  memory: ReportMemory,
  report: Report,
  nowMs: number,
): Promise<string | undefined> {
  const { reportMs } = plane.deployment.configOf(report.group);
  const known = memory.sequence.get(report.group);
  const freshMs = memory.looking.has(report.group) ? reportMs : reportMs / 2;
  const isFresh = known !== undefined && nowMs - known.readAtMs < freshMs;
  if (isFresh && compareSequence(report.order, known) >= 0) return undefined;
  memory.looking.add(report.group);
  const ready = await deliverable(plane, report.group, report.nva, report.order).finally(() =>
    memory.looking.delete(report.group),
  );
  if (ready.type === 'none') return undefined;
  memory.sequence.set(report.group, { ...ready.sequence, readAtMs: nowMs });
  return ready.type === 'order' ? ready.jws : undefined;
}
