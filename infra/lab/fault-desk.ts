// Makes faults, ends them when their time is over or all at once, and repairs what each broke. One at a time: two
// requests never work on the world together.
import { type ProblemDocument, problem } from '../../shared/errors.ts';
import { err, ok, type Result } from '../../shared/result.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import type { AppMode } from './app.ts';
import { type ActiveFault, FAULTS_MAX, type Fault, thingsHit } from './faults.ts';

/** What can be broken, and repaired, in the world. Repairing what is whole does nothing. */
export interface Breakable {
  /** SIGKILL of the region's application process. */
  killApp(region: string): Promise<void>;
  startApp(region: string): Promise<void>;
  setAppMode(region: string, vip: string, mode: AppMode): void;
  killNva(nva: string): Promise<void>;
  startNva(nva: string): Promise<void>;
  freezeNva(nva: string): void;
  thawNva(nva: string): void;
  /** Agent and seats do not reach each other. */
  cutControlPath(nva: string): void;
  mendControlPath(nva: string): void;
  endSession(nva: string, instance: number): Promise<void>;
  resumeSession(nva: string, instance: number): void;
  setIngestion(isUp: boolean): void;
  setStorage(isUp: boolean): void;
  killSeat(seat: string): Promise<void>;
  startSeat(seat: string): Promise<void>;
  /** An NVA or a seat. */
  setClockOffset(name: string, offsetMs: number): void;
}

export interface FaultDesk {
  active(): ActiveFault[];
  /** Made when this resolves; a problem document when something it would hit is already broken. */
  begin(fault: Fault): Promise<Result<ActiveFault, ProblemDocument>>;
  /** Ends and repairs one; undefined when it was over already. */
  end(id: string): Promise<ActiveFault | undefined>;
  /** Ends and repairs everything; resolves when all is started again. */
  endAll(): Promise<ActiveFault[]>;
  /** Forgets the timers; the world is coming down. */
  close(): void;
}

export interface FaultDeskOptions {
  readonly topology: Topology;
  readonly world: Breakable;
  /** A line for people. */
  readonly say: (text: string) => void;
}

export function createFaultDesk({ topology, world, say }: FaultDeskOptions): FaultDesk {
  const active = new Map<string, { readonly fault: ActiveFault; readonly timer: NodeJS.Timeout | undefined }>();
  let turn: Promise<unknown> = Promise.resolve();
  let count = 0;

  /** Runs after everything asked for before. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  }

  async function end(id: string): Promise<ActiveFault | undefined> {
    const found = active.get(id);
    if (found === undefined) return undefined;
    clearTimeout(found.timer);
    active.delete(id);
    try {
      await repair(world, topology, found.fault);
      say(`fault over: ${describeFault(found.fault)}`);
    } catch (error) {
      // The others must still be repaired; what could not be started again shows in the world.
      say(`${describeFault(found.fault)} could not be repaired: ${error instanceof Error ? error.message : error}`);
    }
    return found.fault;
  }

  return {
    active: () => [...active.values()].map(({ fault }) => fault),
    begin: (fault) =>
      inTurn(async () => {
        const refusal = refuse(
          fault,
          [...active.values()].map((entry) => entry.fault),
          topology,
        );
        if (refusal !== undefined) return err(refusal);
        count += 1;
        const sinceMs = Date.now();
        const untilMs = fault.seconds === undefined ? null : sinceMs + fault.seconds * 1000;
        const begun: ActiveFault = { ...fault, id: `f-${count}`, sinceMs, untilMs };
        say(`fault: ${describeFault(begun)}`);
        await breakWorld(world, topology, begun);
        const timer =
          fault.seconds === undefined
            ? undefined
            : setTimeout(() => void inTurn(() => end(begun.id)), fault.seconds * 1000);
        active.set(begun.id, { fault: begun, timer });
        return ok(begun);
      }),
    end: (id) => inTurn(() => end(id)),
    endAll: () =>
      inTurn(async () => {
        const ended: ActiveFault[] = [];
        for (const id of [...active.keys()]) {
          const fault = await end(id);
          if (fault !== undefined) ended.push(fault);
        }
        return ended;
      }),
    close: () => {
      for (const { timer } of active.values()) clearTimeout(timer);
    },
  };
}

/** `app-crash westeurope/orders for 5 s`. */
export function describeFault(fault: Fault): string {
  const parts = placeOf(fault).filter((part) => part !== undefined);
  const place = parts.length === 0 ? '' : ` ${parts.join('/')}`;
  return `${fault.kind}${place}${fault.seconds === undefined ? '' : ` for ${fault.seconds} s`}`;
}

function placeOf(fault: Fault): (string | undefined)[] {
  switch (fault.kind) {
    case 'app-crash':
    case 'app-hang':
    case 'app-errors':
      return [fault.region, fault.vip];
    case 'control-crash':
      return [...fault.seats];
    case 'clock-skew':
      return [...fault.nvas, ...fault.seats];
    case 'ingestion-down':
    case 'storage-down':
      return [];
    default:
      return [fault.nvas.join(' ')];
  }
}

function refuse(fault: Fault, active: readonly ActiveFault[], topology: Topology): ProblemDocument | undefined {
  if (active.length >= FAULTS_MAX) {
    return problem(429, 'too-many-faults', 'The fault was not made', { detail: `${FAULTS_MAX} faults at a time` });
  }
  const wanted = thingsHit(fault, topology);
  for (const other of active) {
    const both = thingsHit(other, topology).find((thing) => wanted.includes(thing));
    if (both === undefined) continue;
    return problem(409, 'already-broken', 'The fault was not made', {
      detail: `${describeFault(other)} already broke ${both}`,
      next: 'DELETE /faults ends all faults',
    });
  }
  return undefined;
}

const vipsHit = (fault: Fault, topology: Topology): string[] =>
  fault.vip === undefined ? topology.vips.map((vip) => vip.name) : [fault.vip];

const setMode = (world: Breakable, topology: Topology, fault: Fault, mode: AppMode): void => {
  for (const vip of vipsHit(fault, topology)) world.setAppMode(fault.region ?? '', vip, mode);
};

const each = async (names: readonly string[], work: (name: string) => unknown): Promise<void> => {
  await Promise.all(names.map(async (name) => work(name)));
};

async function breakWorld(world: Breakable, topology: Topology, fault: Fault): Promise<void> {
  switch (fault.kind) {
    case 'app-crash':
      // One vip's instance closes its socket; without a vip the process itself is killed.
      if (fault.vip === undefined) await world.killApp(fault.region ?? '');
      else setMode(world, topology, fault, 'crashed');
      return;
    case 'app-hang':
      return setMode(world, topology, fault, 'hang');
    case 'app-errors':
      return setMode(world, topology, fault, 'errors');
    case 'nva-crash':
      return each(fault.nvas, (nva) => world.killNva(nva));
    case 'nva-freeze':
      return each(fault.nvas, (nva) => world.freezeNva(nva));
    case 'partition-control':
      return each(fault.nvas, (nva) => world.cutControlPath(nva));
    case 'session-down':
      return each(fault.nvas, (nva) => world.endSession(nva, fault.instance));
    case 'ingestion-down':
      return world.setIngestion(false);
    case 'storage-down':
      return world.setStorage(false);
    case 'control-crash':
      return each(fault.seats, (seat) => world.killSeat(seat));
    case 'clock-skew':
      return each([...fault.nvas, ...fault.seats], (name) => world.setClockOffset(name, fault.offsetSeconds * 1000));
  }
}

async function repair(world: Breakable, topology: Topology, fault: Fault): Promise<void> {
  switch (fault.kind) {
    case 'app-crash':
      if (fault.vip === undefined) await world.startApp(fault.region ?? '');
      else setMode(world, topology, fault, 'ok');
      return;
    case 'app-hang':
    case 'app-errors':
      return setMode(world, topology, fault, 'ok');
    case 'nva-crash':
      return each(fault.nvas, (nva) => world.startNva(nva));
    case 'nva-freeze':
      return each(fault.nvas, (nva) => world.thawNva(nva));
    case 'partition-control':
      return each(fault.nvas, (nva) => world.mendControlPath(nva));
    case 'session-down':
      return each(fault.nvas, (nva) => world.resumeSession(nva, fault.instance));
    case 'ingestion-down':
      return world.setIngestion(true);
    case 'storage-down':
      return world.setStorage(true);
    case 'control-crash':
      return each(fault.seats, (seat) => world.startSeat(seat));
    case 'clock-skew':
      return each([...fault.nvas, ...fault.seats], (name) => world.setClockOffset(name, 0));
  }
}
