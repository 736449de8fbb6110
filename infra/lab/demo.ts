// The story of the lab, told by itself: every step is proved by ground truth, operations and audit, or the demo fails.
import type { Operation } from '../../shared/api.ts';
import type { AuditRecord } from '../../shared/audit.ts';
import { baseRung } from '../../shared/ladder.ts';
import { ladderOf } from '../../shared/topology.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import { findBreaks } from '../cli/verbs/audit.ts';
import { type Fault, parseFault } from './faults.ts';
import type { Lab } from './lab.ts';
import { createOperator, type Operator, stepCounts, stepsText } from './operations.ts';
import { isSteady } from './steady.ts';
import { secondsText } from './view.ts';
import type { WorldVip } from './world.ts';

export interface DemoStep {
  readonly name: string;
  readonly proved: boolean;
  readonly ms: number;
}

export interface DemoResult {
  readonly ok: boolean;
  readonly steps: readonly DemoStep[];
}

const POLL_MS = 20;
/** A step that is not proved by then has failed. */
const STEP_MS = 60_000;
const STEADY_MS = 120_000;
/** How long traffic must stay where it is to show that it does not jump back by itself. */
const STAY_MS = 3000;
const DRILL_SECONDS = 2;
const DRILL_ATTEMPTS_MAX = 20;
const DRILL_PAUSE_MS = 1000;
const PREVIEW_MS = 500;
/** An operation has its own deadline; this is only where the demo stops waiting. */
const OPERATION_MS = 180_000;

/** What the steps share. */
interface Stage {
  readonly lab: Lab;
  readonly say: (text: string) => void;
  readonly operator: Operator;
  readonly vip: Topology['vips'][number];
  readonly first: string;
  readonly second: string;
}

/** Each returns what was proved, for people; throws what was not. */
type Act = (stage: Stage) => Promise<string>;

const ACTS: readonly (readonly [string, Act])[] = [
  ['steady', steady],
  ['app-crash', crash],
  ['ratified', ratified],
  ['app-back', appBack],
  ['failback', failback],
  ['recentred', recentred],
  ['planned-failover', plannedFailover],
  ['planned-failback', failback],
  ['recentred-again', recentred],
  ['drill', drill],
  ['static-stability', staticStability],
  ['control-resumes', controlResumes],
  ['automatic-failback', automaticFailback],
  ['audit', audit],
];

/** Tells the story once. Stops at the first step that is not proved: the ones after it would prove nothing. */
export async function runDemo(lab: Lab, say: (text: string) => void): Promise<DemoResult> {
  const vip = lab.topology.vips.find(
    (candidate) => candidate.mode === 'primary-backup' && candidate.regions.length > 1,
  );
  const [first, second] = vip?.regions ?? [];
  if (vip === undefined || first === undefined || second === undefined) {
    say('the demo needs a primary-backup vip with two regions');
    return { ok: false, steps: [] };
  }
  const operator = createOperator({ seat: lab.seats[0] ?? '', token: () => lab.operatorToken() });
  const stage: Stage = { lab, say, operator, vip, first, second };
  const steps: DemoStep[] = [];
  for (const [i, [name, act]] of ACTS.entries()) {
    say('');
    const startedAtMs = Date.now();
    try {
      const proved = await act({ ...stage, say: (text) => say(`${i + 1}. ${text}`) });
      const ms = Date.now() - startedAtMs;
      say(`PROVED ${name}: ${proved} (${secondsText(ms)})`);
      steps.push({ name, proved: true, ms });
    } catch (error) {
      say(`NOT PROVED ${name}: ${error instanceof Error ? error.message : String(error)}`);
      steps.push({ name, proved: false, ms: Date.now() - startedAtMs });
      return { ok: false, steps };
    }
  }
  return { ok: true, steps };
}

// ---------------------------------------------------------------- the acts

async function steady({ lab, say, vip, first }: Stage): Promise<string> {
  say(`Both regions announce ${vip.prefix}; ${first} has the shorter path, so on-premises sends everybody there.`);
  const ms = await lab.steady(STEADY_MS);
  return `${first} answers, every order is acknowledged, both Route Server instances of each region hold what was ordered; ${secondsText(ms)} after the start`;
}

async function crash({ lab, say, vip, first, second }: Stage): Promise<string> {
  say(`The application process in ${first} is killed. Its NVA sees the connection drop and goes to last resort.`);
  const outages = lab.world().outages.length;
  await begin(lab, { kind: 'app-crash', region: first });
  await until(`${vip.name} answered by ${second}`, () => answeredBy(lab, vip.name) === second);
  return `${second} answers; ${outageText(lab, vip.name, outages)}`;
}

/** What the move cost the client. The reflex may be faster than its next request: then nothing was lost. */
function outageText(lab: Lab, vip: string, known: number): string {
  const outage = lab
    .world()
    .outages.slice(known)
    .find((candidate) => candidate.vip === vip);
  if (outage === undefined) return 'no request failed';
  return `clients had no answer for ${Math.round(outage.outageMs)} ms, ${outage.failedRequests} requests failed`;
}

async function ratified({ lab, say, vip, second }: Stage): Promise<string> {
  say(`The control plane sees it too, makes ${second} the acting region and proves the change on every hop.`);
  const decision = await untilSome('the decision to take over is on record', () =>
    decisions(lab, vip.name).find((r) => r.Region === second && r.Detail.kind === 'takeover'),
  );
  await untilProved(lab, vip.name, second);
  const acks = lab.auditRecords().filter((r) => r.Kind === 'ack' && r.Reason === 'acknowledged');
  if (acks.length === 0) throw new Error('no acknowledgement is on record');
  return `${decision.DecisionId}: ${decision.Reason}, ${second} ${decision.Before} -> ${decision.After}; delivered, acknowledged, proved`;
}

async function appBack({ lab, say, vip, first, second }: Stage): Promise<string> {
  say(`The application in ${first} comes back. Nothing jumps: its route stays longer than that of ${second}.`);
  await lab.faults.endAll();
  await until(`${first} is healthy again`, () => region(lab, vip.name, first)?.verdict === 'healthy');
  const before = vipOf(lab, vip.name);
  await stays(STAY_MS, `${second} keeps answering`, () => answeredBy(lab, vip.name) === second);
  const failures = (vipOf(lab, vip.name)?.failures ?? 0) - (before?.failures ?? 0);
  return `${first} is healthy, ${second} keeps answering, ${failures} requests failed`;
}

async function failback(stage: Stage): Promise<string> {
  const { say, vip, first } = stage;
  say(`A person asks for the failback: POST /api/vips/${vip.name}/failback.`);
  return move(stage, `vips/${vip.name}/failback`, { reason: 'demo: the first region is well again' }, first);
}

async function recentred({ lab, say, vip, operator, second }: Stage): Promise<string> {
  say('Each move went one rung lower. Now that all is calm the ladder is recentred, without ever changing the winner.');
  const ladder = ladderOf(lab.topology);
  const rungs = () => vip.regions.map((name) => region(lab, vip.name, name)?.rung);
  const rest = vip.regions.map((_name, rank) => baseRung(ladder, rank));
  await until(`rungs ${rest.join(', ')}`, () => rungs().join() === rest.join());
  await untilProved(lab, vip.name, vip.regions[0] ?? '');
  await untilAllowed(operator, `vips/${vip.name}/failover`, { to: second, reason: 'demo: may it move again?' });
  return `a dry run of the next move is allowed again; ${vip.regions.map((name, i) => `${name} r${rest[i]}`).join(', ')}`;
}

async function plannedFailover(stage: Stage): Promise<string> {
  const { say, vip, second } = stage;
  say(`A planned failover of a healthy system: POST /api/vips/${vip.name}/failover.`);
  return move(stage, `vips/${vip.name}/failover`, { to: second, reason: 'demo: planned work' }, second);
}

async function drill({ lab, say, operator, vip, first }: Stage): Promise<string> {
  say(`A drill: fail over, stay ${DRILL_SECONDS} s, fail back, report what it cost.`);
  await untilProved(lab, vip.name, first);
  const body = { vip: vip.name, seconds: DRILL_SECONDS, reason: 'demo: regular drill' };
  const done = await drillWhenWell(operator, body);
  await untilProved(lab, vip.name, first);
  const phases = (done.report?.phases ?? []).map((phase) => `${phase.name} ${secondsText(phase.ms)}`).join(', ');
  if (done.report?.phases.every((phase) => phase.proved) !== true) throw new Error(`a phase was not proved: ${phases}`);
  return `${phases}; longest outage ${done.report.outageMs ?? 'not measured'} ms`;
}

/** A drill is refused while anything is still being proved; a person would wait and ask again. */
async function drillWhenWell(operator: Operator, body: object): Promise<Operation> {
  for (let attempt = 1; ; attempt += 1) {
    const started = await operator.start('drills', body);
    const done = await operator.finish(started.id, OPERATION_MS);
    const isTooEarly = done.state === 'refused' && done.problems.every((p) => p.code === 'proof-open');
    if (done.state === 'proved') return done;
    if (!isTooEarly || attempt >= DRILL_ATTEMPTS_MAX) throw new Error(`drill ${done.id}: ${stepsText(done)}`);
    await new Promise((resolve) => setTimeout(resolve, DRILL_PAUSE_MS));
  }
}

async function staticStability({ lab, say, vip, first, second }: Stage): Promise<string> {
  say(`The whole control plane is killed, then the application in ${first} dies again.`);
  await begin(lab, { kind: 'control-crash' });
  const routes = () =>
    JSON.stringify(lab.world().onPremises.map((route) => [route.prefix, route.region, route.asPath]));
  const before = routes();
  await stays(1000, 'nothing on the wire changes', () => routes() === before);
  const outages = lab.world().outages.length;
  await begin(lab, { kind: 'app-crash', region: first });
  await until(`${vip.name} answered by ${second}`, () => answeredBy(lab, vip.name) === second);
  if (lab.world().seats.some((seat) => seat.state !== 'dead')) throw new Error('a seat was running');
  return `with every seat dead ${second} answers; ${outageText(lab, vip.name, outages)}`;
}

async function controlResumes({ lab, say, vip, first, second }: Stage): Promise<string> {
  say('The control plane starts again from its ledger and its task hub, and catches up.');
  const restartedAtMs = Date.now();
  for (const fault of lab.faults.active()) if (fault.kind === 'control-crash') await lab.faults.end(fault.id);
  await until('the control plane answers', () => lab.statusFailure() === undefined);
  await untilProved(lab, vip.name, second);
  const decision = await untilSome('the takeover decided after the restart is on record', () =>
    decisions(lab, vip.name).find(
      (record) =>
        record.Region === second &&
        record.Detail.kind === 'takeover' &&
        Date.parse(record.TimeGenerated) >= restartedAtMs,
    ),
  );
  await lab.faults.endAll();
  await until(`${first} is healthy again`, () => region(lab, vip.name, first)?.verdict === 'healthy');
  return `${decision.DecisionId}: ${decision.Reason}; ${second} acts and is proved`;
}

async function automaticFailback({ lab, say, vip, first }: Stage): Promise<string> {
  const { afterSeconds } = vip.failback;
  say(`Nobody does anything: after ${afterSeconds} s of unbroken health ${vip.name} fails back by itself.`);
  if (vip.failback.mode !== 'auto') return 'this deployment fails back by a person only';
  await until(
    `${vip.name} answered by ${first}`,
    () => answeredBy(lab, vip.name) === first,
    STEP_MS + afterSeconds * 1000,
  );
  await until('all is as in the beginning', () => isSteady(lab.world(), lab.status()));
  return `${first} answers again and is proved`;
}

async function audit({ lab, say }: Stage): Promise<string> {
  say('The audit trail: every decision, order and outcome chained, and arrived at Logs Ingestion.');
  let records: readonly AuditRecord[] = [];
  await until('every record has arrived', () => {
    records = lab.auditRecords();
    const arrived = new Set(lab.shippedRecords().map((record) => record.EventId));
    return records.length > 0 && records.every((record) => arrived.has(record.EventId));
  });
  const breaks = findBreaks(records);
  if (breaks.length > 0) throw new Error(breaks.slice(0, 3).join('; '));
  const ids = new Set(records.map((record) => record.EventId));
  if (ids.size !== records.length) throw new Error('an EventId occurs twice');
  const missing = missingRecords(records);
  if (missing.length > 0) throw new Error(missing.join('; '));
  return `${records.length} records in ${new Set(records.map((r) => r.Epoch)).size} epoch(s), chains whole, all at Logs Ingestion`;
}

/** Every decision that changed the wire was ordered, every NVA acknowledged, and every kind of outcome is there. */
function missingRecords(records: readonly AuditRecord[]): string[] {
  const ofKind = (kind: AuditRecord['Kind']) => records.filter((record) => record.Kind === kind);
  const ordered = new Set(ofKind('order').map((record) => record.DecisionId));
  const acknowledged = new Set(ofKind('ack').map((record) => record.Nva));
  return [
    ...ofKind('decision')
      .filter((record) => record.Before !== record.After && !ordered.has(record.DecisionId))
      .map((record) => `${record.EventId}: ${record.DecisionId} was never ordered`),
    ...[...new Set(ofKind('order').map((record) => record.Nva))]
      .filter((nva) => !acknowledged.has(nva))
      .map((nva) => `${nva} acknowledged nothing`),
    ...(['decision', 'order', 'ack', 'verification', 'intent', 'drill'] as const)
      .filter((kind) => ofKind(kind).length === 0)
      .map((kind) => `no record of kind ${kind}`),
  ];
}

// ---------------------------------------------------------------- asking and waiting

/** An operation of a person, followed until it is proved, and the world with it. */
async function move(stage: Stage, path: string, body: object, target: string): Promise<string> {
  const { lab, vip, operator } = stage;
  const outages = lab.world().outages.length;
  const started = await operator.start(path, body);
  const done = await operator.finish(started.id, OPERATION_MS);
  // Recentring may begin before a slow machine has finished the proof; then the proof of what is now counts.
  const isSuperseded = done.state === 'not-proved' && done.problems.every((p) => p.code === 'superseded');
  if (done.state !== 'proved' && !isSuperseded) throw new Error(`${done.kind} ${done.id}: ${stepsText(done)}`);
  if (isSuperseded) await untilProved(lab, vip.name, target);
  await until(`${vip.name} answered by ${target}`, () => answeredBy(lab, vip.name) === target);
  const outage = lab
    .world()
    .outages.slice(outages)
    .filter((candidate) => candidate.vip === vip.name);
  const cost =
    outage.length === 0
      ? 'no request failed'
      : outage.map((o) => `${Math.round(o.outageMs)} ms, ${o.failedRequests} failed`).join('; ');
  return `${done.id}: ${stepCounts(done)}; ${cost}`;
}

async function begin(lab: Lab, body: { kind: Fault['kind']; region?: string }): Promise<void> {
  const fault = parseFault(body, lab.topology);
  if (!fault.ok) throw new Error(fault.error.detail);
  const begun = await lab.faults.begin(fault.value);
  if (!begun.ok) throw new Error(begun.error.detail);
}

const vipOf = (lab: Lab, vip: string): WorldVip | undefined => lab.world().vips.find((seen) => seen.vip === vip);
const answeredBy = (lab: Lab, vip: string): string | null => vipOf(lab, vip)?.answeredBy ?? null;
const decisions = (lab: Lab, vip: string): AuditRecord[] =>
  lab.auditRecords().filter((record) => record.Kind === 'decision' && record.Vip === vip);
const region = (lab: Lab, vip: string, name: string) =>
  lab
    .status()
    ?.vips.find((seen) => seen.vip === vip)
    ?.regions.find((candidate) => candidate.region === name);

/** The control plane says the region acts, and has proved it on every hop it can look at. */
async function untilProved(lab: Lab, vip: string, acting: string): Promise<void> {
  await until(`${acting} acts and is proved`, () => {
    const told = lab.status()?.vips.find((seen) => seen.vip === vip);
    const proofs = Object.values(region(lab, vip, acting)?.proofs ?? {});
    const isProved =
      proofs.length > 0 && proofs.every((step) => step.proof === 'proved' || step.proof === 'not checked');
    return told?.acting === acting && told.servedBy === acting && isProved && answeredBy(lab, vip) === acting;
  });
}

/** Rungs that a region may still have on the wire count until they are proved gone; a dry run says when they are. */
async function untilAllowed(operator: Operator, path: string, body: object): Promise<void> {
  const deadline = Date.now() + STEP_MS;
  for (;;) {
    const plan = await operator.preview(path, body);
    if (plan.allowed) return;
    const why = plan.blocked.map((blocked) => `${blocked.guard}: ${blocked.detail}`).join('; ');
    if (Date.now() > deadline) throw new Error(`the next move is still refused: ${why}`);
    await new Promise((resolve) => setTimeout(resolve, PREVIEW_MS));
  }
}

async function until(what: string, condition: () => boolean, timeoutMs = STEP_MS): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not so within ${secondsText(timeoutMs)}: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function untilSome<T>(what: string, find: () => T | undefined): Promise<T> {
  let found = find();
  await until(what, () => {
    found = find();
    return found !== undefined;
  });
  return found as T;
}

async function stays(ms: number, what: string, condition: () => boolean): Promise<void> {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (!condition()) throw new Error(`not so any more: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
