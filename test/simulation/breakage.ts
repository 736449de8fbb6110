// Begins and ends the faults of a plan in the world.
import type { Topology } from '../../shared/topology-schema.ts';
import { type FaultKind, machinesOf, type PlannedFault } from './plan.ts';
import type { AppMode, SimAgent } from './sim-agent.ts';
import { GROUP } from './stores.ts';
import { FAIR } from './wires.ts';
import type { SimWorld } from './world.ts';

const APP_MODES: Readonly<Record<string, AppMode>> = {
  'app-crash': 'crashed',
  'app-hang': 'hanging',
  'app-errors': 'erring',
  'app-brown-out': 'browned-out',
};

export function scheduleFaults(world: SimWorld): void {
  for (const fault of world.plan.faults) {
    world.timeline.at(world.at(fault.atMs), () => {
      world.tell(`FAULT ${faultText(fault)} for ${((fault.untilMs - fault.atMs) / 1000).toFixed(1)} s`);
      begin(world, fault);
    });
    world.timeline.at(world.at(fault.untilMs), () => {
      end(world, fault);
      world.tell(`over: ${faultText(fault)}`);
    });
  }
}

const faultText = ({ kind, target, detail, size }: PlannedFault): string =>
  [kind, target, detail, size === 0 ? '' : String(size)].filter((part) => part !== '').join(' ');

function begin(world: SimWorld, fault: PlannedFault): void {
  world.broken += 1;
  BREAKAGES[fault.kind].begin(world, fault);
}

function end(world: SimWorld, fault: PlannedFault): void {
  BREAKAGES[fault.kind].end(world, fault);
  world.broken -= 1;
  world.calmSinceMs = world.timeline.nowMs;
}

type Change = (world: SimWorld, fault: PlannedFault) => void;
interface Breakage {
  readonly begin: Change;
  readonly end: Change;
}

const app: Breakage = {
  begin: (world, { kind, target, detail }) => world.agent(target).setApp(detail, APP_MODES[kind] ?? 'ok'),
  end: (world, { target, detail }) => world.agent(target).setApp(detail, 'ok'),
};

const cut: Breakage = {
  begin: (world, fault) => {
    for (const [from, to] of cutsOf(world.plan.topology, fault)) world.wires.cut(from, to);
  },
  end: (world, fault) => {
    for (const [from, to] of cutsOf(world.plan.topology, fault)) world.wires.mend(from, to);
  },
};

const place = (name: keyof SimWorld['places']): Breakage => ({
  begin: ({ places }) => places[name].kill(),
  end: ({ places }) => places[name].start(),
});

/** A person looks at it and says go on; where nothing was noticed there is nothing to trust. */
function trust(world: SimWorld): void {
  if (world.judge.ledger?.policy.trusted === false) world.ask({ kind: 'trust-ledger', vip: null, region: null });
}

const BREAKAGES: Readonly<Record<FaultKind, Breakage>> = {
  'app-crash': app,
  'app-hang': app,
  'app-errors': app,
  'app-brown-out': app,
  'nva-crash': { begin: (w, { target }) => w.agent(target).crash(), end: (w, { target }) => w.agent(target).start() },
  'nva-power-off': {
    begin: (w, { target }) => w.agent(target).powerOff(),
    end: (w, { target }) => w.agent(target).start(),
  },
  'nva-freeze': { begin: (w, { target }) => w.agent(target).freeze(), end: (w, { target }) => w.agent(target).thaw() },
  'session-down': {
    begin: (w, { target, detail }) => w.agent(target).setRefused(detail, true),
    end: (w, { target, detail }) => w.agent(target).setRefused(detail, false),
  },
  'sessions-down': {
    begin: (w, { target }) => eachPeer(w.agent(target), (peer) => w.agent(target).setRefused(peer, true)),
    end: (w, { target }) => eachPeer(w.agent(target), (peer) => w.agent(target).setRefused(peer, false)),
  },
  'cut-from-seat': cut,
  'cut-to-seat': cut,
  'cut-from-seats': cut,
  'seat-no-storage': cut,
  'seat-deaf': cut,
  'seat-kill': { begin: (w, { target }) => w.seat(target).kill(), end: (w, { target }) => w.seat(target).start() },
  'seat-freeze': {
    begin: (w, { target }) => w.seat(target).process.freeze(),
    end: (w, { target }) => w.seat(target).process.thaw(),
  },
  'storage-down': place('storage'),
  'arm-down': place('arm'),
  'ingestion-down': place('ingestion'),
  'ledger-rollback': { begin: (w, { size }) => w.rollBack(size), end: trust },
  'ledger-corrupt': { begin: (w) => w.stores.ledger.overwrite(GROUP, '{"v":1,"group":"def'), end: trust },
  'storage-slow': { begin: (w, { size }) => w.slowStorage(size), end: (w) => w.slowStorage(0) },
  'agent-clock': {
    begin: (w, { target, size }) => w.agent(target).setClock(size),
    end: (w, { target }) => w.agent(target).setClock(0),
  },
  'seat-clock': {
    begin: (w, { target, size }) => w.seat(target).setClock(size),
    end: (w, { target }) => w.seat(target).setClock(0),
  },
  'bad-weather': {
    begin: ({ wires }, { size }) =>
      wires.setWeather({ delayMs: [1, size > 0.05 ? 1500 : 300], loss: size, echo: 0.05, echoMs: 90_000 }),
    end: ({ wires }) => wires.setWeather(FAIR),
  },
  'region-down': {
    begin: (w, { target }) => {
      for (const name of machinesOf(w.plan.topology, target)) powerOff(w, name);
    },
    end: (w, { target }) => {
      for (const name of machinesOf(w.plan.topology, target)) start(w, name);
    },
  },
};

const eachPeer = (agent: SimAgent, run: (peer: string) => void): void => {
  for (const { peer } of agent.sessions) run(peer);
};

function powerOff(world: SimWorld, name: string): void {
  const agent = world.agents.get(name);
  if (agent === undefined) world.seat(name).kill();
  else agent.powerOff();
}

function start(world: SimWorld, name: string): void {
  const agent = world.agents.get(name);
  if (agent === undefined) world.seat(name).start();
  else agent.start();
}

/** Which directions of which wires this fault cuts. */
function cutsOf(topology: Topology, { kind, target, detail }: PlannedFault): [string, string][] {
  const nvas = topology.regions.flatMap((region) => region.nvas.map((nva) => nva.name));
  const seats = topology.seats.map((seat) => seat.name);
  const both = (a: string, b: string): [string, string][] => [
    [a, b],
    [b, a],
  ];
  switch (kind) {
    case 'cut-from-seat':
      return [[detail, target]];
    case 'cut-to-seat':
      return [[target, detail]];
    case 'cut-from-seats':
      return seats.flatMap((seat) => both(seat, target));
    case 'seat-no-storage':
      return both(target, 'storage');
    case 'seat-deaf':
      return nvas.flatMap((nva) => both(nva, target));
    default:
      return [];
  }
}
