// The faults of the namespace lab: what each does to which part, and how the part is put right again.
import type { Operation } from '../../../shared/api.ts';
import { delay } from './poll.ts';
import type { World } from './world.ts';

export const SCENARIO_NAMES = [
  'app-crash',
  'app-hang',
  'app-brownout',
  'nva-crash',
  'nva-freeze',
  'nva-poweroff',
  'planned-failover',
  'failback',
  'drain',
  'control-dead',
  'all-apps-down',
] as const;
export type ScenarioName = (typeof SCENARIO_NAMES)[number];

export interface Scenario {
  /** One sentence for people. */
  readonly does: string;
  /** With `alive` the seat decides throughout; with `dead` it is killed once the first orders are delivered. */
  readonly controlPlane: 'alive' | 'dead';
  /** Offered by the agents. 180 lets the sessions of a silent NVA stay up, as Route Server's own timers do. */
  readonly holdSeconds: number;
  /** Who must answer in the end. */
  readonly movesTo: 'backup' | 'primary';
  /** Gets the world from its steady state to where the fault belongs. */
  prepare?(world: World): Promise<void>;
  /** An operation when it was asked for through the API: it may be turned down later. */
  fault(world: World): Promise<Operation | undefined>;
  /** Undoes the fault; traffic goes back by the runner. */
  repair(world: World): Promise<void>;
}

const HOLD_SECONDS = 30;
/** Route Server's own hold time: agents that do not ask for less get this. */
const LONG_HOLD_SECONDS = 180;

const onApp = (does: string, fault: (world: World) => void | Promise<void>): Scenario => ({
  does,
  controlPlane: 'alive',
  holdSeconds: HOLD_SECONDS,
  movesTo: 'backup',
  fault: async (world) => {
    await fault(world);
    return undefined;
  },
  repair: (world) => world.primary.restoreApp(),
});

const onNva = (does: string, holdSeconds: number, fault: (world: World) => void | Promise<void>): Scenario => ({
  does,
  controlPlane: 'alive',
  holdSeconds,
  movesTo: 'backup',
  fault: async (world) => {
    await fault(world);
    return undefined;
  },
  repair: (world) => world.restoreNva(world.primary),
});

const nothing = (): Promise<void> => delay(0);

/** Every scenario but all-apps-down, whose run has another shape (apps-down.ts). */
export const SCENARIOS: Readonly<Record<Exclude<ScenarioName, 'all-apps-down'>, Scenario>> = {
  'app-crash': onApp("SIGKILL to the acting region's application", (world) => world.primary.crashApp()),
  'app-hang': onApp("SIGSTOP to the acting region's application: connections open, no answer", (world) =>
    world.primary.hangApp(),
  ),
  'app-brownout': onApp("the acting region's application fails every second request", (world) =>
    world.primary.brownOutApp(),
  ),
  'nva-crash': onNva('SIGKILL to agent and HAProxy of the acting NVA', HOLD_SECONDS, (world) =>
    world.primary.crashNva(),
  ),
  'nva-freeze': onNva('SIGSTOP to agent and HAProxy; BGP sessions stay up (hold 180 s)', LONG_HOLD_SECONDS, (world) =>
    world.primary.freezeNva(),
  ),
  'nva-poweroff': onNva(
    'cables of the acting NVA out, then everything on it killed (hold 180 s)',
    LONG_HOLD_SECONDS,
    (world) => world.primary.powerOffNva(),
  ),
  'planned-failover': {
    does: 'a person moves the vip to the other region through the HTTP API',
    controlPlane: 'alive',
    holdSeconds: HOLD_SECONDS,
    movesTo: 'backup',
    fault: (world) => world.control.failover(world.backup.plan.region, 'planned move of the laboratory'),
    repair: nothing,
  },
  failback: {
    does: 'a person moves the vip back to its first region through the HTTP API',
    controlPlane: 'alive',
    holdSeconds: HOLD_SECONDS,
    movesTo: 'primary',
    prepare: (world) => world.moveTo(world.backup),
    fault: (world) => world.control.failback('failback of the laboratory'),
    repair: nothing,
  },
  drain: {
    does: 'a person drains the acting region through the HTTP API',
    controlPlane: 'alive',
    holdSeconds: HOLD_SECONDS,
    movesTo: 'backup',
    fault: (world) => world.control.drain(world.primary.plan.region, 'drain of the laboratory'),
    repair: async (world) => {
      await world.control.undrain(world.primary.plan.region, 'the laboratory brings the region back');
    },
  },
  'control-dead': {
    ...onApp("SIGKILL to the acting region's application while no control plane runs", (world) =>
      world.primary.crashApp(),
    ),
    controlPlane: 'dead',
  },
};

export const describeScenario = (name: ScenarioName): string =>
  name === 'all-apps-down' ? ALL_APPS_DOWN_DOES : SCENARIOS[name].does;

export const ALL_APPS_DOWN_DOES =
  'SIGKILL to the applications of both regions at once; the one of the backup returns first';
export const ALL_APPS_DOWN_HOLD_SECONDS = HOLD_SECONDS;
