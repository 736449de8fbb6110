// The faults a person can make in the lab: what may be asked, and who ends what. How each breaks the world is breakage.ts.
import { z } from 'zod';
import { type ProblemDocument, problem } from '../../shared/errors.ts';
import { err, ok, type Result } from '../../shared/result.ts';
import { findNva, findRegion, findVip, pathText } from '../../shared/topology.ts';
import type { Topology } from '../../shared/topology-schema.ts';

export const FAULT_KINDS = [
  'app-crash',
  'app-hang',
  'app-errors',
  'nva-crash',
  'nva-freeze',
  'partition-control',
  'session-down',
  'ingestion-down',
  'storage-down',
  'control-crash',
  'clock-skew',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** How far off a clock is when nobody says. */
export const CLOCK_OFFSET_SECONDS = 300;
/** Faults at a time. */
export const FAULTS_MAX = 50;

const name = z.string().min(1).max(63);

const faultRequestSchema = z.strictObject({
  kind: z.enum(FAULT_KINDS),
  region: name.optional(),
  nva: name.optional(),
  vip: name.optional(),
  /** control-crash: which seat, all when absent; clock-skew: the seat whose clock is wrong. */
  seat: name.optional(),
  /** session-down: which Route Server instance. */
  instance: z.int().min(0).max(1).default(0),
  /** The fault ends by itself after this long; absent: at DELETE /faults. */
  seconds: z.number().min(0.1).max(3600).optional(),
  /** clock-skew only. */
  offsetSeconds: z.number().min(-86400).max(86400).default(CLOCK_OFFSET_SECONDS),
});

/** A fault with every name resolved: whom exactly it hits. */
export interface Fault {
  readonly kind: FaultKind;
  readonly region?: string;
  readonly nvas: readonly string[];
  readonly vip?: string;
  readonly seats: readonly string[];
  readonly instance: number;
  readonly seconds?: number;
  readonly offsetSeconds: number;
}

export interface ActiveFault extends Fault {
  readonly id: string;
  readonly sinceMs: number;
  readonly untilMs: number | null;
}

/** Kinds that need to know where. */
const IN_A_REGION: ReadonlySet<FaultKind> = new Set(['app-crash', 'app-hang', 'app-errors']);
const ON_AN_NVA: ReadonlySet<FaultKind> = new Set(['nva-crash', 'nva-freeze', 'session-down']);

interface Wrong {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

/** The fault in a request body, or a problem document that names everything wrong with it. */
export function parseFault(body: unknown, topology: Topology): Result<Fault, ProblemDocument> {
  const parsed = faultRequestSchema.safeParse(body);
  if (!parsed.success) {
    return err(refuse(parsed.error.issues.flatMap(wrongOfIssue)));
  }
  const { kind, region, nva, vip, seat, seconds, ...rest } = parsed.data;
  const wrong: Wrong[] = [
    ...unknownName('region', region, region === undefined || findRegion(topology, region) !== undefined),
    ...unknownName('nva', nva, nva === undefined || findNva(topology, nva) !== undefined),
    ...unknownName('vip', vip, vip === undefined || findVip(topology, vip) !== undefined),
    ...unknownName('seat', seat, seat === undefined || topology.seats.some((candidate) => candidate.name === seat)),
  ];
  const hit = nva === undefined ? region : (findNva(topology, nva)?.region.name ?? region);
  if (IN_A_REGION.has(kind) && hit === undefined) wrong.push(missing('region', kind));
  if (ON_AN_NVA.has(kind) && hit === undefined) wrong.push(missing('region or nva', kind));
  if (kind === 'clock-skew' && hit === undefined && seat === undefined)
    wrong.push(missing('region, nva or seat', kind));
  if (nva !== undefined && region !== undefined && hit !== undefined && region !== hit) {
    wrong.push({ path: 'nva', code: 'elsewhere', message: `${nva} stands in ${hit}, not in ${region}` });
  }
  if (wrong.length > 0) return err(refuse(wrong));
  const isClock = kind === 'clock-skew';
  const allNvas = isClock && hit === undefined ? [] : nvasOf(topology, hit);
  const allSeats = isClock ? [] : topology.seats.map((candidate) => candidate.name);
  return ok({
    kind,
    nvas: nva === undefined ? allNvas : [nva],
    seats: seat === undefined ? allSeats : [seat],
    ...rest,
    ...(hit === undefined ? {} : { region: hit }),
    ...(vip === undefined ? {} : { vip }),
    ...(seconds === undefined ? {} : { seconds }),
  });
}

function wrongOfIssue(issue: z.core.$ZodIssue): Wrong[] {
  const path = pathText(issue.path);
  if (issue.code !== 'unrecognized_keys') return [{ path, code: 'malformed', message: issue.message }];
  return issue.keys.map((key) => ({ path: key, code: 'unknown-key', message: 'no such key' }));
}

const unknownName = (path: string, value: string | undefined, isKnown: boolean): Wrong[] =>
  isKnown ? [] : [{ path, code: `unknown-${path}`, message: `there is no ${path} ${JSON.stringify(value)}` }];

const missing = (path: string, kind: FaultKind): Wrong => ({
  path,
  code: 'missing',
  message: `${kind} must say where: ${path}`,
});

const refuse = (errors: readonly Wrong[]): ProblemDocument =>
  problem(400, 'bad-fault', 'The fault was not made', {
    detail: errors.map((e) => `${e.path === '' ? 'body' : e.path}: ${e.message}`).join('; '),
    next: `kind is one of ${FAULT_KINDS.join(', ')}`,
    errors,
  });

function nvasOf(topology: Topology, region: string | undefined): string[] {
  const regions = region === undefined ? topology.regions : topology.regions.filter((r) => r.name === region);
  return regions.flatMap((r) => r.nvas.map((nva) => nva.name));
}

/** What two faults of this kind on the same thing would fight over: the second one is refused. */
export function thingsHit(fault: Fault, topology: Topology): string[] {
  switch (fault.kind) {
    case 'app-crash':
    case 'app-hang':
    case 'app-errors': {
      const vips = fault.vip === undefined ? topology.vips.map((vip) => vip.name) : [fault.vip];
      return vips.map((vip) => `app ${fault.region}/${vip}`);
    }
    case 'nva-crash':
    case 'nva-freeze':
      return fault.nvas.map((nva) => `process ${nva}`);
    case 'partition-control':
      return fault.nvas.map((nva) => `control path ${nva}`);
    case 'session-down':
      return fault.nvas.map((nva) => `session ${nva}/${fault.instance}`);
    case 'control-crash':
      return fault.seats.map((seat) => `process ${seat}`);
    case 'clock-skew':
      return [...fault.nvas, ...fault.seats].map((name) => `clock ${name}`);
    case 'ingestion-down':
    case 'storage-down':
      return [fault.kind];
  }
}
