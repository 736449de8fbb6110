// What a seed stands for: a deployment, what breaks when and for how long, and what people ask for meanwhile.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { createRandom, type Random } from '../../infra/lab/seeded-random.ts';
import { findRefusals } from '../../shared/topology-checks.ts';
import { type Topology, topologySchema } from '../../shared/topology-schema.ts';

export const FAULT_KINDS = [
  'app-crash',
  'app-hang',
  'app-errors',
  'app-brown-out',
  'nva-crash',
  'nva-power-off',
  'nva-freeze',
  'session-down',
  'sessions-down',
  'cut-from-seat',
  'cut-to-seat',
  'cut-from-seats',
  'seat-kill',
  'seat-freeze',
  'seat-no-storage',
  'seat-deaf',
  'storage-down',
  'storage-slow',
  'ingestion-down',
  'arm-down',
  'agent-clock',
  'seat-clock',
  'region-down',
  'bad-weather',
] as const;
/** Happen to one story in eight, apart from the others, so that those stay what they were. */
export const LEDGER_FAULTS = ['ledger-rollback', 'ledger-corrupt'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number] | (typeof LEDGER_FAULTS)[number];

export interface PlannedFault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly untilMs: number;
  /** By kind: an NVA, a seat, a region, or nothing. */
  readonly target: string;
  /** By kind: a vip, a seat or a peer. */
  readonly detail: string;
  /** By kind: an offset in ms, or a share. */
  readonly size: number;
}

export interface PlannedWish {
  readonly atMs: number;
  readonly kind: 'failover' | 'failback' | 'drain' | 'undrain' | 'hold' | 'drill';
  readonly vip: string | null;
  readonly region: string | null;
}

export interface Plan {
  readonly seed: number;
  readonly topology: Topology;
  /** What Route Server really takes between two changes of a prefix. */
  readonly routeChangeMs: number;
  readonly holdMs: number;
  readonly faults: readonly PlannedFault[];
  readonly wishes: readonly PlannedWish[];
  /** Times count from zero; faults and wishes are over by then. */
  readonly calmFromMs: number;
  readonly endMs: number;
}

const MINUTE_MS = 60_000;
/** Faults fall into the first part of a story; the rest is for coming back. */
const FAULTS_SHARE = 0.4;
/** Seeds of what is drawn apart. */
const RARE = 0x1ed6e5;
const WIDE = 0x3a11ed;
/** Stories with several NVAs in a region, with active-active, or with both. */
const WIDE_SHARE = 1 / 5;
const contoso: unknown = parse(readFileSync('infra/examples/contoso.yaml', 'utf8'));

/** @param kinds faults to draw from; absent: all. */
export function makePlan(seed: number, minutes: number, kinds?: readonly FaultKind[]): Plan {
  const random = createRandom(seed);
  const rare = createRandom(seed ^ RARE);
  const wide = createRandom(seed ^ WIDE);
  const topology = makeTopology(random, kinds === undefined && wide.chance(WIDE_SHARE) ? wide : undefined);
  const endMs = minutes * MINUTE_MS;
  const faultsEndMs = endMs * FAULTS_SHARE;
  const faults = [
    ...makeFaults(random, topology, faultsEndMs, kinds ?? FAULT_KINDS),
    ...(kinds === undefined && rare.chance(1 / 8)
      ? makeFaults(rare, topology, faultsEndMs, LEDGER_FAULTS).slice(0, 1)
      : []),
  ].sort((a, b) => a.atMs - b.atMs);
  const wishes = [
    ...makeWishes(random, topology, faultsEndMs),
    ...(kinds === undefined && rare.chance(1 / 6) ? [makeDrill(rare, topology, faultsEndMs)] : []),
  ];
  const calmFromMs = Math.max(0, ...faults.map((fault) => fault.untilMs), ...wishes.map((wish) => wish.atMs));
  const isQuickNetwork = random.chance(0.2);
  const routeChangeMs = isQuickNetwork ? 0 : topology.timing.routeChangeSeconds * 1000;
  return {
    seed,
    topology,
    routeChangeMs,
    holdMs: random.chance(0.6) ? 30_000 : 180_000,
    faults,
    wishes,
    calmFromMs,
    endMs,
  };
}

// ---------------------------------------------------------------- the deployment

function makeTopology(random: Random, wide: Random | undefined): Topology {
  // biome-ignore lint/suspicious/noExplicitAny: a plain object on its way to the schema.
  const draft: any = structuredClone(contoso);
  if (random.chance(0.35)) addThirdRegion(draft);
  draft.timing.routeChangeSeconds = random.pick([30, 30, 30, 5]);
  draft.witness.region = 'westus';
  const [orders, billing] = draft.vips;
  orders.failback = { mode: 'auto', afterSeconds: random.pick([30, 60, 120]) };
  orders.onVerifyFailure = random.pick(['alarm', 'alarm', 'rollback', 'withdraw-old']);
  billing.failback = { mode: random.pick(['auto', 'manual']), afterSeconds: 60 };
  if (draft.regions.length === 3) orders.regions = [...orders.regions, 'francecentral'];
  draft.vips = random.chance(0.6) ? [orders] : [orders, billing];
  if (draft.vips.length === 1) for (const region of draft.regions) delete region.apps.billing;
  for (const vip of draft.vips) {
    vip.health.sentinel = random.chance(0.7);
    // Forwarding is as alive as its machine here; setting it up is the data plane's own matter.
    vip.dataPlane = { mode: 'none' };
  }
  draft.guards = {
    ...draft.guards,
    humanHoldSeconds: random.pick([0, 120]),
    calmSeconds: random.pick([30, 60]),
    flapPenalty: { halfLifeSeconds: 120 },
  };
  if (random.chance(0.3)) draft.observers = [];
  if (wide !== undefined) widen(draft, wide);
  const topology = topologySchema.parse(draft);
  const refusals = findRefusals(topology);
  if (refusals.length > 0) throw new Error(JSON.stringify(refusals));
  return topology;
}

// biome-ignore lint/suspicious/noExplicitAny: as above.
function addThirdRegion(draft: any): void {
  const text = JSON.stringify(draft.regions[1])
    .replaceAll('northeurope', 'francecentral')
    .replaceAll('10.2.', '10.3.')
    .replaceAll('ne-nva', 'fc-nva')
    .replaceAll('-ne', '-fc')
    .replaceAll('65101', '65201');
  draft.regions.push(JSON.parse(text));
  draft.addressSpaces.azure.push('10.3.0.0/16');
}

/** Three regions with several NVAs each do not fit under the longest path that a circuit takes. */
// biome-ignore lint/suspicious/noExplicitAny: as above.
function widen(draft: any, random: Random): void {
  const isActiveActive = draft.regions.length > 2 || random.chance(0.5);
  if (isActiveActive) {
    draft.vips[0].mode = 'active-active';
    draft.transport.circuits = random.pick(['shared', 'separate']);
  }
  if (draft.regions.length > 2 || (isActiveActive && random.chance(0.5))) return;
  draft.prepend.step = 5;
  for (const { nvas } of draft.regions) {
    const second = JSON.stringify(nvas[0]).replaceAll('-nva-1', '-nva-2').replaceAll('.1.4', '.1.5');
    nvas.push({ ...JSON.parse(second), asn: nvas[0].asn + 1 });
  }
  for (const vip of draft.vips) vip.nvas = random.pick(['all', 'one']);
}

// ---------------------------------------------------------------- what breaks

const SHORT_TO_LONG: readonly (readonly [number, number])[] = [
  [500, 8_000],
  [8_000, 60_000],
  [60_000, 300_000],
];

function makeFaults(random: Random, topology: Topology, endMs: number, kinds: readonly FaultKind[]): PlannedFault[] {
  const wanted = random.between(1, 6);
  const faults: PlannedFault[] = [];
  for (let i = 0; i < wanted; i += 1) {
    const [min, max] = random.pick(SHORT_TO_LONG);
    const atMs = random.between(90_000, Math.max(90_000, endMs - 60_000));
    const untilMs = Math.min(endMs, atMs + random.between(min, max));
    const fault = makeFault(random, topology, random.pick(kinds), atMs, untilMs);
    const things = thingsHit(fault, topology);
    const isBusy = (other: PlannedFault) => thingsHit(other, topology).some((thing) => things.includes(thing));
    // Two faults of one thing at a time would fight over its repair.
    if (!faults.some((other) => overlap(fault, other) && isBusy(other))) faults.push(fault);
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

const overlap = (a: PlannedFault, b: PlannedFault): boolean => a.atMs < b.untilMs + 5000 && b.atMs < a.untilMs + 5000;

function makeFault(random: Random, topology: Topology, kind: FaultKind, atMs: number, untilMs: number): PlannedFault {
  const region = random.pick(topology.regions);
  const nva = random.pick(region.nvas).name;
  const seat = random.pick(topology.seats).name;
  const vip = random.pick(topology.vips).name;
  const at = { kind, atMs, untilMs, detail: '', size: 0 };
  switch (kind) {
    case 'app-crash':
    case 'app-hang':
    case 'app-errors':
    case 'app-brown-out':
      return { ...at, target: nva, detail: vip };
    case 'session-down':
      return { ...at, target: nva, detail: random.pick(region.routeServer.peers) };
    case 'cut-from-seat':
    case 'cut-to-seat':
      return { ...at, target: nva, detail: seat };
    case 'nva-crash':
    case 'nva-power-off':
    case 'nva-freeze':
    case 'sessions-down':
    case 'cut-from-seats':
      return { ...at, target: nva };
    case 'agent-clock':
      return { ...at, target: nva, size: random.pick([-300_000, -5_000, 2_000, 45_000, 300_000]) };
    case 'seat-clock':
      return { ...at, target: seat, size: random.pick([-2_000, -500, 500, 2_000]) };
    case 'seat-kill':
    case 'seat-freeze':
    case 'seat-no-storage':
    case 'seat-deaf':
      return { ...at, target: seat };
    case 'region-down':
      return { ...at, target: region.name };
    case 'bad-weather':
      return { ...at, target: '', size: random.pick([0.01, 0.05, 0.1, 0.3]) };
    case 'storage-slow':
      return { ...at, target: '', size: random.pick([200, 1_000, 3_000]) };
    case 'ledger-rollback':
      return { ...at, target: '', size: random.pick([1, 60_000, 600_000]) };
    case 'storage-down':
    case 'ingestion-down':
    case 'arm-down':
    case 'ledger-corrupt':
      return { ...at, target: '' };
  }
}

/** A rehearsal that a person asks for, whatever else goes on. */
function makeDrill(random: Random, topology: Topology, endMs: number): PlannedWish {
  const atMs = random.between(60_000, endMs - 120_000);
  return { atMs, kind: 'drill', vip: random.pick(topology.vips).name, region: null };
}

/** What two faults must not hit at the same time. */
function thingsHit(fault: PlannedFault, topology: Topology): string[] {
  switch (fault.kind) {
    case 'app-crash':
    case 'app-hang':
    case 'app-errors':
    case 'app-brown-out':
      return [`app ${fault.target} ${fault.detail}`];
    case 'nva-crash':
    case 'nva-power-off':
    case 'nva-freeze':
      return [`machine ${fault.target}`];
    case 'session-down':
    case 'sessions-down':
      return [`sessions ${fault.target}`];
    case 'seat-kill':
    case 'seat-freeze':
      return [`machine ${fault.target}`];
    case 'region-down':
      return machinesOf(topology, fault.target).map((name) => `machine ${name}`);
    case 'storage-down':
    case 'storage-slow':
      return ['storage'];
    case 'agent-clock':
    case 'seat-clock':
      return [`clock ${fault.target}`];
    default:
      return [fault.kind];
  }
}

/** Machines that go down with a region. */
export const machinesOf = (topology: Topology, region: string): string[] => [
  ...topology.regions.filter((one) => one.name === region).flatMap((one) => one.nvas.map((nva) => nva.name)),
  ...topology.seats.filter((seat) => seat.region === region).map((seat) => seat.name),
];

// ---------------------------------------------------------------- what people want

function makeWishes(random: Random, topology: Topology, endMs: number): PlannedWish[] {
  const wishes: PlannedWish[] = [];
  if (random.chance(0.5)) return wishes;
  for (let i = random.between(1, 3); i > 0; i -= 1) {
    const atMs = random.between(60_000, endMs - 120_000);
    const vip = random.pick(topology.vips);
    const region = random.pick(vip.regions);
    const kind = random.pick(['failover', 'failover', 'failback', 'drain', 'hold'] as const);
    if (kind === 'drain') {
      wishes.push({ atMs, kind, vip: null, region });
      wishes.push({ atMs: atMs + random.between(20_000, 110_000), kind: 'undrain', vip: null, region });
    } else wishes.push({ atMs, kind, vip: vip.name, region: kind === 'failover' ? region : null });
  }
  return wishes.sort((a, b) => a.atMs - b.atMs);
}
